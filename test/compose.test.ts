import { expect, test } from "bun:test";
import { ConfigSchema } from "../src/config.ts";

/** Where the container's own layout decides: ports are mapped, files are mounted. */
const DECIDED = ["DATA_DIR", "HOST", "PORT", "REDIS_HOST", "REDIS_PORT", "REDIS_URL"];

test("docker-compose.yaml hands every other setting on", async () => {
  const compose = await Bun.file("docker-compose.yaml").text();
  const handed = [...compose.matchAll(/^ {6}([A-Z_]+):$/gm)].map((match) => match[1]!);
  const wanted = Object.keys(ConfigSchema.properties).filter((name) => !DECIDED.includes(name));
  expect(handed.sort()).toEqual(wanted.sort());
});
