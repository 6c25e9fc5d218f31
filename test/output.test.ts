import { expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { createLines } from "../src/output.ts";
import { until } from "./support/until.ts";

/** A reader with room for so many bytes, whose next look is by hand. */
function createReader(room: number) {
  const reader = { room, text: "", look: () => {} };
  const lines = createLines({
    take(bytes) {
      const taken = Math.min(reader.room, bytes.length);
      reader.room -= taken;
      reader.text += Buffer.from(bytes.subarray(0, taken)).toString();
      return taken;
    },
    later: (run) => {
      reader.look = run;
    },
  });
  return { lines, reader };
}

test("a line is written at once where its reader has room", () => {
  const { lines, reader } = createReader(100);
  lines.write("one\n");
  expect(reader.text).toBe("one\n");
});

test("what a full pipe refuses is written once it has room, whole and in order", () => {
  const { lines, reader } = createReader(6);
  for (const line of ["one\n", "two\n", "three\n"]) lines.write(line);
  expect(reader.text).toBe("one\ntw");
  reader.room = 3;
  reader.look();
  expect(reader.text).toBe("one\ntwo\nt");
  reader.room = 100;
  lines.write("four\n"); // Its turn comes with the others'.
  expect(reader.text).toBe("one\ntwo\nt");
  lines.flushSync(); // As at the exit.
  expect(reader.text).toBe("one\ntwo\nthree\nfour\n");
});

test("beyond a megabyte lines are left out, and their number is told", () => {
  const { lines, reader } = createReader(0);
  const line = `${"x".repeat(1_023)}\n`;
  for (let i = 0; i < 1_034; i++) lines.write(line);
  reader.room = Number.POSITIVE_INFINITY;
  reader.look();
  const written = reader.text.split("\n").slice(0, -1);
  expect(written.length).toBe(1_025);
  const last = JSON.parse(written.at(-1)!);
  expect(last.msg).toBe("10 lines left out: the reader of the log is too slow");
  lines.write("after\n");
  expect(reader.text.endsWith("after\n")).toBe(true);
});

test("a pipe that nobody reads for a while stalls nobody and loses nothing", async () => {
  const child = Bun.spawn([process.execPath, "-e", WRITER], { stdout: "pipe", stderr: "pipe" });
  let told = "";
  const listening = (async () => {
    for await (const piece of child.stderr) told += Buffer.from(piece).toString();
  })();
  await until("everything is handed over", () => told.includes("handed over"));
  const text = await new Response(child.stdout).text();
  await Promise.all([listening, child.exited]);
  const lines = text.split("\n");
  expect(lines.filter((line) => line === "line".padEnd(99, "l")).length).toBe(3_000);
  expect(lines.filter((line) => line === "text".padEnd(99, "t")).length).toBe(3_000);
});

/** Writes more in both ways than a pipe takes; its pipe does not block, as that of the service. */
const WRITER = `
  import { createLines, writeOut } from ${JSON.stringify(fileURLToPath(new URL("../src/output.ts", import.meta.url)))};
  process.stdout.write("");
  const lines = createLines();
  const texts = Array.from({ length: 100 }, () => ("text".padEnd(99, "t") + "\\n").repeat(30));
  const written = (async () => { for (const text of texts) await writeOut(text); })();
  for (let i = 0; i < 3_000; i++) lines.write("line".padEnd(99, "l") + "\\n");
  process.stderr.write("handed over");
  await written;
`;
