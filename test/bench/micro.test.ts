import { expect, test } from "bun:test";

/** The smallest useful run of each: rounds, or clients for each batch size. */
const SMALL: Record<string, string> = { "script-call.ts": "256" };
const TIMEOUT_MS = 60_000;

for (const file of new Bun.Glob("*.ts").scanSync("bench/micro")) {
  test(
    `bench/micro/${file} runs and prints a checksum`,
    async () => {
      const command = [process.execPath, `bench/micro/${file}`, SMALL[file] ?? "1"];
      const run = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
      const [output, problem] = await Promise.all([run.stdout.text(), run.stderr.text()]);
      expect({ exitCode: await run.exited, problem }).toEqual({ exitCode: 0, problem: "" });
      expect(output).toMatch(/checksum [1-9]\d*\n$/);
    },
    TIMEOUT_MS,
  );
}
