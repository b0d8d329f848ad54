// Owns how schedules lie in the store, and how far each has come. Never checks them: what is stored was checked before.

import type { Store } from '../../store/port.ts';
import {
  encodeRow,
  type Json,
  type RowsAside,
  readRows,
  requireTexts,
  rowKey,
  rowsBehind,
} from '../../store/row.ts';
import { TABLE_POLICIES } from '../../store/tables.ts';
import {
  EVERY_MAX_MS,
  EVERY_MIN_MS,
  type Moment,
  type ScheduleDefinition,
  type TickState,
  type Timing,
} from './schedule.ts';

/*
 *   key    's' vhost name   a schedule, and since when it has its timing
 *          't' vhost name   the ticks of a schedule that were published, written with each of them
 */

/** A schedule as it was stored. */
export interface StoredSchedule {
  readonly definition: ScheduleDefinition;
  readonly since: Moment;
}

/** Reads and writes the schedules of one store. They lie in the table of policies and parameters. */
export class ScheduleRows {
  private readonly store: Store;
  private readonly aside: RowsAside;

  constructor(store: Store, aside: RowsAside) {
    this.store = store;
    this.aside = aside;
  }

  /** The row of a schedule, to be put once nothing else can refuse it. */
  encode({ name, timing, ...rest }: ScheduleDefinition, since: Moment): Buffer {
    return encodeRow({
      name,
      ...timing,
      exchange: rest.exchange,
      routingKey: rest.routingKey,
      header: rest.headerPayload.toString('base64'),
      body: rest.body.toString('base64'),
      sinceWallMs: since.wallMs,
      sinceBrokerMs: since.brokerMs,
    });
  }

  put(vhost: string, name: string, row: Buffer): void {
    const key = rowKey('s', vhost, name);
    this.store.put(TABLE_POLICIES, key, row);
    this.aside.replaced(TABLE_POLICIES, key);
  }

  putTicks(vhost: string, name: string, state: TickState): void {
    const key = rowKey('t', vhost, name);
    this.store.put(TABLE_POLICIES, key, encodeRow({ name, ...state }));
    this.aside.replaced(TABLE_POLICIES, key);
  }

  removeTicks(vhost: string, name: string): void {
    this.store.remove(TABLE_POLICIES, rowKey('t', vhost, name));
  }

  remove(vhost: string, name: string): void {
    this.store.remove(TABLE_POLICIES, rowKey('s', vhost, name));
    this.removeTicks(vhost, name);
  }

  /** The schedules of a vhost, in order of their names; `make` throws for one that cannot be had. */
  read<T>(vhost: string, make: (stored: StoredSchedule) => T): T[] {
    return this.rows('s', vhost, (row) => make(readSchedule(row)));
  }

  /** How far those that have ticked have come, by name. */
  ticks(vhost: string): Map<string, TickState> {
    return new Map(this.rows('t', vhost, readTicks));
  }

  private rows<T>(letter: string, vhost: string, make: (row: Json) => T): T[] {
    const from = rowKey(letter, vhost);
    const range = [from, rowsBehind(from)] as const;
    return readRows(this.store, TABLE_POLICIES, range, make, this.aside).map(({ value }) => value);
  }
}

/** The last moment that a date can be at, ms since the Unix epoch. */
const TIME_MAX_MS = 8.64e15;

function readSchedule(row: Json): StoredSchedule {
  requireTexts(row, 'name', 'exchange', 'routingKey', 'header', 'body');
  return {
    definition: {
      name: String(row['name']),
      timing: timingOf(row),
      exchange: String(row['exchange']),
      routingKey: String(row['routingKey']),
      headerPayload: Buffer.from(String(row['header']), 'base64'),
      body: Buffer.from(String(row['body']), 'base64'),
    },
    since: { wallMs: numberIn(row, 'sinceWallMs'), brokerMs: numberIn(row, 'sinceBrokerMs') },
  };
}

function timingOf(row: Json): Timing {
  if (row['everyMs'] !== undefined) {
    const everyMs = numberIn(row, 'everyMs');
    if (everyMs < EVERY_MIN_MS || everyMs > EVERY_MAX_MS)
      throw new RangeError(`it ticks every ${everyMs} ms`);
    return { everyMs };
  }
  requireTexts(row, 'cron', 'timeZone');
  return { cron: String(row['cron']), timeZone: String(row['timeZone']) };
}

function readTicks(row: Json): [name: string, state: TickState] {
  requireTexts(row, 'name');
  const state: TickState = {
    tickMs: numberIn(row, 'tickMs'),
    coveredMs: numberIn(row, 'coveredMs'),
    lastAtMs: row['lastAtMs'] === null ? null : numberIn(row, 'lastAtMs'),
    error: row['error'] === null ? null : String(row['error']),
    published: numberIn(row, 'published'),
    failed: numberIn(row, 'failed'),
  };
  return [String(row['name']), state];
}

function numberIn(row: Json, name: string): number {
  const value = row[name];
  if (typeof value === 'number' && value >= 0 && value <= TIME_MAX_MS) return value;
  throw new TypeError(`its ${name} is no number that is a time`);
}
