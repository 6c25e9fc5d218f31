import { mask } from "../mask.ts";

/** Where a catalog is kept. `shown` is fit for a log: it has no password. */
export type CatalogLocation =
  | { readonly kind: "file"; readonly path: string; readonly shown: string }
  | {
      readonly kind: "database";
      readonly dialect: Dialect;
      readonly url: string;
      readonly shown: string;
    };

export type Dialect = "sqlite" | "postgres" | "mysql";
export type DatabaseLocation = Extract<CatalogLocation, { kind: "database" }>;

const DIALECTS: Readonly<Record<string, Dialect>> = {
  postgres: "postgres",
  postgresql: "postgres",
  mysql: "mysql",
  mariadb: "mysql",
};

/**
 * What CATALOG means: a path, `sqlite:PATH`, or the URL of a server.
 * @throws Error with what was expected; never with the text, which may hold a password
 */
export function parseLocation(text: string): CatalogLocation {
  const sqlite = /^sqlite:(?:\/\/)?(.+)$/.exec(text);
  const shown = mask("CATALOG", text);
  if (sqlite) return { kind: "database", dialect: "sqlite", url: sqlite[1]!, shown };
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined && !text.startsWith("sqlite:"))
    return { kind: "file", path: text, shown };
  const dialect = DIALECTS[scheme ?? ""];
  if (!dialect || !URL.canParse(text)) throw new Error(LOCATIONS);
  return { kind: "database", dialect, url: text, shown };
}

/** Whether it is one that `parseLocation` takes. */
export function isLocation(text: string): boolean {
  try {
    return parseLocation(text) !== undefined;
  } catch {
    return false;
  }
}

export const LOCATIONS = "a path, sqlite:PATH, postgres://host/database or mysql://host/database";

/** What a fault says and where, without the secrets of the URL that it happened with. */
export function describeFault(fault: unknown, { dialect, url, shown }: DatabaseLocation): string {
  const message = fault instanceof Error ? fault.message : String(fault);
  const secrets = dialect === "sqlite" ? [] : secretsOf(new URL(url));
  const masked = secrets.reduce((text, secret) => text.replaceAll(secret, "***"), message);
  return masked.startsWith(`${shown}: `) ? masked : `${shown}: ${masked}`;
}

function secretsOf({ password, searchParams }: URL): string[] {
  const passwords = [password, ...["password", "sslpassword"].map((key) => searchParams.get(key))];
  const given = passwords.filter((secret) => secret !== null && secret !== "") as string[];
  return given.flatMap((secret) => [secret, decode(secret)]);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
