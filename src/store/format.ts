// Owns the record that says in which format a data folder is written. Never converts one: a change
// of format brings its own migration.

import { verifyChecksum, withChecksum } from './checksum.ts';
import { StoreError, TooNewError } from './errors.ts';
import type { Store } from './port.ts';
import { TABLE_META } from './tables.ts';

/**
 * The format this broker writes, and the newest it reads. It rises with each change that an older broker would not read
 * rightly: of the rows of tables, of changes in a log, and of the records of the replicated log.
 */
export const FORMAT_VERSION = 6;

const KEY = Buffer.from('format');
const TABLE_LAST = 255;
const LOWEST = Buffer.alloc(0);
const HIGHEST = Buffer.alloc(1024, 0xff);

/**
 * Makes sure this broker can read the store: writes the format into the batch being gathered when
 * the store is empty or of an older format, so that it becomes durable with the first change, and throws a StoreError when
 * the store was written in a newer format, or in none. With `keepsOlder` an older format stays: this broker only brings into
 * the store what another one writes, see `putFormat`.
 */
export function checkFormat(store: Store, brokerVersion: string, keepsOlder = false): void {
  const value = store.get(TABLE_META, KEY);
  if (value !== null) {
    const format = readableFormat(value, 'the data folder', OTHER_FOLDER);
    // An older format is read as it is; from now on older brokers must not touch it.
    if (format < FORMAT_VERSION && !keepsOlder) putFormat(store, FORMAT_VERSION, brokerVersion);
    return;
  }
  if (!isEmpty(store)) {
    throw new StoreError(
      'the data folder holds records but does not say in which format',
      'it is damaged or not a data folder of Leveret; restore it from a backup or name another one',
      { damaged: true },
    );
  }
  putFormat(store, FORMAT_VERSION, brokerVersion);
}

/**
 * Puts into the batch being gathered in which format the store is from then on. The tables of a node of a cluster are in that
 * of the leader whose batches they have, whichever version the node itself is.
 */
export function putFormat(store: Store, format: number, brokerVersion: string): void {
  store.put(TABLE_META, KEY, formatRecord(format, brokerVersion));
}

/** Throws a TooNewError where the tables of a copy are in a newer format than this broker reads. `what`: names the copy. */
export function refuseNewer(copy: Store, what: string): void {
  const value = copy.get(TABLE_META, KEY);
  if (value !== null) readableFormat(value, what, '');
}

/*
 *   u32 format | the broker's version as text ... | u32 checksum
 */
function formatRecord(format: number, brokerVersion: string): Buffer {
  const text = Buffer.from(brokerVersion);
  const content = Buffer.alloc(4 + text.length);
  content.writeUInt32BE(format);
  text.copy(content, 4);
  return withChecksum(content);
}

const OTHER_FOLDER = ', or name another data folder';

/** The format that a record says. Throws a TooNewError; `orElse` stands behind its way out. */
function readableFormat(value: Buffer, what: string, orElse: string): number {
  const content = verifyChecksum(TABLE_META, KEY, value);
  const format = content.readUInt32BE();
  if (format <= FORMAT_VERSION) return format;
  const writer = content.toString('utf8', 4);
  throw new TooNewError(
    `${what} was written by a newer Leveret, ${writer} (format ${format}, this one reads up to ${FORMAT_VERSION})`,
    `start Leveret ${writer} or later on it${orElse}`,
    { damaged: true },
  );
}

/** Whether a store holds nothing at all, as one that was just made. */
export function isNew(store: Store): boolean {
  return store.get(TABLE_META, KEY) === null && isEmpty(store);
}

function isEmpty(store: Store): boolean {
  for (let table = 1; table <= TABLE_LAST; table += 1) {
    for (const _key of store.keys(table, LOWEST, HIGHEST)) return false;
  }
  return true;
}
