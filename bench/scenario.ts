import type { ExpectedAnswers } from "./answers.ts";
import type { BenchCatalog } from "./catalogs.ts";
import type { ChildGroup } from "./children.ts";
import type { Figures } from "./measure.ts";
import type { PlainRoute, StoreName, Target } from "./target.ts";
import type { Traffic } from "./traffic.ts";

/** What a scenario may build on. */
export interface Stage {
  /** Processes that a scenario starts here end with it, and are not counted as the service's. */
  readonly children: ChildGroup;
  /** A folder for its files. */
  readonly dir: string;
  /** Supplies of the large catalog. */
  readonly supplies: number;
}

/** A scenario that has started. */
export interface Act {
  readonly scenario: Scenario;
  readonly target: Target;
  readonly catalog: BenchCatalog;
  readonly traffic: Traffic;
}

export interface Scenario {
  readonly name: string;
  /** The same scenario's name on its usual store; none where this is that store. */
  readonly usualName?: string;
  /** The question that it answers. */
  readonly about: string;
  /** A route without the exchange behind it. Else a copy of the service, as `exchange` says. */
  readonly plain?: PlainRoute;
  readonly exchange?: {
    readonly store: StoreName;
    /** It is about this store, so no other one will do. */
    readonly isBound?: boolean;
    readonly settings?: Readonly<Record<string, string>>;
    readonly workers?: number;
    /** Writes the catalog and starts what its bidders need; none: the sample catalog. */
    readonly catalog?: (stage: Stage) => Promise<BenchCatalog>;
  };
  /** Each request from an address never seen before, or all from one. */
  readonly clients: "distinct" | "one";
  readonly tmaxMs?: number;
  readonly answers: ExpectedAnswers;
  /** Requests a second of the warm-up, where a closed loop would leave too much behind it. */
  readonly warmUpRate?: number;
  /** Also run at half the peak rate of this scenario, which may be itself. */
  readonly pacedBy?: string;
  /** The scenario that this one is compared with, besides the reference. */
  readonly against?: string;
  /** Runs during each load, until the signal. @throws Error on what must not happen */
  readonly beside?: (act: Act, signal: AbortSignal) => Promise<Figures>;
  /** Runs during the warm-up, until the signal: what `beside` asks for has to be warm, too. */
  readonly besideWarmUp?: (act: Act, signal: AbortSignal) => Promise<void>;
  /** Compared with the same processes without `beside`; in place of `against`. */
  readonly isAgainstItself?: boolean;
  /** Runs after the loads, as long as the turns of one took. @throws Error on what must not happen */
  readonly after?: (act: Act, seconds: number, children: ChildGroup) => Promise<Figures>;
}

export const REFERENCE = "reference";

/** Whether it sets a rate, half of its peak, for itself and others; the reference has its own. */
export const paces = ({ name, pacedBy }: Scenario) => pacedBy === name && name !== REFERENCE;
