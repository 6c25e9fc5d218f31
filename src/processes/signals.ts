import { isatty } from "node:tty";

/**
 * What the supervisor is told from outside. Registered first of all: as PID 1 a process without
 * handlers cannot be stopped.
 * @param echoMs  within which one press of Ctrl-C may arrive twice
 */
export function catchSignals(echoMs: number) {
  const wasTerminal = isatty(0) || isatty(1);
  let interruptedAtMs: number | undefined;
  let isStopping = false;
  const handlers = {
    onStop: (): void => process.exit(0),
    onAbort: (): void => process.exit(130),
    onReload: (): void => {},
  };
  const askStop = () => {
    if (isStopping) return;
    isStopping = true;
    handlers.onStop();
  };
  process.on("SIGTERM", askStop);
  process.on("disconnect", askStop); // Such a parent has ended.
  process.on("SIGINT", () => {
    const nowMs = performance.now();
    interruptedAtMs ??= nowMs;
    const isEcho = nowMs - interruptedAtMs < echoMs;
    if (isStopping && !isEcho) handlers.onAbort();
    else askStop();
  });
  process.on("SIGHUP", () => {
    const isTerminalGone = wasTerminal && !isatty(0) && !isatty(1);
    if (isTerminalGone) askStop();
    else handlers.onReload();
  });
  return { handlers, isStopping: () => isStopping };
}
