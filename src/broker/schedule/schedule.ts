// Owns one schedule: what it publishes and when, and which of its ticks were published. Never publishes.

import type { FieldTable } from '../../amqp/field-table.ts';
import type { Exchange } from '../exchange/exchange.ts';
import type { Firehose } from '../republish/firehose.ts';
import type { Router } from '../routing/router.ts';
import type { Traffic } from '../stats/counts.ts';
import { nextOfCron } from './cron.ts';

/** A vhost as its schedules see it. */
export interface ScheduledVhost {
  readonly name: string;
  readonly exchanges: ReadonlyMap<string, Exchange>;
  readonly router: Router;
  readonly firehose: Firehose | null;
  readonly closed: Traffic;
}

/** When a schedule ticks: at times of day, or every so many milliseconds. */
export type Timing =
  | { readonly cron: string; readonly timeZone: string }
  | { readonly everyMs: number };

/** The least time between two ticks, ms. */
export const EVERY_MIN_MS = 1000;
/** The longest, ten years, as long as a message may wait. */
export const EVERY_MAX_MS = 315_360_000_000;

/** A schedule as an operator defines it. All of it was checked. */
export interface ScheduleDefinition {
  readonly name: string;
  readonly timing: Timing;
  readonly exchange: string;
  readonly routingKey: string;
  /** The payload of the content header, as on the wire. */
  readonly headerPayload: Buffer;
  readonly body: Buffer;
}

/** A time, as the clock of the machine shows it and as the broker counts it, ms; see turn/broker-time.ts. */
export interface Moment {
  readonly wallMs: number;
  readonly brokerMs: number;
}

/** Which ticks were published, and what became of the last one. Times are of the clock that the schedule goes by. */
export interface TickState {
  /** The time that the last one was for. */
  readonly tickMs: number;
  /** Ticks up to this time are published or made up for. */
  readonly coveredMs: number;
  /** When the last one was published, by the time of day; null: none was. */
  readonly lastAtMs: number | null;
  /** Why the last one reached no queue; null: it did. */
  readonly error: string | null;
  readonly published: number;
  readonly failed: number;
}

/** What the headers of its messages ask of the broker. */
export interface Asked {
  readonly headers: FieldTable;
  readonly persistent: boolean;
  readonly priority: number | null;
  /** As in a record. */
  readonly expiryMs: number;
}

/**
 * A clock set back by more than this was wrong before: its ticks go by the new time at once, though they were
 * published before for times that come again. Otherwise a clock that was a year ahead would stop them for a year.
 */
const SET_RIGHT_MS = 7 * 24 * 60 * 60 * 1000;

/** A schedule of a vhost. */
export class Schedule {
  readonly vhost: ScheduledVhost;
  definition: ScheduleDefinition;
  asked: Asked;
  /** When it began with this timing. */
  since: Moment;
  state: TickState;
  /** The time its next tick is for, by the clock that it goes by; null: there is none. */
  nextMs: number | null = null;
  /** The same by the time of the broker. */
  dueMs = Infinity;
  /** Whether a tick is being published, which takes several turns. */
  firing = false;

  constructor(vhost: ScheduledVhost, definition: ScheduleDefinition, asked: Asked, since: Moment) {
    this.vhost = vhost;
    this.definition = definition;
    this.asked = asked;
    this.since = since;
    this.state = noTicks(definition.timing, since);
  }

  get name(): string {
    return this.definition.name;
  }

  /** Whether it goes by the time of day, and not by spans of time. */
  get byWallClock(): boolean {
    return 'cron' in this.definition.timing;
  }

  /** Finds the next tick; `now` is both times now. */
  plan(now: Moment): void {
    const { timing } = this.definition;
    if ('cron' in timing) {
      this.nextMs = nextOfCron(timing.cron, timing.timeZone, this.cronFrom(now.wallMs));
      this.dueMs = this.nextMs === null ? Infinity : this.nextMs - now.wallMs + now.brokerMs;
      return;
    }
    const { everyMs } = timing;
    const { coveredMs } = this.state;
    const sinceMs = this.since.brokerMs;
    const passed = Math.floor((coveredMs - sinceMs) / everyMs);
    // Across a restart the time of the broker may have gone back with the time of day.
    this.nextMs = Math.min(sinceMs + (passed + 1) * everyMs, now.brokerMs + everyMs);
    this.dueMs = this.nextMs;
  }

  /** From where on the next tick is looked for. */
  private cronFrom(wallMs: number): number {
    const { coveredMs, tickMs } = this.state;
    if (coveredMs <= wallMs || tickMs > wallMs + SET_RIGHT_MS) return Math.min(coveredMs, wallMs);
    // The clock was set back: what was passed over, as it stood ahead, comes in its time; what was published does not.
    return Math.max(tickMs, wallMs);
  }

  /** What is to be stored once the tick that is due now is published. */
  ticked(now: Moment, error: string | null): TickState {
    const { state } = this;
    const nowMs = this.byWallClock ? now.wallMs : now.brokerMs;
    const tickMs = this.nextMs ?? nowMs;
    return {
      tickMs,
      coveredMs: Math.max(nowMs, tickMs),
      lastAtMs: now.wallMs,
      error,
      published: state.published + (error === null ? 1 : 0),
      failed: state.failed + (error === null ? 0 : 1),
    };
  }
}

/** The state of one that has not ticked since it was set. */
function noTicks(timing: Timing, since: Moment): TickState {
  const fromMs = 'cron' in timing ? since.wallMs : since.brokerMs;
  return {
    tickMs: 'cron' in timing ? 0 : fromMs,
    coveredMs: fromMs,
    lastAtMs: null,
    error: null,
    published: 0,
    failed: 0,
  };
}

/** Whether two timings are the same. */
export function sameTiming(a: Timing, b: Timing): boolean {
  if ('cron' in a) return 'cron' in b && a.cron === b.cron && a.timeZone === b.timeZone;
  return 'everyMs' in b && a.everyMs === b.everyMs;
}
