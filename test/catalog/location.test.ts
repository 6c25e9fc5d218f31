import { describe, expect, test } from "bun:test";
import { type DatabaseLocation, describeFault, parseLocation } from "../../src/catalog/location.ts";

describe("parseLocation", () => {
  test.each([
    ["data/catalog.json", { kind: "file", path: "data/catalog.json" }],
    ["/etc/catalog.json", { kind: "file", path: "/etc/catalog.json" }],
    ["sqlite:a.db", { kind: "database", dialect: "sqlite", url: "a.db" }],
    ["sqlite://a.db", { kind: "database", dialect: "sqlite", url: "a.db" }],
    ["sqlite:///a.db", { kind: "database", dialect: "sqlite", url: "/a.db" }],
    ["postgresql://db/a", { kind: "database", dialect: "postgres", url: "postgresql://db/a" }],
    ["mariadb://db/a", { kind: "database", dialect: "mysql", url: "mariadb://db/a" }],
  ])("takes %p", (text, location) => {
    expect(parseLocation(text)).toMatchObject(location as object);
  });

  test("has a form without the password, to show", () => {
    expect(parseLocation("postgres://me:hunter2@db/a").shown).toBe("postgres://me:***@db/a");
  });

  test.each(["sqlite:", "http://host/catalog.json", "postgres://me:hunter2@db:port/a"])(
    "refuses %p without repeating it",
    (text) => {
      const refuse = () => parseLocation(text);
      expect(refuse).toThrow("postgres://host/database");
      expect(refuse).not.toThrow(/hunter2/);
    },
  );
});

describe("describeFault", () => {
  test("masks the password, as it was written and as it is meant", () => {
    const location = parseLocation("mysql://me:p%40ss%2Fword@db/a?sslpassword=k3y");
    const fault = new Error("no login with p@ss/word nor p%40ss%2Fword, k3y");
    expect(describeFault(fault, location as DatabaseLocation)).toBe(
      "mysql://me:***@db/a?sslpassword=***: no login with *** nor ***, ***",
    );
  });

  test("names the place once", () => {
    const location = parseLocation("sqlite:a.db") as DatabaseLocation;
    const once = describeFault(new Error("gone"), location);
    expect(once).toBe("sqlite:a.db: gone");
    expect(describeFault(new Error(once), location)).toBe(once);
  });
});
