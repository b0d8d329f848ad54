// Owns the last id of each publisher in one stream, and what becomes of a message by it. Few of them are in memory: the store
// has all. Never takes a message into the stream.

import { PROPERTY_FLAGS_OFFSET } from '../../../../amqp/property-walk.ts';
import type { MessageLog } from '../../../../message/log/log.ts';
import { positionOf } from '../../../../message/log/segment.ts';
import { headerFrameStart } from '../../../../message/record.ts';
import { CorruptRecordError } from '../../../../store/errors.ts';
import { KIND_PUBLISHER, type StreamRows } from '../entries/stream-rows.ts';
import type { HotIds } from './hot-ids.ts';
import { claimAt, type PublisherClaim } from './publisher-claim.ts';

/*
 * A publisher as a row, named by the UTF-8 bytes of its name:
 *
 *   0   f64  the last id
 */
const ROW_BYTES = 8;
/** So many ids wait for rows: more are put at once, so that a batch of many is not sealed in one long go. */
const FRESH_MAX = 256;

/** The last id of a publisher that has none; and of one whose row is damaged, which is above and below none. */
const NONE = -1;
const UNREADABLE = Number.NaN;

/** What becomes of a message: it is stored; or it is a duplicate; or it must not be stored. */
export const CLAIM_GOOD = 0;
export const CLAIM_DUPLICATE = 1;
const CLAIM_REFUSED = 2;

/** The last id of a publisher. */
export interface LastId {
  readonly publisher: string;
  readonly id: number;
}

/** Ids that are in a batch under way. */
interface SealedIds {
  readonly batch: number;
  readonly ids: ReadonlyMap<string, number>;
}

/**
 * The last ids of one stream. What the store is asked for does not know of batches that are not durable, so the ids in
 * those are here:
 *
 *   fresh   changed, and no row was put
 *   put     the batch being gathered has a row
 *   sealed  a batch under way has one
 */
export class PublisherIds {
  private readonly stream: number;
  private readonly rows: StreamRows;
  private readonly hot: HotIds;
  private readonly fresh = new Map<string, number>();
  private put = new Map<string, number>();
  private readonly sealed: SealedIds[] = [];

  constructor(stream: number, rows: StreamRows, hot: HotIds) {
    this.stream = stream;
    this.rows = rows;
    this.hot = hot;
  }

  /**
   * What becomes of the message at a position by what its headers claim: one of CLAIM_. Where that is CLAIM_GOOD the stream
   * has to take it, and to put both into one batch. A claim that cannot be understood counts for nothing: the publishers
   * of such are told, so that it comes from elsewhere.
   */
  take(log: MessageLog, position: number): number {
    const claim = claimOf(log, position);
    if (claim === null) return CLAIM_GOOD;
    const { name, id, expected } = claim;
    const last = this.lastOf(name);
    if (Number.isNaN(last)) return CLAIM_REFUSED;
    if (expected === null) {
      if (id <= last) return CLAIM_DUPLICATE;
    } else if (expected !== Math.max(0, last)) {
      return CLAIM_REFUSED;
    }
    this.fresh.set(name, id);
    if (this.fresh.size >= FRESH_MAX) this.putFresh();
    return CLAIM_GOOD;
  }

  /** The last id of a publisher; null: there is none, or its row is damaged. */
  lastId(name: string): number | null {
    const last = this.lastOf(name);
    return last >= 0 ? last : null;
  }

  /** Publishers whose ids are on the disk, in order of their names' bytes, behind a name; '' for the first ones. */
  *after(name: string): Iterable<LastId> {
    const from = name === '' ? Buffer.alloc(0) : Buffer.from(`${name}\0`);
    for (const row of this.rows.all(this.stream, KIND_PUBLISHER, from)) {
      const publisher = row.name.toString();
      const id = this.lastId(publisher);
      if (id !== null) yield { publisher, id };
    }
  }

  /** Puts into the current batch what changed. */
  seal(batch: number): void {
    this.putFresh();
    if (this.put.size === 0) return;
    this.sealed.push({ batch, ids: this.put });
    this.put = new Map();
  }

  /** Told that all batches up to `batch` are durable. */
  durableUpTo(batch: number): void {
    while (this.sealed.length > 0 && (this.sealed[0] as SealedIds).batch <= batch) {
      this.hot.setAll(this.stream, (this.sealed.shift() as SealedIds).ids);
    }
  }

  /** Lets go of what is in memory: the stream is deleted. */
  discard(): void {
    this.hot.forget(this.stream);
  }

  private lastOf(name: string): number {
    const near = this.fresh.get(name) ?? this.put.get(name) ?? this.inSealed(name);
    const known = near ?? this.hot.get(this.stream, name);
    if (known !== undefined) return known;
    const stored = this.stored(name);
    if (stored >= 0) this.hot.set(this.stream, name, stored);
    return stored;
  }

  private inSealed(name: string): number | undefined {
    for (let n = this.sealed.length - 1; n >= 0; n--) {
      const id = (this.sealed[n] as SealedIds).ids.get(name);
      if (id !== undefined) return id;
    }
    return undefined;
  }

  private stored(name: string): number {
    try {
      const row = this.rows.getSound(this.stream, KIND_PUBLISHER, Buffer.from(name));
      if (row === null) return NONE;
      return decodeLastId(row) ?? UNREADABLE;
    } catch (error) {
      if (!(error instanceof CorruptRecordError)) throw error;
      return UNREADABLE;
    }
  }

  private putFresh(): void {
    for (const [name, id] of this.fresh) {
      const row = Buffer.allocUnsafe(ROW_BYTES);
      row.writeDoubleBE(id, 0);
      this.rows.put(this.stream, KIND_PUBLISHER, Buffer.from(name), row);
      this.put.set(name, id);
    }
    this.fresh.clear();
  }
}

/** Reads the value of a row; null: it is none. */
export function decodeLastId(value: Buffer): number | null {
  const id = value.length === ROW_BYTES ? value.readDoubleBE(0) : UNREADABLE;
  return Number.isSafeInteger(id) && id >= 0 ? id : null;
}

/** What the message at a position claims; null: nothing, or nothing that can be read. */
function claimOf(log: MessageLog, position: number): PublisherClaim | null {
  try {
    const segment = log.readable(position);
    const bytes = segment.bytes as Buffer;
    const record = position - positionOf(segment.id, 0);
    return claimAt(bytes, headerFrameStart(bytes, record) + 7 + PROPERTY_FLAGS_OFFSET);
  } catch {
    return null;
  }
}
