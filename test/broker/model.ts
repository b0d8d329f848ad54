// Owns the model that the simulation compares a broker with: plain arrays of messages per queue,
// and what of them a disk must hold. Never knows pages, segments, seqs or batches.

/** One message as it lies in a queue; dead-lettering makes another of it. */
export interface Message {
  readonly id: number;
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
  readonly persistent: boolean;
}

/** A message in one queue. */
export class Entry {
  readonly message: Message;
  /** Its place: higher than that of all that came to the queue before. */
  readonly order: number;
  /** Whether a durable batch brings it back after a crash. */
  readonly stored: boolean;
  /** Whether some consumer has been given it, before or after a restart. */
  given = false;
  /** Whether it was there at a crash, after which a broker may be wrong to call it redelivered. */
  doubtful = false;

  constructor(message: Message, order: number, stored: boolean) {
    this.message = message;
    this.order = order;
    this.stored = stored;
  }
}

/** What a queue is declared with. */
export interface QueueSpec {
  readonly name: string;
  readonly durable: boolean;
  readonly deadLetterExchange: string | null;
  readonly deadLetterRoutingKey: string | null;
}

export interface ExchangeSpec {
  readonly name: string;
  readonly type: 'direct' | 'fanout';
  readonly durable: boolean;
}

export interface BindingSpec {
  readonly source: string;
  readonly queue: string;
  readonly bindingKey: string;
}

/** A queue: what is ready, in order, and what is with consumers. */
export class ModelQueue {
  readonly spec: QueueSpec;
  readonly ready: Entry[] = [];
  readonly unacked = new Set<Entry>();
  private nextOrder = 0;

  constructor(spec: QueueSpec) {
    this.spec = spec;
  }

  push(message: Message, stored: boolean): void {
    this.ready.push(new Entry(message, this.nextOrder++, stored && this.spec.durable));
  }

  /** Puts a message back where it was. */
  requeue(entry: Entry): void {
    this.unacked.delete(entry);
    const at = this.ready.findIndex((other) => other.order > entry.order);
    this.ready.splice(at < 0 ? this.ready.length : at, 0, entry);
  }

  /** All that is there, in order. */
  get live(): Entry[] {
    return [...this.ready, ...this.unacked].sort((a, b) => a.order - b.order);
  }

  get readyBytes(): number {
    return this.ready.reduce((sum, entry) => sum + entry.message.body.length, 0);
  }

  /** Comes back from a disk that holds these entries. */
  restore(entries: readonly Entry[]): void {
    this.ready.push(...entries);
    this.nextOrder = (entries.at(-1)?.order ?? -1) + 1;
  }
}

/** What a disk holds of a broker. */
export interface Snapshot {
  readonly exchanges: readonly ExchangeSpec[];
  readonly bindings: readonly BindingSpec[];
  readonly queues: readonly { readonly spec: QueueSpec; readonly entries: readonly Entry[] }[];
}

/** A vhost: its topology and its queues. */
export class Model {
  readonly exchanges = new Map<string, ExchangeSpec>();
  readonly queues = new Map<string, ModelQueue>();
  bindings: BindingSpec[] = [];

  /** Whether two bindings are one. */
  static same(a: BindingSpec, b: BindingSpec): boolean {
    return a.source === b.source && a.queue === b.queue && a.bindingKey === b.bindingKey;
  }

  route(exchange: string, routingKey: string): ModelQueue[] {
    if (exchange === '') {
      const queue = this.queues.get(routingKey);
      return queue === undefined ? [] : [queue];
    }
    const fanout = this.exchanges.get(exchange)?.type === 'fanout';
    const names = this.bindings
      .filter((each) => each.source === exchange && (fanout || each.bindingKey === routingKey))
      .map((each) => each.queue);
    return [...new Set(names)].map((name) => this.queues.get(name) as ModelQueue);
  }

  /** Takes in a message; returns whether it has to reach the disk. */
  publish(message: Message): boolean {
    const targets = this.route(message.exchange, message.routingKey);
    const stored = message.persistent && targets.some((target) => target.spec.durable);
    for (const target of targets) target.push(message, stored);
    return stored;
  }

  /** Moves a rejected message on to where its queue's dead letters go. */
  deadLetter(queue: ModelQueue, entry: Entry): void {
    const { deadLetterExchange: exchange, deadLetterRoutingKey } = queue.spec;
    if (exchange === null || (exchange !== '' && !this.exchanges.has(exchange))) return;
    const routingKey = deadLetterRoutingKey ?? entry.message.routingKey;
    this.publish({ ...entry.message, exchange, routingKey });
  }

  deleteQueue(name: string): void {
    this.queues.delete(name);
    this.bindings = this.bindings.filter((each) => each.queue !== name);
  }

  /** What a batch sealed now has to bring back. */
  snapshot(): Snapshot {
    const durable = (each: BindingSpec): boolean =>
      this.exchanges.get(each.source)?.durable === true &&
      this.queues.get(each.queue)?.spec.durable === true;
    return {
      exchanges: [...this.exchanges.values()].filter((exchange) => exchange.durable),
      bindings: this.bindings.filter(durable),
      queues: [...this.queues.values()]
        .filter((queue) => queue.spec.durable)
        .map((queue) => ({
          spec: queue.spec,
          entries: queue.live.filter((entry) => entry.stored),
        })),
    };
  }

  static from(snapshot: Snapshot): Model {
    const model = new Model();
    for (const exchange of snapshot.exchanges) model.exchanges.set(exchange.name, exchange);
    model.bindings = [...snapshot.bindings];
    for (const { spec, entries } of snapshot.queues) {
      const queue = new ModelQueue(spec);
      queue.restore(entries);
      model.queues.set(spec.name, queue);
    }
    return model;
  }
}
