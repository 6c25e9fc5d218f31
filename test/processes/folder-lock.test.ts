import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { lockFolder } from "../../src/processes/folder-lock.ts";

const MODULE = resolve("src/processes/folder-lock.ts");
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lock-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** Another process that holds the folder from when this resolves until it is killed. */
async function lockElsewhere() {
  const program = `
    import { lockFolder } from ${JSON.stringify(MODULE)};
    lockFolder(${JSON.stringify(dir)});
    console.log("locked");
    await new Promise((resolve) => process.stdin.once("end", resolve).resume());
  `;
  const child = Bun.spawn([process.execPath, "-e", program], { stdin: "pipe", stdout: "pipe" });
  const { value } = await child.stdout.getReader().read();
  expect(new TextDecoder().decode(value)).toBe("locked\n");
  return child;
}

describe("folder lock", () => {
  test("is taken once at a time, and again when it was given back", () => {
    const unlock = lockFolder(dir);
    expect(() => lockFolder(dir)).toThrow(
      `DATA_DIR ${dir} is in use by another exchange. Try another DATA_DIR`,
    );
    unlock();
    const unlockAgain = lockFolder(dir);
    unlockAgain();
  });

  test("keeps folders apart", () => {
    const other = mkdtempSync(join(tmpdir(), "lock-"));
    const unlocks = [lockFolder(dir), lockFolder(other)];
    for (const unlock of unlocks) unlock();
    rmSync(other, { recursive: true });
  });

  test("is held against other processes, and freed by the kernel when its owner is killed", async () => {
    const owner = await lockElsewhere();
    expect(() => lockFolder(dir)).toThrow("is in use by another exchange");
    owner.kill("SIGKILL");
    await owner.exited;
    const unlock = lockFolder(dir);
    unlock();
  });

  test("says so in one line when the folder cannot be used", () => {
    const away = join(dir, "away");
    expect(() => lockFolder(away)).toThrow(`DATA_DIR ${away} cannot be used: `);
  });
});
