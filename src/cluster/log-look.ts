// Owns what a node has last seen of the log itself: how far it goes, which machines keep it, and for how long this node has not
// been as far. Information for operators and tools. Never reads a record.

import type { LogFacts, LogState } from '../store/replicated/log-client.ts';
import { Outage, type OutageLog } from './outage.ts';
import type { Timing } from './timing.ts';

/** How often it looks, ms. */
const LOOK_MS = 2000;
/** Servers of the log that choose a leader do not answer for a moment, which is no reason to say so. */
const FAILURES_MIN = 2;
/** So many looks are kept of a node that is behind; beyond that each second one is. */
const LOOKS_MAX = 256;

/** The log as it was found. */
export interface SeenLog extends LogState, LogFacts {
  /** How long ago, ms. */
  readonly ageMs: number;
}

/** What is asked. */
export interface LookedLog {
  state(): Promise<LogState>;
  facts(): Promise<LogFacts>;
}

/** Looks at the log every now and then, until it is stopped. */
export class LogLook {
  private readonly log: LookedLog;
  private readonly timing: Timing;
  private readonly stopLooking: () => void;
  private readonly outage: Outage;
  private found: { readonly state: LogState; readonly facts: LogFacts } | null = null;
  private foundMs = 0;
  /** Ends of the log that this node has not applied yet, with when they were seen, the oldest first. */
  private ahead: { readonly last: number; readonly atMs: number }[] = [];

  /** `lines` are told of a log that does not answer, for all that needs it. */
  constructor(log: LookedLog, timing: Timing, lines: OutageLog) {
    this.log = log;
    this.timing = timing;
    const words = {
      begins: 'the log of the cluster does not answer',
      over: 'the log of the cluster answers again',
      failuresMin: FAILURES_MIN,
    };
    this.outage = new Outage(words, lines, timing.clock);
    this.stopLooking = timing.every(LOOK_MS, () => this.look());
    void this.look();
  }

  /** The log as it was found last; null: it has not answered yet. */
  get seen(): SeenLog | null {
    if (this.found === null) return null;
    return { ...this.found.state, ...this.found.facts, ageMs: this.nowMs() - this.foundMs };
  }

  /** The last record that it is known to have. */
  get last(): number {
    return this.found?.state.last ?? 0;
  }

  /** For how long the log has had what tables that are at this record have not, ms. */
  lagMs(applied: number): number {
    while (this.ahead.length > 0 && (this.ahead[0]?.last as number) <= applied) this.ahead.shift();
    const [first] = this.ahead;
    return first === undefined ? 0 : Math.round(this.nowMs() - first.atMs);
  }

  stop(): void {
    this.stopLooking();
  }

  private nowMs(): number {
    return this.timing.clock.monotonicMs();
  }

  private async look(): Promise<void> {
    try {
      const state = await this.log.state();
      const facts = await this.log.facts();
      this.found = { state, facts };
    } catch (error) {
      // What is known grows old, and says so.
      this.outage.failed(error);
      return;
    }
    this.outage.worked();
    this.foundMs = this.nowMs();
    const { last } = this;
    if (last > (this.ahead.at(-1)?.last ?? 0)) this.ahead.push({ last, atMs: this.foundMs });
    if (this.ahead.length > LOOKS_MAX) this.ahead = this.ahead.filter((_, i) => i % 2 === 0);
  }
}
