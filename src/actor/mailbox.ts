export interface MailboxOptions<Message> {
  /** Most messages that may wait, at least 1. Beyond it `tell` answers false. */
  capacity: number;
  receive: (message: Message) => void;
  /** Told about a `receive` that threw. The next message is handled regardless. Must not throw. */
  onFault: (fault: unknown, message: Message) => void;
  /** Starts a drain later, so a burst from one event-loop turn is handled in one pass. */
  schedule?: (drain: () => void) => void;
}

/** One consumer, one message at a time, in arrival order, with a hard bound on the backlog. */
export interface Mailbox<Message> {
  /** Enqueues without waiting. False means full: the caller still owns the message. */
  tell(message: Message): boolean;
  depth(): number;
}

export function createMailbox<Message>(options: MailboxOptions<Message>): Mailbox<Message> {
  const { capacity, receive, onFault, schedule = queueMicrotask } = options;
  let backlog: Message[] = [];
  let handled = 0;

  function drain(): void {
    // The backlog may grow during the walk: a handler can tell its own mailbox.
    for (; handled < backlog.length; handled++) {
      const message = backlog[handled]!;
      try {
        receive(message);
      } catch (fault) {
        onFault(fault, message);
      }
    }
    backlog = [];
    handled = 0;
  }

  function tell(message: Message): boolean {
    if (backlog.length - handled >= capacity) return false;
    if (backlog.push(message) === 1) schedule(drain); // Non-empty means a drain is already due.
    return true;
  }

  return { tell, depth: () => backlog.length - handled };
}
