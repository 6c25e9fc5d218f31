import { createMailbox } from "./mailbox.ts";

/** The mailbox was full, or the actor had stopped: nothing was done with the message. */
export class MailboxFullError extends Error {
  override name = "MailboxFullError";
}

interface ActorOptions<Message, Reply> {
  name: string;
  /** Most messages that may wait, at least 1. */
  capacity: number;
  /**
   * Runs to completion, one message at a time. A promise it returns is work that goes on outside;
   * the next message does not wait for it.
   */
  handle: (message: Message) => Reply;
  /** Told about a `handle` that threw or rejected on a message that nobody awaits. */
  onFault: (fault: unknown) => void;
  schedule?: (drain: () => void) => void;
}

/** State lives in the closure that builds `handle`; the outside sees only messages and replies. */
interface Actor<Message, Reply> {
  /** Fire and forget. False means full or stopped: the caller decides. */
  tell(message: Message): boolean;
  /**
   * One reply per message; at once where nothing waits before it and `handle` answers at once.
   * @throws MailboxFullError, or what `handle` threw or rejected with
   */
  ask(message: Message): Reply | Promise<Awaited<Reply>>;
  depth(): number;
  /** Resolves when everything told before it has been handled. */
  drain(): Promise<void>;
  /** Refuses new messages, finishes the backlog, then resolves. */
  stop(): Promise<void>;
}

interface Envelope<Message, Reply> {
  message: Message;
  resolve?: (reply: Reply) => void;
  reject?: (fault: unknown) => void;
}

export function createActor<Message, Reply>(
  options: ActorOptions<Message, Reply>,
): Actor<Message, Reply> {
  const { name, capacity, handle, onFault, schedule } = options;
  let isStopped = false;
  let isBusy = false;

  /** Whatever `handle` sends to its own actor waits until it has returned. */
  function handleNow(message: Message): Reply {
    isBusy = true;
    try {
      return handle(message);
    } finally {
      isBusy = false;
    }
  }

  const mailbox = createMailbox<Envelope<Message, Reply> | (() => void)>({
    capacity,
    ...(schedule && { schedule }),
    receive(envelope) {
      if (typeof envelope === "function") return envelope();
      const reply = handleNow(envelope.message);
      if (envelope.resolve) envelope.resolve(reply);
      else if (reply instanceof Promise) reply.catch(onFault);
    },
    onFault(fault, envelope) {
      if (typeof envelope !== "function" && envelope.reject) envelope.reject(fault);
      else onFault(fault);
    },
  });

  const tell = (message: Message) => !isStopped && mailbox.tell({ message });

  function ask(message: Message): Reply | Promise<Awaited<Reply>> {
    if (!isStopped && !isBusy && mailbox.depth() === 0) return handleNow(message);
    return new Promise<Awaited<Reply>>((resolve, reject) => {
      if (
        isStopped ||
        !mailbox.tell({ message, resolve: resolve as (reply: Reply) => void, reject })
      ) {
        reject(new MailboxFullError(`${name}: ${isStopped ? "stopped" : `${capacity} waiting`}`));
      }
    });
  }

  function drain(): Promise<void> {
    return new Promise((resolve) => {
      // A marker behind everything told so far; a full box is looked at again a turn later.
      const mark = () => {
        if (!mailbox.tell(resolve)) setImmediate(mark);
      };
      mark();
    });
  }

  function stop(): Promise<void> {
    isStopped = true;
    return drain();
  }

  return { tell, ask, depth: mailbox.depth, drain, stop };
}
