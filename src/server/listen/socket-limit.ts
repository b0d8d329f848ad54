// Owns whether there is room for one more socket, which gives way where there is none, and saying so. Never
// closes one itself.

import type { Logger } from 'pino';
import type { Clock } from '../../util/clock.ts';
import { Newcomers } from './newcomers.ts';

/** So many sockets beyond `connection_max` may be open: those that log in, and will be refused. */
const HANDSHAKES_MAX = 1000;
/** Sockets that come in a storm are not logged one by one. */
const SAY_INTERVAL_MS = 5000;

/** How many sockets there may be, by the settings and by the system. */
export class SocketLimit {
  /** Those that give way to others, since they have not logged in. */
  readonly newcomers = new Newcomers();
  connectionMax: number;
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

  /** Whether another socket may stay, beside `sockets` that are open; one without a login gives way to it. */
  allows(sockets: number): boolean {
    const max = Math.min(this.socketMax, this.connectionMax + HANDSHAKES_MAX);
    if (sockets < max) return true;
    const gaveWay = this.newcomers.giveWay();
    const why =
      sockets < this.socketMax
        ? `too many, connection_max is ${this.connectionMax}`
        : `${this.socketMax} are open, and the system allows no more open files. ` +
          'Raise its limit (ulimit -n, LimitNOFILE of systemd)';
    this.say(`${gaveWay ? 'a connection without a login gave way' : 'connection refused'}: ${why}`);
    return gaveWay;
  }

  private say(text: string): void {
    this.refused += 1;
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.saidMs < SAY_INTERVAL_MS) return;
    this.saidMs = nowMs;
    this.log.warn({ refused: this.refused }, text);
    this.refused = 0;
  }
}
