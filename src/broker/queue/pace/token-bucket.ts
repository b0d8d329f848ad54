// Owns counting out deliveries at a rate, exactly. Never reads a clock and never delivers.

import type { DeliveryRate } from './delivery-rate.ts';

/**
 * A bucket of `burst` tokens that `count` tokens in `perMs` run into, evenly; each delivery takes one out.
 *
 * The level is counted in parts of a token, `perMs` of them to one, so that each millisecond adds `count` of them. All are
 * whole numbers: nothing is lost to rounding, however long it runs.
 */
export class TokenBucket {
  private rate: DeliveryRate;
  private level: number;
  private filledMs: number;

  /** It begins full, as of `nowMs`. */
  constructor(rate: DeliveryRate, nowMs: number) {
    this.rate = rate;
    this.level = rate.burst * rate.perMs;
    this.filledMs = nowMs;
  }

  /** Goes by another rate from now on. What was in it stays, as far as it has place for that, and so does a part of a token. */
  change(rate: DeliveryRate, nowMs: number): void {
    const tokens = this.tokens(nowMs);
    const { perMs } = this.rate;
    // Less than a day's milliseconds squared: exact.
    const part = Math.floor(((this.level - tokens * perMs) * rate.perMs) / perMs);
    this.rate = rate;
    this.level = Math.min(rate.burst * rate.perMs, tokens * rate.perMs + part);
  }

  /** Has nothing in it, as of `nowMs`. */
  empty(nowMs: number): void {
    this.level = 0;
    this.filledMs = nowMs;
  }

  /** How many deliveries may go out at `nowMs`. */
  tokens(nowMs: number): number {
    const { count, perMs, burst } = this.rate;
    const passedMs = nowMs - this.filledMs;
    if (passedMs > 0) {
      // Longer than it takes to fill it up is as good as that; the product stays a whole number.
      const fullMs = Math.ceil((burst * perMs) / count);
      this.level = Math.min(burst * perMs, this.level + Math.min(passedMs, fullMs) * count);
      this.filledMs = nowMs;
    }
    return Math.floor(this.level / perMs);
  }

  /** So many went out. */
  spend(deliveries: number): void {
    this.level -= deliveries * this.rate.perMs;
  }

  /** When the next token is there, ms, as of the last call of `tokens`: then, if there is one already. */
  get nextMs(): number {
    const { count, perMs } = this.rate;
    return this.filledMs + Math.max(0, Math.ceil((perMs - this.level) / count));
  }
}
