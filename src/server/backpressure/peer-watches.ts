// Owns the watches over all connections: writes that do not end, messages that do not go on, peers that
// are gone while the broker does not read them. Never looks itself: each watch does.

import type { Clock } from '../../util/clock.ts';
import type { TimerWheel } from '../../util/timers.ts';
import { PausedProbe, type ProbedConnection } from './paused-probe.ts';
import { SendTimeout, type WatchedConnection } from './send-timeout.ts';
import { AllUnfinishedBytes, UnfinishedBytes } from './unfinished-bytes.ts';
import { type UnfinishedConnection, UnfinishedWatch } from './unfinished-watch.ts';

/** Transactions that are not committed may together hold so much of the memory limit. */
const TRANSACTIONS_PART = 0.25;

/** How long a peer may take, and how much it may leave unfinished; see config/settings.ts. */
export interface PeerWatchSettings {
  readonly sendTimeoutMs: number;
  readonly unfinishedMaxBytes: number;
  readonly unfinishedTimeoutMs: number;
  readonly maxMessageBytes: number;
}

/** All of them. */
export class PeerWatches {
  readonly unfinished: UnfinishedWatch;
  private readonly settings: PeerWatchSettings;
  private readonly holdings: AllUnfinishedBytes;
  private readonly sends: SendTimeout;
  private readonly probe: PausedProbe;

  /** `tally` counts what all contents and transactions hold, and `memoryLimit` is that of the alarm. */
  constructor(
    settings: PeerWatchSettings,
    connections: ReadonlySet<WatchedConnection & ProbedConnection & UnfinishedConnection>,
    tally: { receivingBytes: number },
    memoryLimit: number,
    wheel: TimerWheel,
    clock: Clock,
  ) {
    this.settings = settings;
    // A limit of 0 means that nothing is measured against it.
    const transactionsMax = memoryLimit > 0 ? memoryLimit * TRANSACTIONS_PART : Infinity;
    this.holdings = new AllUnfinishedBytes(tally, transactionsMax, () =>
      this.unfinished.relieveTransactions(),
    );
    this.unfinished = new UnfinishedWatch(
      settings.unfinishedTimeoutMs,
      connections,
      this.holdings,
      wheel,
    );
    this.sends = new SendTimeout(settings.sendTimeoutMs, connections, wheel, clock);
    this.probe = new PausedProbe(connections, wheel);
  }

  /** What a new connection may hold of messages that are not complete or not committed. */
  newHoldings(): UnfinishedBytes {
    const { unfinishedMaxBytes, maxMessageBytes } = this.settings;
    // One message of the largest size always finds room, and the next one that begins.
    return new UnfinishedBytes(this.holdings, Math.max(unfinishedMaxBytes, 2 * maxMessageBytes));
  }

  start(): void {
    this.sends.start();
    this.unfinished.start();
    this.probe.start();
  }

  stop(): void {
    this.sends.stop();
    this.unfinished.stop();
    this.probe.stop();
  }
}
