import { expect, test } from "bun:test";
import { type OpenLimiterOptions, openLimiter } from "../../src/limiter/open-limiter.ts";
import { verdictOf } from "../support/asking.ts";
import { windowsOf } from "../support/windows.ts";

const LIMIT = { max: 1, windowMs: 60_000 };

const open = (given: Partial<OpenLimiterOptions>) =>
  openLimiter({
    limit: LIMIT,
    capacity: 10,
    openStore: undefined,
    openWindows: () => windowsOf(LIMIT),
    workers: 3,
    onStoreError: "closed",
    producer: "p",
    onChange: () => {},
    ...given,
  });

test("is off where the limit is 0, and opens neither windows nor a store then", () => {
  const opens = () => {
    throw new Error("opened");
  };
  for (const openStore of [undefined, opens]) {
    const off = open({ limit: { ...LIMIT, max: 0 }, openWindows: opens, openStore });
    expect([off.limiter, off.withoutStore]).toEqual([undefined, "off"]);
  }
});

test("without a store keeps its limits, whatever the setting for outages", () => {
  const { limiter, withoutStore, isFallbackActive } = open({});
  expect([withoutStore, isFallbackActive()]).toEqual(["kept", false]);
  expect(limiter!.admit("a")).toMatchObject({ isAdmitted: true });
  expect(limiter!.admit("a")).toMatchObject({ isAdmitted: false });
});

test("with a store asks it, does what the setting says while it is away, and closes it", async () => {
  let isClosed = false;
  const openStore = () => ({
    admit: () => Promise.reject(new Error("away")),
    restore: () => Promise.reject(new Error("away")),
    close: () => {
      isClosed = true;
    },
  });
  const { limiter, withoutStore, stop } = open({ openStore });
  expect(withoutStore).toBe("closed");
  await expect(verdictOf(limiter!)("a") as Promise<unknown>).rejects.toThrow("store is away");
  expect(isClosed).toBe(false);
  stop();
  expect(isClosed).toBe(true);
});
