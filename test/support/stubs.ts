import { Value } from "@sinclair/typebox/value";
import { type Profile, ProfileSchema } from "../../src/sandbox/profile.ts";
import type { Counters } from "../../src/sandbox/stub-bidder.ts";
import { startStubProcesses } from "../../src/sandbox/stub-processes.ts";

/** A profile as a file has it, with what it leaves out filled in. */
export const profileOf = (written: Partial<Profile>): Profile =>
  Value.Parse(ProfileSchema, { ...written });

/** Stub bidders in processes of their own. */
export interface Stubs extends AsyncDisposable {
  /** Where a bidder takes bid requests: what its catalog entry names. */
  endpoint(id: string): string;
  port(id: string): number;
  /** What it has seen so far. */
  counters(id: string): Promise<Counters>;
  readonly pids: readonly number[];
}

/** Starts bidders by their profiles; `await using` ends them. */
export async function startStubs(
  profiles: Readonly<Record<string, Partial<Profile>>>,
  { seed = 1, processes = 1 }: { seed?: number; processes?: number } = {},
): Promise<Stubs> {
  const orders = Object.entries(profiles).map(([id, written]) => {
    return { id, seat: id, profile: profileOf(written), seed };
  });
  const { stubs, stop } = await startStubProcesses(orders, processes);
  const urls = new Map(stubs.map(({ id, url }) => [id, url]));
  const urlOf = (id: string) => urls.get(id) ?? fail(id);
  return {
    endpoint: (id) => `${urlOf(id)}/bid`,
    port: (id) => Number(new URL(urlOf(id)).port),
    counters: async (id) => (await fetch(`${urlOf(id)}/counters`)).json() as Promise<Counters>,
    pids: [...new Set(stubs.map((stub) => stub.pid))],
    [Symbol.asyncDispose]: stop,
  };
}

function fail(id: string): never {
  throw new Error(`no stub ${id}`);
}
