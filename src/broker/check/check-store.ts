// Owns the inspection of a store: every row, every checksum, and whether queues name messages that are
// there. Never changes anything, and never holds more of a message than one segment.

import { SEGMENT_SPAN } from '../../message/log/segment.ts';
import { isSegmentKey } from '../../message/log/segment-rows.ts';
import { verifyChecksum } from '../../store/checksum.ts';
import { CorruptRecordError } from '../../store/errors.ts';
import type { Store } from '../../store/port.ts';
import { decodeRow } from '../../store/row.ts';
import {
  TABLE_ACCESS,
  TABLE_ARRIVALS,
  TABLE_DEFINITIONS,
  TABLE_DELAYS,
  TABLE_KEYS,
  TABLE_LOG,
  TABLE_MARKS,
  TABLE_PAGES,
  TABLE_POLICIES,
  TABLE_PURGES,
  TABLE_REDO,
  TABLE_SEGMENTS,
  TABLE_SET_ASIDE,
  TABLE_STREAMS,
} from '../../store/tables.ts';
import { type ArrivingIds, arrivalsIn, readArrivalRow } from '../core/arrivals.ts';
import { readKeyRow } from '../queue/duplicates/key-rows.ts';
import { Page } from '../queue/messages/pages/page.ts';
import {
  LANE_PAGES,
  PAGE_KEY_BYTES,
  type PurgedRange,
  QueueRows,
} from '../queue/messages/queue-rows.ts';
import { wordsOfRow } from '../queue/stream/entries/stream-rows.ts';
import { queueTypeOf } from '../queue/types/registry.ts';
import { readSetAsideRow } from '../set-aside/set-aside-rows.ts';
import { tableOf } from '../vhost/topology-rows.ts';
import { HeldRecords } from './held-records.ts';
import { StoredDelays } from './stored-delays.ts';
import { canRead, livePositions, readPage } from './stored-page.ts';
import { StoredStreams } from './stored-streams.ts';

const LOWEST = Buffer.alloc(0);
const HIGHEST = Buffer.alloc(1024, 0xff);

/** One thing that is wrong. */
export interface Damage {
  /** What it is a row of: a definition, a segment of the log, a page of a queue ... */
  readonly kind: string;
  readonly table: number;
  /** The key of the row, in hexadecimal digits; empty where a table cannot be read on. */
  readonly key: string;
  readonly what: string;
  /** The queue that it belongs to, as `vhost/queue`, where that is known. */
  readonly queue: string | null;
}

/** One durable queue. */
export interface CheckedQueue {
  readonly vhost: string;
  readonly name: string;
  readonly id: number;
  readonly isStream: boolean;
  /** Messages whose place and bytes are sound, and those whose bytes are damaged or gone. */
  messages: number;
  lost: number;
}

/** What was found. */
export interface CheckReport {
  readonly damage: readonly Damage[];
  readonly queues: readonly CheckedQueue[];
  readonly rows: number;
  /** Segments that no queue names: they take room, and go with the next start. */
  readonly unused: number;
}

/** The report on a file whose pages are not where they should be: none of its rows can be relied on. */
export function reportOfTrees(wrong: readonly string[]): CheckReport {
  const damage = wrong.map((what) => ({ kind: 'file', table: 0, key: '', what, queue: null }));
  return { damage, queues: [], rows: 0, unused: 0 };
}

/** The report on a log that is damaged: the rows are whole only with what it has. */
export function reportOfLog(what: string): CheckReport {
  const damage = [{ kind: 'log of batches', table: TABLE_LOG, key: '', what, queue: null }];
  return { damage, queues: [], rows: 0, unused: 0 };
}

/** How rows are named to people. */
const KINDS: ReadonlyMap<number, string> = new Map([
  [TABLE_REDO, 'batch under way'],
  [TABLE_DEFINITIONS, 'definition'],
  [TABLE_SEGMENTS, 'segment of the log'],
  [TABLE_PAGES, 'page of a queue'],
  [TABLE_MARKS, 'mark of a queue'],
  [TABLE_ACCESS, 'user, vhost or permission'],
  [TABLE_POLICIES, 'policy, parameter or schedule'],
  [TABLE_PURGES, 'purge'],
  [TABLE_SET_ASIDE, 'message set aside'],
  [TABLE_DELAYS, 'messages that wait for their time'],
  [TABLE_KEYS, 'keys of messages'],
  [TABLE_ARRIVALS, 'note of an arrival'],
]);

function kindOf(table: number, key: Buffer): string {
  return table === TABLE_STREAMS ? wordsOfRow(key).kind : (KINDS.get(table) ?? 'row');
}

/** Inspects a store; `progress` is called now and then. */
export function checkStore(store: Store, progress: () => void = () => {}): CheckReport {
  return new Inspection(store, progress).run();
}

