// Owns which resources the broker is short of, and the words for it. Never measures anything, and never
// blocks a publisher: server/backpressure/resource-monitor.ts looks, server.ts acts.

/** A resource as it was when it was looked at last. Bytes; a limit that is not set is 0 or Infinity. */
export class Resource {
  /** Whether it was found to be short. */
  measured = false;
  /** Whether it counts as short whatever is measured: tests ask for that. */
  forced = false;
  /** Memory or log in use, or free space on the disk. */
  now: number;
  limit: number;

  constructor(now: number, limit: number) {
    this.now = now;
    this.limit = limit;
  }

  /** Whether it is short. */
  get alarm(): boolean {
    return this.measured || this.forced;
  }
}

/** The resources that publishers use up. */
export class Alarms {
  readonly memory = new Resource(0, Number.POSITIVE_INFINITY);
  readonly disk = new Resource(Number.POSITIVE_INFINITY, 0);
  /** The log that several nodes share; a broker that is in no cluster has none, and no limit of it. */
  readonly log = new Resource(0, Number.POSITIVE_INFINITY);

  /** Whether any resource is short, so that no client may publish. */
  get on(): boolean {
    return this.memory.alarm || this.disk.alarm || this.log.alarm;
  }

  /** The names of those that are short, in RabbitMQ's words and order; it has no log of this kind. */
  get names(): readonly string[] {
    const { disk, memory, log } = this;
    const all = [
      ['disk', disk],
      ['memory', memory],
      ['log', log],
    ] as const;
    return all.filter(([, { alarm }]) => alarm).map(([name]) => name);
  }

  /** What `connection.blocked` gives as its reason. */
  get reason(): string {
    return `low on ${this.names.join(' & ')}`;
  }
}
