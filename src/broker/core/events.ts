// Owns telling a listener what is declared, set and deleted. Never keeps it, and never writes a log:
// server/log/audit-log.ts does.

/** What is told of a queue. */
interface ToldQueue {
  readonly name: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly owner: object | null;
}

/** What is told of an exchange. */
interface ToldExchange {
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
}

/** What has become of something: it is new, or as it is now, or gone. */
export type Act = 'declared' | 'set' | 'deleted' | 'paused' | 'resumed' | 'failed';

/** One change. */
export interface Change {
  /** Such as `queue`. */
  readonly kind: string;
  readonly act: Act;
  /** Whether it is part of what an operator set up, rather than coming and going with clients. */
  readonly lasting: boolean;
  /** What names it, and little more; secrets are never among it. */
  readonly names: Readonly<Record<string, unknown>>;
}

/** Where the broker says what changes. Without a listener, that costs one check. */
export class BrokerEvents {
  listener: ((change: Change) => void) | null = null;
  /** Whether many things change at once, each of no interest by itself. */
  inBulk = false;
  /** How often something has changed that only an operator changes. */
  told = 0;

  /** Something that only an operator changes. */
  tell(kind: string, act: Act, names: Change['names']): void {
    this.told += 1;
    this.listener?.({ kind, act, lasting: true, names });
  }

  queue(act: Act, vhost: string, queue: ToldQueue): void {
    if (this.listener === null) return;
    const { name, durable, autoDelete, owner } = queue;
    const lasting = durable && !autoDelete && owner === null;
    const names = { vhost, queue: name, durable, autoDelete, exclusive: owner !== null };
    this.listener({ kind: 'queue', act, lasting, names });
  }

  exchange(act: Act, vhost: string, exchange: ToldExchange): void {
    if (this.listener === null) return;
    const { name, type, durable, autoDelete } = exchange;
    const names = { vhost, exchange: name, type, durable, autoDelete };
    this.listener({ kind: 'exchange', act, lasting: durable && !autoDelete, names });
  }

  /** Bindings are too many to be of interest, however long they last. `toExchange`: one to an exchange. */
  binding(
    act: Act,
    vhost: string,
    source: string,
    toExchange: boolean,
    destination: string,
    bindingKey: string,
  ): void {
    if (this.listener === null) return;
    const to = toExchange ? 'toExchange' : 'toQueue';
    const names = { vhost, exchange: source, [to]: destination, bindingKey };
    this.listener({ kind: 'binding', act, lasting: false, names });
  }

  /** Runs what changes many things at once. */
  bulk<T>(run: () => T): T {
    const before = this.inBulk;
    this.inBulk = true;
    try {
      return run();
    } finally {
      this.inBulk = before;
    }
  }
}
