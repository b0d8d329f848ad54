// Owns whether there is room for one more socket, and saying so when there is none. Never closes one:
// the listener does.

import type { Logger } from 'pino';
import type { Clock } from '../util/clock.ts';

/** So many sockets beyond `connection_max` may be open: those that log in, and will be refused. */
const HANDSHAKES_MAX = 1000;
/** Whoever comes in a storm is not logged one by one. */
const SAY_INTERVAL_MS = 5000;

/** How many sockets there may be, by the settings and by the system. */
export class Room {
  private readonly connectionMax: number;
  private readonly socketMax: number;
  private readonly log: Logger;
  private readonly clock: Clock;
  private refused = 0;
  private saidMs = Number.NEGATIVE_INFINITY;

  /** `socketMax` is what the system's limit of open files leaves for sockets. */
  constructor(connectionMax: number, socketMax: number, log: Logger, clock: Clock) {
    this.connectionMax = connectionMax;
    this.socketMax = socketMax;
    this.log = log;
    this.clock = clock;
  }

  /** Whether another socket may stay, beside `sockets` that are open. */
  admits(sockets: number): boolean {
    if (sockets >= this.socketMax) {
      this.refuse(
        `connection refused: ${this.socketMax} are open, and the system allows no more open files. ` +
          'Raise its limit (ulimit -n, LimitNOFILE of systemd)',
      );
      return false;
    }
    if (sockets < this.connectionMax + HANDSHAKES_MAX) return true;
    this.refuse(`connection refused: too many, connection_max is ${this.connectionMax}`);
    return false;
  }

  private refuse(text: string): void {
    this.refused += 1;
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.saidMs < SAY_INTERVAL_MS) return;
    this.saidMs = nowMs;
    this.log.warn({ refused: this.refused }, text);
    this.refused = 0;
  }
}
