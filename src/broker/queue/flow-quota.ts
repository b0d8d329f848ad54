// Owns which queues fill up though their consumers settle, and how much more each may be given for now.
// Never holds a publisher back: server/backpressure/flow-control.ts does.

/** From which backlog on a queue has a quota; see config/settings.ts. */
export interface FlowSettings {
  /** A queue with consumers may have so many messages ready; no limit is `Infinity`. */
  readonly flowBacklogMax: number;
  readonly flowBacklogBytesMax: number;
  /** So many messages a second may be published to it however slow its consumers are. */
  readonly flowFloor: number;
}

/** No backlog is too large. */
export const NO_QUOTAS: FlowSettings = {
  flowBacklogMax: Number.POSITIVE_INFINITY,
  flowBacklogBytesMax: Number.POSITIVE_INFINITY,
  flowFloor: 0,
};

/** What a publisher of large messages may send to a queue with a quota whatever its consumers do. */
const FLOOR_BYTES_PER_SECOND = 64 * 2 ** 20;
/** Where the backlog is so many times what it may be, less is let in than goes out. */
const HIGH_BACKLOG = 2;
const HIGH_BACKLOG_SHARE = 0.8;
/** A quota ends when the backlog is this part of what it may be. */
const OVER = 0.5;

/** A queue as quotas see it. */
export interface QuotaQueue {
  readonly deleted: boolean;
  readonly readyCount: number;
  readonly unackedCount: number;
  /** Body bytes of the ready messages. */
  readonly readyBytes: number;
  readonly consumers: readonly { readonly channel: { readonly link: object } }[];
  /** Null: it has none. */
  flowQuota: FlowQuota | null;
  /** Makes it go by what `flowQuota` is now. */
  applyRules(): void;
}

/** The quota of a queue whose backlog is too large. */
export class FlowQuota {
  readonly queue: QuotaQueue;
  /** Pushes since the last sample, and how many of them are welcome. */
  pushed = 0;
  allowance = 0;
  /** What was in the queue at the last sample. */
  heldBefore: number;
  private readonly flowQuotas: FlowQuotas;

  constructor(queue: QuotaQueue, flowQuotas: FlowQuotas) {
    this.queue = queue;
    this.flowQuotas = flowQuotas;
    this.heldBefore = queue.readyCount + queue.unackedCount;
  }

  /** A message is on its way into the queue. */
  push(): void {
    this.pushed += 1;
    if (this.pushed > this.allowance) this.flowQuotas.exceeded = this;
  }
}

/** The quotas there are. */
export class FlowQuotas {
  /** A queue that has been given more than is welcome just now; flow-control.ts looks at it and sets it back. */
  exceeded: FlowQuota | null = null;
  private readonly settings: FlowSettings;
  private readonly all = new Set<FlowQuota>();

  constructor(settings: FlowSettings) {
    this.settings = settings;
  }

  /** Whether some queue has a quota, so that samples are wanted. */
  get any(): boolean {
    return this.all.size > 0;
  }

  /** Told of every queue that has been delivered from. */
  check(queue: QuotaQueue): void {
    const { flowBacklogMax, flowBacklogBytesMax } = this.settings;
    if (queue.readyCount <= flowBacklogMax && queue.readyBytes <= flowBacklogBytesMax) return;
    // A publisher that parks messages in a queue without consumers is left alone.
    if (queue.flowQuota !== null || queue.consumers.length === 0) return;
    queue.flowQuota = new FlowQuota(queue, this);
    queue.applyRules();
    this.all.add(queue.flowQuota);
  }

  /** Ends quotas whose backlog is small again; returns whether there was one. */
  endWhatIsOver(): boolean {
    let ended = false;
    for (const quota of this.all) {
      if (!this.isOver(quota.queue)) continue;
      this.all.delete(quota);
      quota.queue.flowQuota = null;
      quota.queue.applyRules();
      ended = true;
    }
    return ended;
  }

  /** Looks at what was settled in the last `ms`: as much is welcome in the next. */
  sample(ms: number): void {
    for (const quota of this.all) {
      const { queue } = quota;
      const held = queue.readyCount + queue.unackedCount;
      const settled = quota.pushed - (held - quota.heldBefore);
      const share = this.isHigh(queue) ? HIGH_BACKLOG_SHARE : 1;
      quota.allowance = Math.max(settled * share, this.floor(queue, ms));
      quota.pushed = 0;
      quota.heldBefore = held;
    }
  }

  private isOver(queue: QuotaQueue): boolean {
    const { flowBacklogMax, flowBacklogBytesMax } = this.settings;
    if (queue.deleted || queue.consumers.length === 0) return true;
    return (
      queue.readyCount < flowBacklogMax * OVER && queue.readyBytes < flowBacklogBytesMax * OVER
    );
  }

  private isHigh(queue: QuotaQueue): boolean {
    const { flowBacklogMax, flowBacklogBytesMax } = this.settings;
    return (
      queue.readyCount > flowBacklogMax * HIGH_BACKLOG ||
      queue.readyBytes > flowBacklogBytesMax * HIGH_BACKLOG
    );
  }

  private floor(queue: QuotaQueue, ms: number): number {
    const bytesEach = queue.readyBytes / Math.max(1, queue.readyCount);
    const floor = Math.min(
      this.settings.flowFloor,
      FLOOR_BYTES_PER_SECOND / Math.max(1, bytesEach),
    );
    return (floor * ms) / 1000;
  }
}
