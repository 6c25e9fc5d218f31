import { type Static, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { ruleOf } from "../json-fault.ts";

const Text = Type.String({ minLength: 1 });
const Currency = Type.String({ pattern: "^[A-Z]{3}$" });
const Flag = Type.Integer({ minimum: 0, maximum: 1 });
const Flexible = Type.Object({});

/** What a bidder needs of OpenRTB 2.6, section 3.2. Fields not named here are tolerated (2.6). */
const BidRequestSchema = Type.Object({
  id: Text,
  imp: Type.Array(
    Type.Object({
      id: Text,
      banner: Type.Optional(Flexible),
      video: Type.Optional(Type.Object({ mimes: Type.Array(Text, { minItems: 1 }) })),
      audio: Type.Optional(Type.Object({ mimes: Type.Array(Text, { minItems: 1 }) })),
      native: Type.Optional(Type.Object({ request: Type.String() })),
      bidfloor: Type.Optional(Type.Number({ minimum: 0 })),
      bidfloorcur: Type.Optional(Currency),
      secure: Type.Optional(Flag),
    }),
    { minItems: 1, maxItems: 100 },
  ),
  site: Type.Optional(Flexible),
  app: Type.Optional(Flexible),
  device: Type.Optional(
    Type.Object({
      ip: Type.Optional(Text),
      ipv6: Type.Optional(Text),
      ua: Type.Optional(Text),
      geo: Type.Optional(
        Type.Object({ country: Type.Optional(Type.String({ pattern: "^[A-Z]{3}$" })) }),
      ),
    }),
  ),
  /** Optional in the specification; this exchange promises them. */
  at: Type.Integer({ minimum: 1 }),
  cur: Type.Array(Currency, { minItems: 1 }),
  tmax: Type.Integer({ minimum: 1 }),
});
export type BidRequest = Static<typeof BidRequestSchema>;

const shape = TypeCompiler.Compile(BidRequestSchema);
const VERSION = "2.6";

/** A header by its name in lower case. */
export type HeaderReader = (name: string) => string | null | undefined;

/** What keeps it from being a bid request of OpenRTB 2.6, in words; undefined for a good one. */
export function findProblem(header: HeaderReader, body: unknown): string | undefined {
  if (header("x-openrtb-version") !== VERSION) return `x-openrtb-version: expected ${VERSION}`;
  if (!header("content-type")?.startsWith("application/json")) {
    return "content-type: expected application/json";
  }
  if (!shape.Check(body)) {
    const error = shape.Errors(body).First()!;
    return `${error.path || "/"}: ${ruleOf(error)}`;
  }
  if (body.site && body.app) return "/: expected either site or app";
  if (new Set(body.imp.map((imp) => imp.id)).size < body.imp.length) {
    return "/imp: expected each id once";
  }
  const bare = body.imp.findIndex((imp) => !(imp.banner || imp.video || imp.audio || imp.native));
  return bare < 0 ? undefined : `/imp/${bare}: expected banner, video, audio or native`;
}
