// Owns what one channel's transaction holds until its commit: publishes, and deliveries that are to
// be settled. Never applies any of it: the publisher and the channel do.

import { AmqpError } from '../../amqp/errors.ts';
import type { Route } from '../../broker/routing/route.ts';
import type { Chunk } from '../../message/chunk.ts';
import type { Holdings } from '../backpressure/holdings.ts';

/** What a publish takes in memory beside its bytes, about. */
const PUBLISH_OVERHEAD_BYTES = 256;

/** How a delivery is settled. */
export const SETTLE_ACK = 0;
export const SETTLE_REQUEUE = 1;
export const SETTLE_REJECT = 2;

/** A publish that waits for the commit: a record, and where its exchange led when it came. */
export interface HeldPublish {
  /** The record; of a large body, what stands before it. */
  readonly bytes: Buffer;
  readonly parts: readonly Buffer[] | null;
  readonly end: number;
  readonly bodyBytes: number;
  readonly route: Route;
  readonly mandatory: boolean;
  /** As for `queue.push`, but for PUSH_STORED. */
  readonly traits: number;
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
  private readonly settled = new Set<number>();
  private readonly bytesMax: number;
  private readonly holdings: Holdings;
  private heldBytes = 0;

  /** `bytesMax` bounds the memory that its publishes take; `holdings` counts it for the connection. */
  constructor(bytesMax: number, holdings: Holdings) {
    this.bytesMax = bytesMax;
    this.holdings = holdings;
  }

  /**
   * Keeps a publish whose record lies in a chunk at `start`, its head written. A record that has a
   * buffer of its own is kept as it is, any other is copied.
   */
  hold(
    chunk: Chunk,
    start: number,
    end: number,
    bodyBytes: number,
    route: Route,
    mandatory: boolean,
    traits: number,
  ): void {
    const held = end - start + PUBLISH_OVERHEAD_BYTES;
    this.heldBytes += held;
    this.holdings.takeTransaction(held);
    if (this.heldBytes > this.bytesMax) throw tooLarge(this.heldBytes, this.bytesMax);
    const bytes = chunk.single ? chunk.bytes : Buffer.from(chunk.bytes.subarray(start, end));
    const parts = chunk.parts;
    this.publishes.push({ bytes, parts, end: end - start, bodyBytes, route, mandatory, traits });
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
    this.settled.clear();
    this.holdings.giveTransaction(this.heldBytes);
    this.heldBytes = 0;
  }
}

function tooLarge(size: number, max: number): AmqpError {
  const text = `transaction size ${size} is larger than configured max size ${max}`;
  return new AmqpError('PRECONDITION_FAILED', text, { reason: 'message-too-large' });
}