class Inspection {
  private readonly store: Store;
  private readonly progress: () => void;
  private readonly damage: Damage[] = [];
  private readonly queues = new Map<number, CheckedQueue>();
  private readonly records = new HeldRecords();
  /** The page that was read last. */
  private readonly page = new Page(0);
  private arriving: ArrivingIds[] = [];
  private rows = 0;
  private lastKey: Buffer = LOWEST;

  constructor(store: Store, progress: () => void) {
    this.store = store;
    this.progress = progress;
  }

  run(): CheckReport {
    this.unfinished();
    this.arrivals();
    this.definitions();
    for (const table of [TABLE_ACCESS, TABLE_POLICIES]) {
      this.each(table, (key, value) => decodeRow(table, key, value));
    }
    this.each(TABLE_MARKS, (key, value) => verifyChecksum(TABLE_MARKS, key, value));
    const purged = this.purges();
    this.segments(purged);
    const streams = new StoredStreams(this.store);
    this.pages(purged, streams);
    this.each(TABLE_STREAMS, (key, value) => {
      if (this.isArriving(key)) return;
      streams.check(key, value, (id) => this.queues.get(id)?.isStream === true);
    });
    this.delays();
    this.each(TABLE_KEYS, readKeyRow);
    this.setAside();
    const { unused } = this.records;
    return { damage: this.damage, queues: [...this.queues.values()], rows: this.rows, unused };
  }

  /** A batch that was under way when the broker ended is finished as the store opens, unless it is damaged. */
  private unfinished(): void {
    this.each(TABLE_REDO, (key) => {
      throw new CorruptRecordError(
        TABLE_REDO,
        key,
        'it cannot be finished: nothing of it was confirmed, and parts of it may be there',
      );
    });
  }

  /** What did not come as a whole is removed by the next start: none of it is damage. */
  private arrivals(): void {
    this.each(TABLE_ARRIVALS, readArrivalRow);
    try {
      this.arriving = arrivalsIn(this.store, () => {});
    } catch {
      // The table cannot be read on, as was found.
    }
  }

  private isArriving(key: Buffer): boolean {
    if (this.arriving.length === 0 || key.length < 4) return false;
    const id = key.readUInt32BE();
    return this.arriving.some(({ first, end }) => id >= first && id < end);
  }

  private definitions(): void {
    this.each(TABLE_DEFINITIONS, (key, value) => {
      const row = decodeRow(TABLE_DEFINITIONS, key, value);
      if (key[0] !== 'q'.charCodeAt(0)) return;
      const vhost = key.toString('utf8', 3, 3 + key.readUInt16BE(1));
      const isStream = queueTypeOf(tableOf(row)).name === 'stream';
      const queue = { vhost, name: String(row['name']), id: Number(row['id']), isStream };
      this.queues.set(queue.id, { ...queue, messages: 0, lost: 0 });
    });
  }

  private purges(): PurgedRange[] {
    try {
      return new QueueRows(this.store).recoverPurges();
    } catch (error) {
      this.found(TABLE_PURGES, error);
      return [];
    }
  }

  private segments(purged: readonly PurgedRange[]): void {
    this.eachKey(TABLE_SEGMENTS, (key) => {
      if (!isSegmentKey(key)) throw wrongKey(TABLE_SEGMENTS, key);
      this.records.noteRow(key);
    });
    this.noteWanted(purged);
    // Only the keys are held; a large message is one segment, and is read as a whole.
    for (const id of this.records.ids()) {
      this.progress();
      try {
        this.records.read(this.store, id);
      } catch (error) {
        this.found(TABLE_SEGMENTS, error);
      }
    }
  }

  /** A first look at the pages, for the places of their messages. What is wrong with them is found later. */
  private noteWanted(purged: readonly PurgedRange[]): void {
    try {
      for (const { key, value } of this.store.range(TABLE_PAGES, LOWEST, HIGHEST)) {
        if (key.length !== PAGE_KEY_BYTES || isPurged(key, purged)) continue;
        if (this.isArriving(key)) continue;
        if (!canRead(key, value, this.page)) continue;
        for (const position of livePositions(this.page)) this.records.noteWanted(position);
      }
      const delays = new StoredDelays(this.store);
      for (const { key, value } of this.store.range(TABLE_DELAYS, LOWEST, HIGHEST)) {
        for (const { position } of delays.entries(key, value)) this.records.noteWanted(position);
      }
    } catch {
      // The table cannot be read on: the second look says so.
    }
  }

  private delays(): void {
    let delays: StoredDelays;
    try {
      delays = new StoredDelays(this.store);
    } catch (error) {
      this.found(TABLE_DELAYS, error);
      return;
    }
    this.each(TABLE_DELAYS, (key, value) => {
      if (this.isArriving(key)) return;
      const waiting = delays.entries(key, value);
      const queue = this.queues.get(key.readUInt32BE(0));
      if (waiting.length > 0 && queue === undefined) {
        throw new CorruptRecordError(TABLE_DELAYS, key, 'it is of a queue that is not there');
      }
      const missing = waiting.filter(({ position }) => !this.records.has(position)).length;
      if (queue !== undefined) {
        queue.messages += waiting.length - missing;
        queue.lost += missing;
      }
      if (missing === 0) return;
      const text = `${missing} of its messages are damaged or not there`;
      throw new CorruptRecordError(TABLE_DELAYS, key, text);
    });
  }

