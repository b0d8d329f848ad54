// Owns the order in which queues are served again after they lacked something that their consumers share: the
// credit of a channel, or room in the outbox of a connection. Never decides which consumer of a queue is served.

import type { HostedQueue } from './ports.ts';

/** So many messages one line gives out before others have their turn. */
const GRANTS_PER_TURN = 4096;

/** What lines ask of their broker: that a queue deliver at the end of this turn. */
interface LineHost {
  touch(queue: HostedQueue): void;
}

/** And of what runs it: the end of a turn. */
interface LineTurns {
  turnWanted(): void;
}

/**
 * Queues in the order in which they were refused, each once. Without it the queue that is looked at
 * first each time would have all there is to give, and the others would starve.
 */
export abstract class WaitingLine {
  /** Whether it is to be served before the next deliveries. */
  called = false;
  /** Changes whenever a queue is taken out. */
  protected round = 0;
  protected readonly lines: CalledLines;
  private queues: Set<HostedQueue> | null = null;

  constructor(lines: CalledLines) {
    this.lines = lines;
  }

  /** Whether any queue waits. */
  get any(): boolean {
    return this.queues !== null && this.queues.size > 0;
  }

  protected get count(): number {
    return this.queues?.size ?? 0;
  }

  /** Asks for service, as there is something to give again. */
  call(): void {
    if (this.any) this.lines.add(this);
  }

  /** Puts a queue behind all others, or leaves it in its place. */
  join(queue: HostedQueue): void {
    this.queues ??= new Set();
    this.queues.add(queue);
  }

  /** Takes a queue out, as a consumer of it is gone. Others of it are asked again, and join again. */
  leave(queue: HostedQueue): void {
    if (this.queues?.delete(queue) === true) this.round += 1;
  }

  /** Takes out the queue that has waited longest. */
  protected next(): HostedQueue | null {
    for (const queue of this.queues ?? []) {
      this.leave(queue);
      return queue;
    }
    return null;
  }

  /** Serves queues that wait while there is something to give; returns whether it stopped to give others a turn. */
  abstract serve(): boolean;
}

/** The credit that the consumers of a channel share (`basic.qos` with global). */
export class SharedCredit extends WaitingLine {
  /** Unacked deliveries to consumers of the channel (not those of basic.get). */
  unacked = 0;
  /** How many of them there may be; 0: any number. Set by `setLimit`. */
  limit = 0;
  /** The queue that is being served. */
  private granted: HostedQueue | null = null;

  setLimit(limit: number): void {
    this.limit = limit;
    this.call();
  }

  /** A delivery was settled. */
  giveBack(): void {
    this.unacked -= 1;
    this.call();
  }

  /**
   * Whether a consumer of a queue may be given a message: there is credit, and no other queue waits for
   * it. A consumer that does not ack takes none of it, but has to wait for it, as in RabbitMQ.
   */
  admits(queue: HostedQueue): boolean {
    if (this.limit === 0) return true;
    return this.unacked < this.limit && (this.granted === queue || !this.any);
  }

  serve(): boolean {
    for (let n = 0; n < GRANTS_PER_TURN; n++) {
      if (this.limit !== 0 && this.unacked >= this.limit) return false;
      const queue = this.next();
      if (queue === null) return false;
      this.granted = queue;
      const more = !queue.deleted && queue.deliver(1);
      this.granted = null;
      if (more) this.join(queue);
    }
    return true;
  }
}

/** Whether a connection can take more output. One object a connection, shared by its channels. */
export interface DeliveryLink {
  /** So much waits for the socket that deliveries pause; also while queues wait to be served in turn. */
  full: boolean;
  readonly line: LinkLine;
  /** For how many queues a consumer of it is the single active one: see single-active.ts. */
  activeQueues: number;
  /** Sets `full` by what waits now. */
  reopen(): void;
}

/** A consumer whose connection takes no output. */
interface RefusedConsumer {
  readonly queue: HostedQueue;
  /** The round of its line in which its queue got a place. */
  refusedIn: number;
}

/** Queues that wait for room in the outbox of a connection. */
export class LinkLine extends WaitingLine {
  private readonly link: DeliveryLink;

  constructor(lines: CalledLines, link: DeliveryLink) {
    super(lines);
    this.link = link;
  }

  /** Puts the queue of a consumer into the line. Cheap if asked again and again, as busy queues do. */
  refuse(consumer: RefusedConsumer): void {
    if (consumer.refusedIn === this.round) return;
    consumer.refusedIn = this.round;
    this.join(consumer.queue);
  }

  /** The link has room again: until the queues that wait are served, it stays shut for all others. */
  override call(): void {
    if (!this.any) return;
    this.link.full = true;
    super.call();
  }

  serve(): boolean {
    const { link } = this;
    link.reopen();
    for (let left = this.count; left > 0 && !link.full; left--) {
      const queue = this.next() as HostedQueue;
      if (!queue.deleted && queue.deliver() && !queue.touched) this.lines.host.touch(queue);
    }
    return false;
  }
}

/** The lines with something to give, in order of their calls. */
export class CalledLines {
  readonly host: LineHost;
  private readonly turns: LineTurns;
  private lines: WaitingLine[] = [];

  constructor(host: LineHost, turns: LineTurns) {
    this.host = host;
    this.turns = turns;
  }

  get any(): boolean {
    return this.lines.length > 0;
  }

  add(line: WaitingLine): void {
    if (line.called) return;
    line.called = true;
    this.lines.push(line);
    this.turns.turnWanted();
  }

  /** Serves all; returns whether some stopped only for others' turn. */
  serve(): boolean {
    const { lines } = this;
    this.lines = [];
    let more = false;
    for (const line of lines) {
      line.called = false;
      if (!line.serve()) continue;
      this.add(line);
      more = true;
    }
    return more;
  }
}
