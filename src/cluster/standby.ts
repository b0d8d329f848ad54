// Owns a node that does not lead: it follows the log, watches the lease, and tries to lead once that is free. Never serves
// clients.

import { randomBytes } from 'node:crypto';
import type { Store } from '../store/port.ts';
import { tryToLead } from '../store/replicated/appender.ts';
import type { Place } from '../store/replicated/chain.ts';
import { Follower } from '../store/replicated/follower.ts';
import { type HeldLease, LeaseWatch } from '../store/replicated/lease.ts';
import { type LogClient, UnansweredError } from '../store/replicated/log-client.ts';
import type { LogPlace } from '../store/replicated/place.ts';
import type { Timing } from './timing.ts';

/** How a node looks at its cluster. */
export interface StandbySettings {
  readonly node: string;
  readonly version: string;
  /** The newest format of tables that this Leveret reads, and the one that it writes. */
  readonly format: number;
  /** A leader that gives no sign for so long has lost the lead. */
  readonly leaseMs: number;
  readonly renewMs: number;
  /** For so long it leaves the lead to others, as where it has just stepped down, ms; 0 unless given. */
  readonly holdBackMs?: number;
}

/** How often it looks at the lease at most, ms; with a short lease, so often while that lasts. */
const LOOK_MS = 500;
const LOOKS_PER_LEASE = 6;
/** How often it looks whether it has read all that the log had, ms. */
const CATCH_UP_MS = 20;

const NONCE_BYTES = 16;

/** What the time of a node that did not lead ended with. */
export type StandbyEnd =
  | { readonly is: 'leads'; readonly place: Place; readonly lease: HeldLease }
  /** The log no longer has what it needs next: it begins at `first`. */
  | { readonly is: 'behind'; readonly first: number }
  | { readonly is: 'stopped' };

/** One time of not leading. */
export class Standby {
  readonly follower: Follower;
  readonly watch: LeaseWatch;
  private readonly client: LogClient;
  private readonly settings: StandbySettings;
  private readonly timing: Timing;
  private failure: Error | null = null;
  private first = 0;
  private stopAsked = false;
  /** The last record of the log when that was asked last. */
  last = 0;

  /** `tables` are at `place`, and nothing else changes them. */
  constructor(
    tables: Store,
    place: LogPlace,
    client: LogClient,
    settings: StandbySettings,
    timing: Timing,
  ) {
    this.client = client;
    this.settings = settings;
    this.timing = timing;
    this.watch = new LeaseWatch(client.lease, timing.clock, settings.leaseMs);
    this.follower = new Follower(tables, place, settings.format, {
      failed: (error) => {
        this.failure = error;
      },
      behind: (first) => {
        this.first = first;
      },
    });
  }

  /** Has `run` end soon. */
  stop(): void {
    this.stopAsked = true;
  }

  /**
   * Follows until it leads, has to stop, or cannot go on by the log alone. What it has read is in the tables then, durably.
   * Rejects where it can go on no longer.
   */
  async run(): Promise<StandbyEnd> {
    const { client, follower, timing, watch, settings } = this;
    const lookMs = Math.min(LOOK_MS, settings.leaseMs / LOOKS_PER_LEASE);
    const { clock } = timing;
    const fromMs = clock.monotonicMs() + (settings.holdBackMs ?? 0);
    const following = client.follow(follower.place.seq + 1, follower);
    let end: StandbyEnd | null = null;
    try {
      while (end === null) {
        end = this.ended();
        if (end !== null) break;
        const isFree = await watch.look();
        if (isFree && clock.monotonicMs() >= fromMs) end = await this.tryLead();
        if (end === null) await timing.pause(lookMs);
      }
    } finally {
      await following.stop();
    }
    await follower.settled();
    if (this.failure !== null) {
      if (end.is === 'leads') await end.lease.release();
      throw this.failure;
    }
    return end;
  }

  private ended(): StandbyEnd | null {
    if (this.failure !== null) throw this.failure;
    if (this.first > 0) return { is: 'behind', first: this.first };
    return this.stopAsked ? { is: 'stopped' } : null;
  }

  /** The lease is free: takes it, reads all there is, and begins an epoch. Null: another one was first. */
  private async tryLead(): Promise<StandbyEnd | null> {
    const { settings, timing, watch } = this;
    const lease = await watch.take(Buffer.from(`${settings.node} ${newNonce()}`));
    if (lease === null) return null;
    const stopRenewing = timing.every(settings.renewMs, async () => {
      await lease.renew();
    });
    let place: Place | null = null;
    try {
      place = await this.lead(lease);
    } finally {
      stopRenewing();
      if (place === null) await lease.release();
    }
    return place === null ? null : { is: 'leads', place, lease };
  }

  /** Tries until the log says that this node leads; null: it must not any more. */
  private async lead(lease: HeldLease): Promise<Place | null> {
    const { client, follower, settings } = this;
    const { node, version, format } = settings;
    while (!lease.lost && this.ended() === null) {
      try {
        await this.catchUp(lease);
        await follower.settled();
        if (this.ended() !== null || !lease.sure) continue;
        const claim = { format, nonce: newNonce(), node, version };
        const result = await tryToLead(client, follower.place, claim);
        if (result.is === 'behind') continue;
        follower.begun(claim);
        return result.place;
      } catch (error) {
        if (!(error instanceof UnansweredError)) throw error;
        await this.timing.pause(CATCH_UP_MS);
      }
    }
    return null;
  }

  /** Resolves once all is read that the log has now, or this node must not go on. */
  private async catchUp(lease: HeldLease): Promise<void> {
    const { follower, timing } = this;
    this.last = (await this.client.state()).last;
    while (follower.place.seq < this.last && !lease.lost && this.ended() === null) {
      await timing.pause(CATCH_UP_MS);
    }
  }
}

function newNonce(): string {
  return randomBytes(NONCE_BYTES).toString('hex');
}
