// Owns the heartbeats of one connection, both ways. Never counts anything per message: traffic only
// leaves a note that the timer reads when it is due.

import type { Clock } from '../../util/clock.ts';
import { type TimerWheel, WheelTimer } from '../../util/timers.ts';
import { HEARTBEAT_FRAME } from '../wire/heartbeat-frame.ts';
import type { EndReason } from './ending.ts';

/** A peer is gone when nothing came for this many intervals, §4.2.7. */
const SILENT_INTERVALS = 2;

/** What a heartbeat needs of its connection. */
export interface HeartbeatConnection {
  readonly outbox: { beat(frame: Buffer): void };
  /** Whether the broker itself does not read now, so that silence means nothing. */
  readonly paused: boolean;
  abort(text: string, reason: EndReason): void;
}

/**
 * Sends a heartbeat whenever nothing went out for half an interval, at most a tick of the wheel later;
 * notices a silent peer.
 */
export class Heartbeat {
  private readonly connection: HeartbeatConnection;
  private readonly wheel: TimerWheel;
  private readonly clock: Clock;
  private readonly timer = new WheelTimer(() => this.due());
  private intervalMs = 0;
  private sentMs = 0;
  private receivedSince = false;
  private lastReceivedMs = 0;

  constructor(connection: HeartbeatConnection, wheel: TimerWheel, clock: Clock) {
    this.connection = connection;
    this.wheel = wheel;
    this.clock = clock;
  }

  /** Starts with the interval that was agreed on; 0 means no heartbeats. */
  start(intervalSeconds: number): void {
    this.intervalMs = intervalSeconds * 1000;
    this.sentMs = this.clock.monotonicMs();
    this.lastReceivedMs = this.sentMs;
    if (intervalSeconds > 0) this.wheel.schedule(this.timer, this.intervalMs / 2);
  }

  stop(): void {
    this.wheel.cancel(this.timer);
  }

  /** Notes that something goes out this turn: up to a tick too early, never late, and without a clock. */
  sent(): void {
    this.sentMs = this.wheel.tickedMs;
  }

  /** Notes that something came in. */
  received(): void {
    this.receivedSince = true;
  }

  /** At least once in each half interval. */
  private due(): void {
    const nowMs = this.clock.monotonicMs();
    if (this.receivedSince || this.connection.paused) this.lastReceivedMs = nowMs;
    this.receivedSince = false;
    if (nowMs - this.lastReceivedMs > SILENT_INTERVALS * this.intervalMs) {
      const seconds = (SILENT_INTERVALS * this.intervalMs) / 1000;
      this.connection.abort(`missed heartbeats: nothing came for ${seconds} s`, 'no-heartbeat');
      return;
    }
    const halfMs = this.intervalMs / 2;
    if (nowMs - this.sentMs >= halfMs) {
      this.connection.outbox.beat(HEARTBEAT_FRAME);
      this.sentMs = nowMs;
    }
    this.wheel.schedule(this.timer, Math.max(0, this.sentMs + halfMs - nowMs));
  }
}
