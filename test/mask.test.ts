import { describe, expect, test } from "bun:test";
import { mask } from "../src/mask.ts";

describe("mask", () => {
  test.each([
    ["redis://host:6379/0", "redis://host:6379/0"],
    ["redis://user@host", "redis://user@host"],
    ["redis://user:hunter2@host:6379", "redis://user:***@host:6379"],
    ["redis://:hunter2@host", "redis://:***@host"],
    ["rediss://user:hun:ter/2@host", "rediss://user:***@host"],
    ["redis://user:hunt@er2@host", "redis://user:***@host"],
    ["user:hunter2@host:6379", "user:***@host:6379"],
    ["redis://host/0?password=hunter2&db=1", "redis://host/0?password=***&db=1"],
    ["postgres://user:hunter2@host/db", "postgres://user:***@host/db"],
    ["mysql://host/db?sslpassword=hunter2", "mysql://host/db?sslpassword=***"],
    ["postgres://us/er:hunter2@host/db", "postgres://us/er:***@host/db"],
    ["postgres:/user:hunter2@host/db", "postgres:/user:***@host/db"],
    ["postgres//user:hunter2@host/db", "postgres//user:***@host/db"],
    ["postgres:user:hunter2@host/db", "postgres:***@host/db"],
    ["postgres://user:hunter2", "postgres://user:***"],
    ["postgres://user:hunter2/db", "postgres://user:***/db"],
    ["postgres://host:5432/db?sslmode=require", "postgres://host:5432/db?sslmode=require"],
    ["redis://[::1]:6379", "redis://[::1]:6379"],
    [
      "postgres://host/db?options=-c%20password=hunter2",
      "postgres://host/db?options=-c%20password=***",
    ],
    ["sqlite:catalog.db", "sqlite:catalog.db"],
  ])("shows %p as %p", (url, shown) => {
    expect(mask("REDIS_URL", url)).toBe(shown);
    expect(mask("CATALOG", url)).toBe(shown);
  });

  test("leaves other settings as they are", () => {
    expect(mask("DATA_DIR", "a:b@c")).toBe("a:b@c");
  });
});
