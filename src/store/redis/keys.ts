/** Every key this service touches on a Redis. */
export const admissionsKey = (client: string) => `rl:${client}`;

/** The braces are the hash tag: a supply's counters stay in one slot of a cluster. */
export const countersKey = (supplyId: string) => `stats:{${supplyId}}`;

/** Set of the supplies that were ever counted, so that nobody has to scan for them. */
export const COUNTED_SUPPLIES_KEY = "stats:supplies";
