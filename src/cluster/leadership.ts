// Owns what a leader does for its lead besides serving: it renews the lease while the log takes its records, and steps down.
// Never serves clients.

import type { HeldLease } from '../store/replicated/lease.ts';
import { DeposedError } from '../store/replicated/log-client.ts';
import type { ReplicatedLog } from '../store/replicated/replicated-log.ts';
import type { Timing } from './timing.ts';

/** The lease is renewed only if the log took something within this part of it: a leader whose log hangs is none. */
const PROOF_PART = 2;
/** With nothing to write, it writes a sign that it could, this often in a lease. */
const BEATS_PER_LEASE = 4;

/** One time of leading. */
export class Leadership {
  readonly lease: HeldLease;
  readonly log: ReplicatedLog;
  private readonly leaseMs: number;
  private readonly timing: Timing;
  private readonly stopRenewing: () => void;
  private beating = false;

  constructor(
    lease: HeldLease,
    log: ReplicatedLog,
    { leaseMs, renewMs }: { readonly leaseMs: number; readonly renewMs: number },
    timing: Timing,
  ) {
    this.lease = lease;
    this.log = log;
    this.leaseMs = leaseMs;
    this.timing = timing;
    this.stopRenewing = timing.every(renewMs, () => this.renew());
  }

  /** Ends it; where the lease is still this node's, another one may lead at once. */
  async end(): Promise<void> {
    this.stopRenewing();
    await this.lease.release();
  }

  private async renew(): Promise<void> {
    const { lease, log, leaseMs } = this;
    const silentMs = this.timing.clock.monotonicMs() - log.ackedMs;
    if (silentMs >= leaseMs / BEATS_PER_LEASE) this.beat();
    if (silentMs >= leaseMs / PROOF_PART) return;
    try {
      if (await lease.renew()) return;
      log.depose(new DeposedError('another node has taken the lease'));
    } catch (error) {
      log.depose(new DeposedError(`the lease cannot be renewed: ${(error as Error).message}`));
    }
  }

  private beat(): void {
    if (this.beating) return;
    this.beating = true;
    void this.log.beat().finally(() => {
      this.beating = false;
    });
  }
}
