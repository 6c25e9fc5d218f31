import { expect, test } from "bun:test";
import { runLoad } from "../../src/processes/catalog-loader.ts";
import { createFolder } from "../support/folder.ts";

test("a loader that ends without an answer leaves the catalog unknown, so that the last serves", async () => {
  using folder = createFolder();
  // What is started is the program of this process, which is no exchange.
  const order = { egress: { allowPrivate: false }, path: folder.path("new"), inForce: undefined };
  expect(await runLoad({ catalog: `sqlite:${folder.path("db")}`, ...order })).toEqual({
    kind: "away",
    cause: expect.stringMatching(/^its loader ended without an answer, status \d+$/),
  });
});
