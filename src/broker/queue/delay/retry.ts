// Owns how long a message that came back waits before it goes out again. Never waits.

import type { RetryType } from '../arguments/queue-arguments.ts';
import type { OwnAttempts } from './delay-headers.ts';

/** How often a message comes back, where retries are on and nothing else says. */
export const RETRY_LIMIT = 20;

/** The rule of a queue. */
export interface RetryRule {
  readonly type: Exclude<RetryType, 'disabled'>;
  /** What the delays are made of, and the longest, ms. */
  readonly minMs: number;
  readonly maxMs: number;
  /** Null: min, 2 min, 3 min ...; 1: always min; above: min, min x m, min x m x m ... */
  readonly multiplier: number | null;
  /** The part of a delay that is left to chance, 0 to 1. */
  readonly jitter: number;
  /** The most that one message may ask for in place of `minMs` and `multiplier`; Infinity: no operator says. */
  readonly ownMinMs: number;
  readonly ownMultiplier: number;
}

/** Whether a return waits: one that a consumer wants so, or one that failed. */
export function waits({ type }: RetryRule, failed: boolean): boolean {
  return type === 'all' || type === (failed ? 'failed' : 'returned');
}

/**
 * How long a message waits that came back `returns` times, ms. `own` is what the message asks for itself; `chance`, from
 * 0 to below 1, says how much of the part that is left to chance is taken off.
 */
export function retryDelayMs(
  rule: RetryRule,
  own: OwnAttempts | null,
  returns: number,
  chance: number,
): number {
  const minMs = Math.min(own?.minMs ?? rule.minMs, rule.ownMinMs);
  const multiplier = own?.multiplier
    ? Math.min(own.multiplier, rule.ownMultiplier)
    : rule.multiplier;
  const grown = multiplier === null ? returns : multiplier ** Math.min(returns - 1, 1024);
  // A message may ask for nothing, and to have it multiplied beyond all numbers: that is nothing still.
  const delayMs = minMs === 0 ? 0 : Math.min(minMs * grown, rule.maxMs);
  return Math.round(delayMs * (1 - rule.jitter * chance));
}

/** A number from 0 to below 1 that looks like chance, and is the same for the same message and count. */
export function chanceOf(position: number, returns: number): number {
  let mixed = Math.imul((position % 0x1_0000_0000) ^ Math.imul(returns, 0x9e3779b1), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 0x1_0000_0000;
}