  private pages(purged: readonly PurgedRange[], streams: StoredStreams): void {
    const wrongSpan = (error: CorruptRecordError | null): void => {
      if (error !== null) this.found(TABLE_STREAMS, error);
    };
    this.each(TABLE_PAGES, (key, value) => {
      if (key.length !== PAGE_KEY_BYTES) throw wrongKey(TABLE_PAGES, key);
      if (isPurged(key, purged) || this.isArriving(key)) return;
      readPage(key, value, this.page);
      const queue = this.queues.get(key.readUInt32BE(0));
      if (queue === undefined) {
        throw new CorruptRecordError(TABLE_PAGES, key, 'it is of a queue that is not there');
      }
      if (queue.isStream) wrongSpan(streams.addPage(queue.id, this.page));
      const missing = this.countEntries(this.page, queue);
      if (missing === 0) return;
      throw new CorruptRecordError(
        TABLE_PAGES,
        key,
        `${missing} of its messages are damaged or not there`,
      );
    });
    wrongSpan(streams.finishSpan());
  }

  /** What is set aside may be damaged, which is why it is: that is no news. */
  private setAside(): void {
    this.each(TABLE_SET_ASIDE, (key, value) => {
      const { position } = readSetAsideRow(key, value);
      this.records.use(Math.floor(position / SEGMENT_SPAN));
    });
  }

  /** Counts the messages of a page; returns how many of them are not to be had. */
  private countEntries(page: Page, queue: CheckedQueue): number {
    let missing = 0;
    for (const position of livePositions(page)) {
      if (this.records.has(position)) queue.messages += 1;
      else missing += 1;
    }
    queue.lost += missing;
    return missing;
  }

  private each(table: number, check: (key: Buffer, value: Buffer) => void): void {
    this.lastKey = LOWEST;
    try {
      for (const { key, value } of this.store.range(table, LOWEST, HIGHEST)) {
        this.one(table, key, () => {
          check(key, value);
          // Where a branch of the tree leads astray, a walk finds what a look-up does not.
          if (this.store.get(table, key) === null) {
            throw new CorruptRecordError(table, key, 'it is not found where it belongs');
          }
        });
      }
    } catch (error) {
      this.found(table, error);
    }
  }

  private eachKey(table: number, check: (key: Buffer) => void): void {
    this.lastKey = LOWEST;
    try {
      for (const key of this.store.keys(table, LOWEST, HIGHEST)) {
        this.one(table, key, () => check(key));
      }
    } catch (error) {
      this.found(table, error);
    }
  }

  private one(table: number, key: Buffer, check: () => void): void {
    this.rows += 1;
    if (this.rows % 256 === 0) this.progress();
    const before = this.lastKey;
    this.lastKey = key;
    try {
      // A key that is out of order is found by a walk over all keys, but not by a search for that key.
      if (Buffer.compare(before, key) >= 0) {
        throw new CorruptRecordError(table, key, 'its key is out of order');
      }
      check();
    } catch (error) {
      this.found(table, error instanceof CorruptRecordError ? error : { key, error });
    }
  }

  /** Notes what a row, or the reading of a table, failed with. */
  private found(table: number, cause: unknown): void {
    if (cause instanceof CorruptRecordError) {
      const ofQueue = [TABLE_PAGES, TABLE_DELAYS, TABLE_KEYS, TABLE_STREAMS].includes(table);
      const queue = ofQueue ? this.nameOf(cause.key) : null;
      const what = cause.message.slice(cause.message.indexOf(': ') + 2);
      const kind = kindOf(table, cause.key);
      this.damage.push({ kind, table, key: cause.key.toString('hex'), what, queue });
      return;
    }
    const { key = LOWEST, error = cause } = cause as { key?: Buffer; error?: unknown };
    const what = error instanceof Error ? error.message : String(error);
    const kind = kindOf(table, key);
    this.damage.push({ kind, table, key: key.toString('hex'), what, queue: null });
  }

  private nameOf(key: Buffer): string | null {
    const queue = key.length < 4 ? undefined : this.queues.get(key.readUInt32BE(0));
    return queue === undefined ? null : `${queue.vhost}/${queue.name}`;
  }
}

function wrongKey(table: number, key: Buffer): CorruptRecordError {
  return new CorruptRecordError(table, key, 'its key is not one of this table');
}

/** Whether a page belongs to a purge that is not swept yet. */
function isPurged(key: Buffer, purged: readonly PurgedRange[]): boolean {
  const queueId = key.readUInt32BE(0);
  const place = key.readUIntBE(4, 6);
  const number = place % LANE_PAGES;
  const lane = Math.floor(place / LANE_PAGES);
  return purged.some(
    (each) =>
      each.queueId === queueId && each.lane === lane && number >= each.from && number < each.to,
  );
}
