// Owns closing connections that do not go on with what they began: a content or a frame of which nothing
// more comes, and in an alarm those that hold most of what only its owner can free. Never measures memory.

import { BASIC_PUBLISH } from '../../amqp/constants.ts';
import { AmqpError } from '../../amqp/errors.ts';
import type { TimerWheel } from '../../util/timers.ts';
import { RUNNING } from '../states.ts';
import type { UnfinishedBytes } from './unfinished-bytes.ts';
import { ROUNDS_PER_TIMEOUT, WatchRounds } from './watch-rounds.ts';

/** In an alarm, what is stuck may keep this part of the memory limit. */
const STUCK_PART = 0.125;

/** A content that comes in parts, or none. */
interface UnfinishedContent {
  readonly underWay: boolean;
  /** The round in which something of it came last. */
  grownIn: number;
}

/** What the watch needs of a connection. */
export interface UnfinishedConnection {
  readonly state: number;
  /** Whether the broker itself does not read now. */
  readonly paused: boolean;
  readonly reader: { readonly midFrame: boolean; cutRounds: number };
  readonly channels: {
    readonly holdings: UnfinishedBytes;
    all(): { readonly publisher: { readonly assembly: UnfinishedContent } }[];
  };
  /** Whether it was let through to end a body, and did not. */
  readonly guard: { readonly passedOver: boolean };
  close(error: AmqpError, key: number): void;
}

/** Looks round all connections for what was begun and does not go on. */
export class UnfinishedWatch {
  private readonly timeoutMs: number;
  private readonly connections: ReadonlySet<UnfinishedConnection>;
  private readonly all: { round: number };
  private readonly rounds: WatchRounds;

  /** `timeoutMs` is how long nothing may come of what was begun; `Infinity`: for ever. */
  constructor(
    timeoutMs: number,
    connections: ReadonlySet<UnfinishedConnection>,
    all: { round: number },
    wheel: TimerWheel,
  ) {
    this.timeoutMs = timeoutMs;
    this.connections = connections;
    this.all = all;
    this.rounds = new WatchRounds(timeoutMs, wheel, () => this.round());
  }

  start(): void {
    this.rounds.start();
  }

  stop(): void {
    this.rounds.stop();
  }

  private round(): void {
    this.all.round += 1;
    for (const connection of [...this.connections]) {
      if (connection.state === RUNNING && this.isStuck(connection)) this.end(connection);
    }
  }

  private isStuck({ paused, reader, channels }: UnfinishedConnection): boolean {
    // What the broker does not read cannot go on: its time begins anew.
    if (!reader.midFrame || paused) reader.cutRounds = 0;
    else reader.cutRounds += 1;
    if (reader.cutRounds > ROUNDS_PER_TIMEOUT) return true;
    if (channels.holdings.contents === 0) return false;
    const { round } = this.all;
    let stuck = false;
    for (const { publisher } of channels.all()) {
      const { assembly } = publisher;
      if (paused) assembly.grownIn = round;
      if (assembly.underWay && round - assembly.grownIn > ROUNDS_PER_TIMEOUT) stuck = true;
    }
    return stuck;
  }

  private end(connection: UnfinishedConnection): void {
    const text = `nothing came for ${this.timeoutMs} ms of a message that was begun`;
    connection.close(
      new AmqpError('RESOURCE_ERROR', `${text}, see unfinished_timeout`),
      BASIC_PUBLISH,
    );
  }

  /**
   * Told of each look at the memory in an alarm in which no body could be let through. What waits for a
   * commit, or for the rest of a body whose peer does not send it, can be freed by its owner alone, and the
   * owner is blocked: when that is more than a part of `limit` bytes, the connection that holds most is
   * closed.
   */
  relieveAlarm(limit: number): void {
    const stuck = [...this.connections].filter(isBlocking);
    const bytes = stuck.reduce((sum, { channels }) => sum + channels.holdings.bytes, 0);
    if (bytes > limit * STUCK_PART) this.closeLargest(stuck, (holdings) => holdings.bytes);
  }

  /** Closes the connection whose transactions hold most: together they hold too much. */
  relieveTransactions(): void {
    this.closeLargest([...this.connections], (holdings) => holdings.transactionBytes);
  }

  private closeLargest(
    connections: readonly UnfinishedConnection[],
    bytesOf: (holdings: UnfinishedBytes) => number,
  ): void {
    let largest: UnfinishedConnection | null = null;
    let most = 0;
    for (const connection of connections) {
      const bytes = bytesOf(connection.channels.holdings);
      if (connection.state !== RUNNING || bytes <= most) continue;
      largest = connection;
      most = bytes;
    }
    const text = `the broker is short of memory, and this connection holds most of what is not complete`;
    largest?.close(new AmqpError('RESOURCE_ERROR', `${text} or not committed: ${most} bytes`), 0);
  }
}

function isBlocking({ channels, guard }: UnfinishedConnection): boolean {
  return guard.passedOver || channels.holdings.transactionBytes > 0;
}
