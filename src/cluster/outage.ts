// Owns what is said of something that is tried every few seconds and does not work: once as that begins, once as it is over.
// Never tries it.

import { UnansweredError } from '../store/replicated/log-client.ts';
import type { Clock } from '../util/clock.ts';
import { UserError } from '../util/user-error.ts';

/** So many different reasons are said of one time that it does not work. */
const REASONS_MAX = 4;

/** What it tells of. */
export interface OutageLog {
  warn(fields: object, text: string): void;
  info(fields: object, text: string): void;
}

/** What it says, and how. */
export interface OutageWords {
  readonly begins: string;
  /** Empty: nothing is said of its end. */
  readonly over: string;
  /** It does not work until it has failed so often in turn; 1 unless given. */
  readonly failuresMin?: number;
}

/** Whether something works that is tried again and again. */
export class Outage {
  private readonly words: OutageWords;
  private readonly log: OutageLog;
  private readonly clock: Clock;
  private readonly said = new Set<string>();
  private failures = 0;
  private sinceMs = 0;

  constructor(words: OutageWords, log: OutageLog, clock: Clock) {
    this.words = words;
    this.log = log;
    this.clock = clock;
  }

  /** It has failed. Each reason is said once: what is known first may say less than what is known later. */
  failed(error: unknown): void {
    const { words, said, clock } = this;
    if (this.failures === 0) this.sinceMs = clock.monotonicMs();
    this.failures += 1;
    if (this.failures < (words.failuresMin ?? 1)) return;
    const why = error instanceof Error ? error.message : String(error);
    if (said.has(why) || said.size >= REASONS_MAX) return;
    said.add(why);
    // What an operator can mend is said in words; of a bug it is shown where it lies.
    const isKnown = error instanceof UserError || error instanceof UnansweredError;
    this.log.warn(isKnown ? { why } : { err: error }, words.begins);
  }

  /** It has worked. */
  worked(): void {
    const { words, said, clock } = this;
    const ms = Math.round(clock.monotonicMs() - this.sinceMs);
    if (said.size > 0 && words.over !== '') this.log.info({ ms }, words.over);
    said.clear();
    this.failures = 0;
  }
}
