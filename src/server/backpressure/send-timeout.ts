// Owns closing connections whose peers take nothing any more. Never looks at a connection between
// two rounds: the outbox counts its writes, and the count is read here.

import type { Clock } from '../../util/clock.ts';
import type { TimerWheel } from '../../util/timers.ts';
import type { Outbox } from '../wire/outbox.ts';
import { WatchRounds } from './watch-rounds.ts';

/** What the watch needs of a connection. */
export interface WatchedConnection {
  readonly outbox: Outbox;
  abort(text: string, reason: 'reads-nothing'): void;
}

/** Looks round all connections for a write that does not end. */
export class SendTimeout {
  private readonly timeoutMs: number;
  private readonly connections: ReadonlySet<WatchedConnection>;
  private readonly clock: Clock;
  private readonly rounds: WatchRounds;

  /** `timeoutMs` is how long a write may take; `Infinity` lets it take for ever. */
  constructor(
    timeoutMs: number,
    connections: ReadonlySet<WatchedConnection>,
    wheel: TimerWheel,
    clock: Clock,
  ) {
    this.timeoutMs = timeoutMs;
    this.connections = connections;
    this.clock = clock;
    this.rounds = new WatchRounds(timeoutMs, wheel, () => this.round());
  }

  start(): void {
    this.rounds.start();
  }

  stop(): void {
    this.rounds.stop();
  }

  private round(): void {
    const nowMs = this.clock.monotonicMs();
    for (const connection of this.connections) {
      if (connection.outbox.stalledMs(nowMs) < this.timeoutMs) continue;
      connection.abort(
        `the peer took nothing for ${this.timeoutMs} ms, see tcp_listen_options.send_timeout`,
        'reads-nothing',
      );
    }
  }
}
