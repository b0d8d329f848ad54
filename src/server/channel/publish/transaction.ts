// Owns what one channel's transaction holds until its commit: publishes, and deliveries that are to
// be settled. Never applies any of it: the publisher and the channel do.

import { AmqpError } from '../../../amqp/errors.ts';
import type { Route } from '../../../broker/routing/route.ts';
import type { Chunk } from '../../../message/chunk.ts';
import type { UnfinishedBytes } from '../../backpressure/unfinished-bytes.ts';

/** What a publish takes in memory beside its bytes, about. */
const PUBLISH_OVERHEAD_BYTES = 256;

/** How a delivery is settled. */
export const SETTLE_ACK = 0;
export const SETTLE_REQUEUE = 1;
export const SETTLE_REJECT = 2;
/** Back to the queue as well, but as one that failed: that may choose how long it waits there. */
export const SETTLE_FAIL = 3;
/** One of these. */
export type SettleWay =
  | typeof SETTLE_ACK
  | typeof SETTLE_REQUEUE
  | typeof SETTLE_REJECT
  | typeof SETTLE_FAIL;

/** A publish that waits for the commit: a record, and where its exchange led when it came. */
export interface HeldPublish {
  /** The record; of a large body, what stands before it. */
  readonly bytes: Buffer;
  readonly parts: readonly Buffer[] | null;
  readonly end: number;
  readonly bodyBytes: number;
  readonly route: Route;
  readonly mandatory: boolean;
  /** As for `enqueue`. */
  readonly flags: number;
  /** Tags of deliveries that it acks; null: none. */
  readonly acks: readonly number[] | null;
}

/** What a commit comes to. */
export interface CommitOutcome {
  /** Whether the disk has to know of it. */
  stored: boolean;
  /** Whether a queue was too full for a publish. */
  refused: boolean;
}

/** One transaction after another on a channel that asked for them (§1.9). */
export class Transaction {
  /** Publishes in order. */
  publishes: HeldPublish[] = [];
  /** Delivery tags in the order they are settled in, and how. */
  tags: number[] = [];
  ways: number[] = [];
  /** All deliveries up to this tag are to be settled: asking for it again costs nothing. */
  settlesAllUpTo = 0;
  /** All tags that the commit is to settle, those that publishes ack included. */
  settled = new Set<number>();
  private readonly bytesMax: number;
  private readonly holdings: UnfinishedBytes;
  private heldBytes = 0;

  /** `bytesMax` bounds the memory that its publishes take; `holdings` counts it for the connection. */
  constructor(bytesMax: number, holdings: UnfinishedBytes) {
    this.bytesMax = bytesMax;
    this.holdings = holdings;
  }

  /**
   * Keeps a publish whose record lies in a chunk at `start`, its head written. A record that has a
   * buffer of its own is kept as it is, any other is copied.
   */
  stage(
    chunk: Chunk,
    start: number,
    end: number,
    bodyBytes: number,
    route: Route,
    mandatory: boolean,
    flags: number,
    acks: readonly number[] | null,
  ): void {
    const held = end - start + PUBLISH_OVERHEAD_BYTES;
    this.heldBytes += held;
    this.holdings.takeTransaction(held);
    if (this.heldBytes > this.bytesMax) throw tooLarge(this.heldBytes, this.bytesMax);
    const bytes = chunk.single ? chunk.bytes : Buffer.from(chunk.bytes.subarray(start, end));
    const parts = chunk.parts;
    if (acks !== null) for (const tag of acks) this.settled.add(tag);
    const own = { bytes, parts, end: end - start, bodyBytes };
    this.publishes.push({ ...own, route, mandatory, flags, acks });
  }

  /** Keeps the settling of a delivery. */
  settle(tag: number, way: number): void {
    this.settled.add(tag);
    this.tags.push(tag);
    this.ways.push(way);
  }

  /** Whether a delivery is to be settled by the commit, and thus no longer outstanding. */
  settles(tag: number): boolean {
    return this.settled.has(tag);
  }

  /** Forgets all that it holds: the next one begins, or the channel ends. */
  clear(): void {
    this.publishes = [];
    this.tags = [];
    this.ways = [];
    this.settlesAllUpTo = 0;
    // A commit under way goes on to use the one before.
    this.settled = new Set();
    this.holdings.giveTransaction(this.heldBytes);
    this.heldBytes = 0;
  }
}

function tooLarge(size: number, max: number): AmqpError {
  const text = `transaction size ${size} is larger than configured max size ${max}`;
  return new AmqpError('PRECONDITION_FAILED', text, { reason: 'message-too-large' });
}
