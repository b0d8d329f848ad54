// Owns how full the log is, as its leader goes by it: it stops writing batches before the log would refuse them, since the
// records by which it leads, and by which another one would, need room too. Never trims the log.

import type { LogClient, LogState } from '../store/replicated/log-client.ts';
import type { Timing } from './timing.ts';

/** Batches wait while the log has more than this part of what it may take. */
const FULL_PART = 0.9;
/** A batch that would fill the log beyond this part waits as well. */
const FITS_PART = 0.97;
/** How often it looks, ms: while batches wait, and else. */
const LOOK_MS = 1000;
/** The next look comes at once where so much of the room was written since the last. */
const WRITTEN_PART = 0.05;

/** The room for batches. */
export class LogRoom {
  private readonly client: LogClient;
  private readonly stopLooking: () => void;
  private state: LogState | null = null;
  private written = 0;
  private looking: Promise<void> | null = null;
  private waiting: (() => void)[] = [];

  constructor(client: LogClient, timing: Timing) {
    this.client = client;
    this.stopLooking = timing.every(LOOK_MS, () => this.look());
  }

  /** What of the log is in use, as far as it is known, bytes. */
  get used(): number {
    return (this.state?.bytes ?? 0) + this.written;
  }

  /** What the log may take, bytes; 0: that is not known yet. */
  get max(): number {
    return this.state?.bytesMax ?? 0;
  }

  /** Whether batches wait for it. */
  get isFull(): boolean {
    return this.used > this.max * FULL_PART;
  }

  /** Calls back once a batch of so many bytes may be appended: at once, as a rule. */
  take(bytes: number, then: () => void): void {
    // A node that has just taken the lead does not know yet how full the log is that others have written.
    if (this.state === null || this.isFull || !this.fits(bytes)) {
      this.waiting.push(() => this.take(bytes, then));
      if (this.state === null) void this.look();
      return;
    }
    this.written += bytes;
    if (this.written > this.state.bytesMax * WRITTEN_PART) void this.look();
    then();
  }

  /** Whether a batch leaves room for what leads; one that never would is written, and refused. */
  private fits(bytes: number): boolean {
    const most = this.max * FITS_PART;
    return this.used + bytes <= most || bytes > most / 2;
  }

  stop(): void {
    this.stopLooking();
    this.waiting = [];
  }

  private look(): Promise<void> {
    this.looking ??= this.lookNow().finally(() => {
      this.looking = null;
    });
    return this.looking;
  }

  private async lookNow(): Promise<void> {
    const before = this.written;
    try {
      this.state = await this.client.state();
    } catch {
      // What is known is still true; the appends say what is wrong with the log.
      return;
    }
    // What was under way meanwhile may be counted twice until the next look.
    this.written -= before;
    if (this.isFull) return;
    const { waiting } = this;
    this.waiting = [];
    for (const again of waiting) again();
  }
}
