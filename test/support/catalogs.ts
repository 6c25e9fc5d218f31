import fc from "fast-check";
import {
  type BidderDocument,
  type CatalogDocument,
  type SupplyDocument,
  validateCatalog,
} from "../../src/catalog/document.ts";

const printable = (maxLength: number) =>
  fc
    .array(fc.integer({ min: 0x21, max: 0x7e }), { minLength: 1, maxLength })
    .map((codes) => String.fromCharCode(...codes));
const id = fc.oneof(
  printable(64),
  fc.constantFrom("__proto__", "constructor", "7", "10", "a/b~c", "it's", '"', "%_\\", "A", "a"),
);
const text = fc.oneof(
  fc.constantFrom(" ", "ü", "😀", "a'b\"c\\", "NULL", "-- ;", "￿", "a "),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).filter(isText),
);
const country = fc
  .tuple(fc.integer({ min: 65, max: 90 }), fc.integer({ min: 65, max: 90 }))
  .map((codes) => String.fromCharCode(...codes));
const whole = (min: number, max: number) =>
  fc.oneof(fc.constantFrom(min, max), fc.integer({ min, max }));
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 2 });

/** A fragment is refused, and a backslash would be taken for a slash. */
const toEndpoint = (rest: string) => `https://bidder.example/${rest.replaceAll(/[#\\]/g, "")}`;
const toRange = (ends: readonly number[]) => ends.toSorted((a, b) => a - b).join("-");

const bidder: fc.Arbitrary<BidderDocument> = fc
  .record({
    countries: maybe(fc.uniqueArray(country, { minLength: 1, maxLength: 5 })),
    country,
    endpoint: maybe(printable(40).map(toEndpoint)),
    seat: maybe(id),
    max_in_flight: maybe(whole(1, 10_000)),
    max_qps: maybe(whole(1, 1_000_000)),
    timeout_ms: maybe(whole(1, 60_000)),
    gzip: maybe(fc.boolean()),
    wait: maybe(fc.boolean()),
    headers: maybe(
      fc.dictionary(
        fc.stringMatching(/^x-[A-Za-z0-9-]{1,20}$/),
        fc.stringMatching(/^[ -~]{0,20}$/),
        {
          minKeys: 1,
          maxKeys: 4,
        },
      ),
    ),
    no_bid_probability: maybe(fc.double({ min: 0, max: 1, noNaN: true }).map((p) => p + 0)),
    latency_ms: maybe(fc.tuple(whole(0, 99_999), whole(0, 99_999)).map(toRange)),
  })
  .map(({ countries, country: only, ...rest }) =>
    said({ ...(countries ? { countries } : { country: only }), ...rest }),
  ) as fc.Arbitrary<BidderDocument>;

const imp = fc
  .record({
    banner: maybe(
      fc.record({
        format: fc.uniqueArray(fc.record({ w: whole(1, 10_000), h: whole(1, 10_000) }), {
          minLength: 1,
          maxLength: 4,
          selector: ({ w, h }) => `${w}x${h}`,
        }),
      }),
    ),
    video: maybe(
      fc
        .record({
          mimes: fc.uniqueArray(printable(20), { minLength: 1, maxLength: 4 }),
          w: maybe(whole(1, 10_000)),
          h: maybe(whole(1, 10_000)),
          minduration: maybe(whole(0, 3_600)),
          maxduration: maybe(whole(0, 3_600)),
          protocols: maybe(fc.uniqueArray(whole(1, 9_999), { minLength: 1, maxLength: 4 })),
        })
        .map(said),
    ),
    native: maybe(fc.record({ request: text, ver: maybe(text) }).map(said)),
  })
  .map(said)
  .filter((object) => Object.keys(object).length > 0);

const app = fc
  .record({ bundle: text, name: maybe(text), domain: maybe(text), storeurl: maybe(text) })
  .map(said);

/** What a supply says beside its bidders. */
const supplyFacts = fc
  .record({
    floor: maybe(whole(0, 400_000).map((cents) => cents / 100)),
    auction: maybe(fc.constantFrom("first_price", "second_price")),
    imp: maybe(imp),
    where: maybe(
      fc.oneof(
        text.map((domain) => ({ domain })),
        app.map((of) => ({ app: of })),
      ),
    ),
  })
  .map(({ where, ...facts }) => said({ ...facts, ...where }));

/** Any catalog that is valid. A supply that only lists bidders is in the short form. */
export const anyCatalog: fc.Arbitrary<CatalogDocument> = fc
  .dictionary(id, bidder, { maxKeys: 8, noNullPrototype: true })
  .chain((bidders) => {
    const supply = fc
      .tuple(fc.shuffledSubarray(Object.keys(bidders)), supplyFacts)
      .map(([members, facts]) =>
        Object.keys(facts).length === 0
          ? members
          : ({ bidders: members, ...facts } as SupplyDocument),
      );
    return fc
      .dictionary(id, supply, { maxKeys: 6, noNullPrototype: true })
      .map((supplies) => validateCatalog({ supplies, bidders }));
  });

function said(object: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

/** As the catalog's rules have it: nothing that a database might not store as it is. */
function isText(value: string): boolean {
  return value.isWellFormed() && ![...value].some((c) => c < " " || c === "\x7f");
}
