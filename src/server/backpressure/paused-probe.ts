// Owns noticing that the peer of a connection which is not read has gone. Never reads: it writes. While a socket
// is not read, the system reports neither its end nor its errors until something is written.

import { type TimerWheel, WheelTimer } from '../../util/timers.ts';
import { RUNNING } from '../states.ts';
import { HEARTBEAT_FRAME } from '../wire/heartbeat-frame.ts';

/** The first write after the end of the peer is answered with a reset, and the second one fails. */
const ROUND_MS = 5000;

/** What the probe needs of a connection. */
export interface ProbedConnection {
  readonly state: number;
  /** Whether the broker itself does not read now. */
  readonly paused: boolean;
  readonly outbox: { readonly waitingBytes: number; append(frame: Buffer): void };
}

/** Sends a heartbeat now and then on all connections that are held back. */
export class PausedProbe {
  private readonly connections: ReadonlySet<ProbedConnection>;
  private readonly wheel: TimerWheel;
  private readonly timer = new WheelTimer(() => this.round());

  constructor(connections: ReadonlySet<ProbedConnection>, wheel: TimerWheel) {
    this.connections = connections;
    this.wheel = wheel;
  }

  start(): void {
    this.wheel.schedule(this.timer, ROUND_MS);
  }

  stop(): void {
    this.wheel.cancel(this.timer);
  }

  private round(): void {
    for (const { state, paused, outbox } of this.connections) {
      // Where a write is under way already, its end tells.
      if (state === RUNNING && paused && outbox.waitingBytes === 0) outbox.append(HEARTBEAT_FRAME);
    }
    this.start();
  }
}
