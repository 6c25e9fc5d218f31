import type { Batcher } from "../../src/actor/batcher.ts";
import type { Limiter, Verdict } from "../../src/limiter/limiter.ts";

/** Asks, and waits for the reply or the fault. */
export const askOf =
  <Message, Reply>({ ask }: Pick<Batcher<Message, Reply>, "ask">) =>
  (message: Message) =>
    new Promise<Reply>((resolve, reject) => ask(message, { onReply: resolve, onFault: reject }));

/** The verdict of a limiter, at hand or asked for. */
export const verdictOf =
  (limiter: Pick<Limiter, "admit" | "ask">) =>
  (client: string): Verdict | Promise<Verdict> =>
    limiter.admit(client) ?? askOf<string, Verdict>(limiter)(client);
