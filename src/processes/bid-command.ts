import type { SnapshotHeader } from "../catalog/snapshot-file.ts";

/** Lines of a shell command that holds an auction when pasted. */
export const writeBidCommand = (url: string, { supplyId, country }: SnapshotHeader["sample"]) => [
  `  curl -X POST '${url}' -H 'Content-Type: application/json' \\`,
  `    -H 'X-Country: ${country}' -d '{"supply_id": ${quoteJson(supplyId)}}'`,
];

/** JSON that stays whole between single quotes of a shell. */
const quoteJson = (text: string) => JSON.stringify(text).replaceAll("'", `'\\''`);
