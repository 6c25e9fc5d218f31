/** Admissions one after the other, the oldest dropped when there are too many. */
export interface AdmissionLog {
  /** @param atMs  never before that of an earlier one */
  add(client: string, atMs: number): void;
  /** Hands every admission over, the oldest first, and is empty then. */
  drain(visit: (client: string, atMs: number) => void): void;
}

/**
 * Costs less than a table by client: nothing is looked up, and memory is all that an admission
 * leaves behind.
 * @param admissionsMax  at least 2; beyond it the older half is forgotten
 */
export function createAdmissionLog(admissionsMax: number): AdmissionLog {
  const youngMax = Math.max(1, Math.floor(admissionsMax / 2));
  let old = createPage();
  let young = createPage();

  function add(client: string, atMs: number): void {
    if (young.clients.length === youngMax) {
      old = young;
      young = createPage();
    }
    young.clients.push(client);
    young.timesMs.push(atMs);
  }

  function drain(visit: (client: string, atMs: number) => void): void {
    for (const { clients, timesMs } of [old, young]) {
      clients.forEach((client, i) => {
        visit(client, timesMs[i]!);
      });
    }
    old = createPage();
    young = createPage();
  }

  return { add, drain };
}

const createPage = () => ({ clients: [] as string[], timesMs: [] as number[] });
