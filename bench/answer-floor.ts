import { answers, LIMIT, listen } from "./floor.ts";

const REFUSED = { isAdmitted: false, remaining: 0, resetMs: LIMIT.windowMs };

/** The floor of a 429 from memory: its headers and its document, and no limiter. */
listen((requestId) => answers.rateLimited(requestId, REFUSED));
