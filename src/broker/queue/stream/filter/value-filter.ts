// Owns which messages a filter lets through: by fingerprint first, and then by value, so that none comes through that must
// not. Never walks a stream.

import type { MessageLog } from '../../../../message/log/log.ts';
import type { StreamFilter } from '../reading/reading-spec.ts';
import { fingerprintOf, NO_VALUE, valueAt } from './fingerprint.ts';

/** A filter that is ready for use. */
export class ValueFilter {
  /** What it was made of. */
  readonly asked: StreamFilter;
  /** Whether messages without a value come through. */
  readonly matchUnfiltered: boolean;
  /** The one fingerprint that may come through; -1: there are several. */
  private readonly only: number;
  /** A bit for each fingerprint that may come through. */
  private readonly wanted = new Uint32Array(2 ** 11);
  private readonly byFingerprint = new Map<number, Buffer[]>();

  constructor(asked: StreamFilter) {
    const { values, matchUnfiltered } = asked;
    this.asked = asked;
    this.matchUnfiltered = matchUnfiltered;
    if (matchUnfiltered) this.want(NO_VALUE);
    for (const value of values) {
      const fingerprint = fingerprintOf(value);
      this.want(fingerprint);
      const alike = this.byFingerprint.get(fingerprint);
      if (alike === undefined) this.byFingerprint.set(fingerprint, [value]);
      else alike.push(value);
    }
    const [only = -1] = this.byFingerprint.keys();
    this.only = this.byFingerprint.size === 1 && !matchUnfiltered ? only : -1;
  }

  private want(fingerprint: number): void {
    const word = fingerprint >>> 5;
    this.wanted[word] = (this.wanted[word] as number) | (1 << (fingerprint & 31));
  }

  /** The first place from `at` on, and below `end`, whose fingerprint may come through; `end`: there is none. */
  nextIn(fingerprints: Uint16Array, at: number, end: number): number {
    const { wanted, only } = this;
    if (only >= 0) {
      const found = fingerprints.indexOf(only, at);
      return found < 0 || found > end ? end : found;
    }
    for (let i = at; i < end; i++) {
      const fingerprint = fingerprints[i] as number;
      if (((wanted[fingerprint >>> 5] as number) >>> (fingerprint & 31)) & 1) return i;
    }
    return end;
  }

  /** Whether a message with a value comes through whose fingerprint may. One that cannot be read does: its reader is told. */
  passes(fingerprint: number, log: MessageLog, position: number): boolean {
    const alike = this.byFingerprint.get(fingerprint) as readonly Buffer[];
    try {
      const { bytes, start, end } = valueAt(log, position);
      if (start < 0) return false;
      return alike.some((value) => value.compare(bytes, start, end) === 0);
    } catch {
      return true;
    }
  }
}

/** Whether two filters let the same through. */
export function isSameFilter(one: StreamFilter | null, other: StreamFilter | null): boolean {
  if (one === null || other === null) return one === other;
  if (one.matchUnfiltered !== other.matchUnfiltered) return false;
  if (one.values.length !== other.values.length) return false;
  const known = new Set(one.values.map((value) => value.toString('latin1')));
  return other.values.every((value) => known.has(value.toString('latin1')));
}
