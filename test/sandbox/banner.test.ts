import { describe, expect, test } from "bun:test";
import { writeDirections, writeInvitation, writeStubs } from "../../src/sandbox/banner.ts";
import type { Profile } from "../../src/sandbox/profile.ts";
import { profileOf } from "../support/stubs.ts";

/** What is said of a bidder's behaviour. */
function behaviourOf(written: Partial<Profile>): string {
  const stub = { id: "b1", pid: 7, url: "http://127.0.0.1:4000" };
  const [line] = /^ {2}b1 .*$/m.exec(writeStubs([stub], { b1: profileOf(written) }, 1))!;
  return line.slice(line.indexOf("4000") + 4).trimStart();
}

describe("the bidders", () => {
  test("are said with their processes and the seed", () => {
    const stubs = [
      { id: "b1", pid: 7, url: "http://127.0.0.1:4000" },
      { id: "b2", pid: 7, url: "http://127.0.0.1:4001" },
      { id: "b3", pid: 8, url: "http://127.0.0.1:4002" },
    ];
    const profile = profileOf({});
    const text = writeStubs(stubs, { b1: profile, b2: profile, b3: profile }, 9);
    expect(text).toContain("  Sandbox: 3 bidders in 2 processes, seed 9\n");
    for (const { id, url } of stubs) expect(text).toMatch(new RegExp(`^ {2}${id} .* ${url} `, "m"));
  });

  test("are said with what they do", () => {
    expect(behaviourOf({})).toBe("bids 100 % at $ 1");
    const slow = { bid_probability: 0.1, price: { min: 0.5, max: 2 }, latency_ms: 15 };
    expect(behaviourOf(slow)).toBe("bids 10 % at $ 0.5–2, after 15 ms");
    const odd = { latency_ms: { median: 5, p99: 20 }, misbehaviours: { drip: 0.3, hang: 0.1 } };
    expect(behaviourOf(odd)).toBe("bids 100 % at $ 1, after 5 (p99 20) ms, drip 30 %, hang 10 %");
  });

  test("are said without a price when they never bid", () => {
    expect(behaviourOf({ misbehaviours: { hang: 1 } })).toBe("hang 100 %");
  });
});

describe("the curl", () => {
  const bidders = { b1: { country: "US" }, b2: { country: "GB" }, b3: { country: "GB" } };
  const curlFor = (supplies: Record<string, string[]>) =>
    /curl .*\n.*\}'/.exec(writeInvitation("http://127.0.0.1:8000", { supplies, bidders }))![0];

  test("asks for the supply and country that most bidders compete for", () => {
    const curl = curlFor({ one: ["b1"], two: ["b1", "b2", "b3"], three: ["b1", "b2"] });
    expect(curl).toContain("'http://127.0.0.1:8000/bid?explain=1'");
    expect(curl).toContain("X-Country: GB");
    expect(curl).toEndWith(`-d '{"supply_id": "two"}'`);
  });

  test("is one command for a shell, whatever the supply is called", async () => {
    const name = `it's "$HOME"`.replaceAll(" ", "-");
    const curl = curlFor({ [name]: ["b1"] }).replace(/^curl/, "printf '%s\\n'");
    const shell = Bun.spawn(["sh", "-c", curl], { stdout: "pipe" });
    const lines = (await shell.stdout.text()).trimEnd().split("\n");
    expect(JSON.parse(lines.at(-1)!)).toEqual({ supply_id: name });
  });
});

test("who has an exchange is told how it gets the catalog", () => {
  expect(writeDirections("/tmp/catalog.json")).toContain(
    "\n  CATALOG=/tmp/catalog.json ALLOW_PRIVATE_BIDDERS=true EXPLAIN=true bun start\n",
  );
});
