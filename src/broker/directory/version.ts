// Owns which state of the directory a group has, so that it never goes back to an older one. Never fetches it.

import type { Store } from '../../store/port.ts';
import { decodeRow, encodeRow, rowKey } from '../../store/row.ts';
import { TABLE_ACCESS } from '../../store/tables.ts';
import { isObject } from '../../util/json/json.ts';

/*
 *   key    'd'
 *   value  JSON: log, epoch, count | u32 CRC32 of it
 */
const KEY = rowKey('d');

/** Which state of the directory this is. */
export interface DirectoryVersion {
  /** The log of the group main. */
  readonly log: string;
  /** The epoch of the leader there that told it, and how many changes it had seen by then. */
  readonly epoch: number;
  readonly count: number;
}

/** How one state of the directory stands to another. */
export type Standing = 'newer' | 'same' | 'older' | 'foreign';

/** How `version` stands to what a group has; null: it has none yet. */
export function standing(version: DirectoryVersion, has: DirectoryVersion | null): Standing {
  if (has === null) return 'newer';
  if (version.log !== has.log) return 'foreign';
  const ahead = version.epoch - has.epoch || version.count - has.count;
  if (ahead === 0) return 'same';
  return ahead > 0 ? 'newer' : 'older';
}

/** Reads a version; null: this is none. */
export function readVersionOf(value: unknown): DirectoryVersion | null {
  if (!isObject(value)) return null;
  const { log, epoch, count } = value;
  if (typeof log !== 'string' || log === '') return null;
  if (!isCount(epoch) || !isCount(count)) return null;
  return { log, epoch, count };
}

/** Which state of the directory a store has; null: none. Throws a CorruptRecordError. */
export function storedVersion(store: Store): DirectoryVersion | null {
  const value = store.get(TABLE_ACCESS, KEY);
  return value === null ? null : readVersionOf(decodeRow(TABLE_ACCESS, KEY, value));
}

/** Notes it in the batch that has what it brought. */
export function putVersion(store: Store, version: DirectoryVersion): void {
  store.put(TABLE_ACCESS, KEY, encodeRow({ ...version }));
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
