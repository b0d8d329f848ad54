// Owns when the batch being gathered is sealed. Never writes to the store itself: the broker does.

import type { BrokerCore } from '../../broker/core/core.ts';
import type { Clock } from '../../util/clock.ts';
import { type TimerWheel, WheelTimer } from '../../util/timers.ts';

/**
 * A batch that nothing waits for (consumer acks, unconfirmed publishes) gathers for this long and up
 * to a tick of the timer wheel, which makes it about a tenth of a second at the most.
 */
const GATHER_MS = 10;
/** How long a batch may wait for consumers to ack its messages before they are written. */
const ACK_WAIT_MS = 1;
/**
 * After waiting in vain twice in a row, so many batches are sealed at once; doubled with each vain
 * wait that follows, up to the most. Once proves nothing: a thread may have had to wait for its turn.
 */
const SKIPPED_MIN = 16;
const SKIPPED_MAX = 256;
/** A wait was worth it if no more than one in so many messages had to be written after all. */
const LIVE_PART = 8;

/** A batch this large is sealed though another is being written: the store holds one in memory twice. */
const BATCH_BYTES_MAX = 32 * 1024 * 1024;

/**
 * One batch is written at a time; while it is, the next gathers. That is all the group commit there
 * is, with two refinements:
 *
 * A batch that nothing waits for gathers for a while. So it seldom delays a batch that a confirm
 * waits for.
 *
 * A message that is consumed and acked before its batch is sealed need not be written at all, and
 * its confirm need not wait for the disk. Where consumers are quick it therefore pays to wait a
 * moment before sealing. Whether they are is learnt by trying: a wait after which more than a few
 * messages are left was in vain, and stops further ones for a growing number of batches.
 */
export class CommitScheduler {
  private readonly core: BrokerCore;
  private readonly clock: Clock;
  private readonly wheel: TimerWheel;
  private readonly wantTurn: () => void;
  private readonly gathered: WheelTimer;
  private gatherDone = false;
  private waitingSinceMs = -1;
  private toSkip = 0;
  /** Vain waits since the last one that was worth it. */
  private vainWaits = 0;

  constructor(core: BrokerCore, clock: Clock, wheel: TimerWheel, wantTurn: () => void) {
    this.core = core;
    this.clock = clock;
    this.wheel = wheel;
    this.wantTurn = wantTurn;
    this.gathered = new WheelTimer(() => {
      this.gatherDone = true;
      wantTurn();
    });
  }

  /** Called at the end of each turn: seals the batch if it is time to. */
  sealIfDue(): void {
    const { core } = this;
    if (!core.sealable) return;
    if (core.store.busy && core.log.unsealedBytes < BATCH_BYTES_MAX) return;
    if (!core.sealUrgent && !this.gatherDone) {
      if (!this.gathered.armed) this.wheel.schedule(this.gathered, GATHER_MS);
      return;
    }
    if (core.sealDeferrable && this.waitForAcks()) {
      this.wantTurn();
      return;
    }
    if (!core.prepareSeal()) {
      this.wantTurn();
      return;
    }
    this.waitingSinceMs = -1;
    this.gatherDone = false;
    this.wheel.cancel(this.gathered);
    core.seal();
  }

  /** Whether to give consumers a moment to ack what the batch holds. */
  private waitForAcks(): boolean {
    const { core } = this;
    const waiting = this.waitingSinceMs >= 0;
    if (core.unsealedLive === 0) {
      if (waiting) this.vainWaits = 0;
      return false;
    }
    if (!waiting) {
      if (this.toSkip > 0) {
        this.toSkip -= 1;
        return false;
      }
      this.waitingSinceMs = this.clock.monotonicMs();
      return true;
    }
    if (this.clock.monotonicMs() - this.waitingSinceMs < ACK_WAIT_MS) return true;
    if (core.unsealedLive * LIVE_PART <= core.unsealedPushed) {
      this.vainWaits = 0;
    } else {
      this.vainWaits += 1;
      if (this.vainWaits > 1) {
        this.toSkip = Math.min(SKIPPED_MAX, SKIPPED_MIN * 2 ** (this.vainWaits - 2));
      }
    }
    return false;
  }
}
