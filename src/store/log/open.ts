// Owns what a start makes of the log beside the tables: what it has more than they goes into them, and a new one begins.
// Never serves anything.

import { randomBytes } from 'node:crypto';
import { constants, open as openFile } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../../util/clock.ts';
import { wayOutOf } from '../../util/system/system-error.ts';
import { UserError } from '../../util/user-error.ts';
import { Batch } from '../batch.ts';
import {
  CorruptRecordError,
  causeText,
  DamagedLogError,
  type LogLoss,
  StoreError,
} from '../errors.ts';
import type { Store } from '../port.ts';
import type { LogRecord } from './batch-log.ts';
import { readChanges } from './changes.ts';
import { LoggedStore, type LoggedStoreOptions } from './logged-store.ts';
import { type LogPosition, putPosition, readPosition, SaltedMark } from './position.ts';
import { type FoundFile, LOG_FILE, readLogFile, renewLogFile } from './ring/file.ts';
import { RingLog } from './ring/ring-log.ts';
import { type RingScan, scanRing } from './ring/scan.ts';

/** How to open a log; what is left out has a good default. */
export interface LogOptions extends LoggedStoreOptions {
  /** A write that has not ended after this long counts as failed. */
  readonly commitTimeoutMs?: number;
  /** Bytes of its file. */
  readonly logBytes?: number;
  /** Goes on without what is damaged of the log, or not there: see `Replay.lost`. */
  readonly withoutDamaged?: boolean;
}

/** What a log had that the tables had not. */
export interface Replay {
  readonly records: number;
  readonly bytes: number;
  /** Bytes of a write that was cut off; nothing of it was acknowledged. */
  readonly tornBytes: number;
  /** Milliseconds that this took. */
  readonly ms: number;
  /** Where it was opened without what is damaged of the log: what that is. Null: nothing. */
  readonly lost: LogLoss | null;
}

const COMMIT_TIMEOUT_MS = 30_000;
/** Room for what comes while the tables take up what is there: some tens of ms. */
const LOG_BYTES = 16 * 2 ** 20;
const SALT_BYTES = 8;

/** What a log has whose tables have all. */
export const NO_REPLAY: Replay = { records: 0, bytes: 0, tornBytes: 0, ms: 0, lost: null };
/** A salt that no log has: it belongs to a position that needs none. */
const NO_SALT = '00'.repeat(SALT_BYTES);

/** Where each write is durable once it has ended, without a sync of its own. Elsewhere a sync also empties the disk's cache. */
const WRITES_THROUGH = process.platform === 'linux';

const NO_BYTES = Buffer.alloc(0);

const openDescriptor = promisify(openFile);

/**
 * Brings into `tables` what the log in their folder has more than they, durably; nothing may be gathered in them but what
 * belongs to the first batch. Rejects with a DamagedLogError where the log is damaged, or is not the one that belongs to them,
 * and with a StoreError where it cannot be read; they are as they were then, and open.
 */
export function applyLog(
  tables: Store,
  folder: string,
  { withoutDamaged = false }: Pick<LogOptions, 'withoutDamaged'>,
): Promise<Replay> {
  return named(folder, async () => {
    const position = positionOf(tables);
    if (
      position instanceof CorruptRecordError ||
      (position === null && (await hasRecords(folder)))
    ) {
      const wrong = position === null ? 'not there' : 'damaged';
      return withoutLog(tables, join(folder, LOG_FILE), wrong, withoutDamaged);
    }
    if (position === null || position.clean) return NO_REPLAY;
    return replayLog(tables, folder, position, withoutDamaged);
  });
}

function positionOf(tables: Store): LogPosition | CorruptRecordError | null {
  try {
    return readPosition(tables);
  } catch (error) {
    if (error instanceof CorruptRecordError) return error;
    throw error;
  }
}

/** Whether any record is in the file: none was written before the tables had their row. */
async function hasRecords(folder: string): Promise<boolean> {
  const file = await readLogFile(folder);
  if (file === null || file.header === null) return false;
  const { records, beyond } = scanRing(file.bytes, file.header.salt, 0);
  return records.length + beyond > 0;
}

/** Goes on with the tables as they are: where they do not say which records they have, none fits them for sure. */
async function withoutLog(
  tables: Store,
  path: string,
  wrong: string,
  allowed: boolean,
): Promise<Replay> {
  const lost = {
    what: `the row of the tables that says which records of ${path} they have is ${wrong}`,
    batches: 'batches that only the log had, which were confirmed, are lost if there were any',
  };
  if (!allowed) throw new DamagedLogError(lost);
  putPosition(tables, { number: 0, salt: NO_SALT, clean: true });
  await commit(tables);
  return { ...NO_REPLAY, lost };
}

/** Begins a log in the folder of `tables`, which have all that an earlier one had. Rejects with a StoreError. */
export function beginLog(
  tables: Store,
  folder: string,
  { commitTimeoutMs = COMMIT_TIMEOUT_MS, logBytes = LOG_BYTES, ...options }: LogOptions,
  markClean: (folder: string) => Promise<void>,
): Promise<LoggedStore> {
  return named(folder, async () => {
    const number = readPosition(tables)?.number ?? 0;
    // The tables need no log until they say so again: then its file is that of the new salt.
    const salt = randomBytes(SALT_BYTES).toString('hex');
    await renewLogFile(folder, { fileBytes: logBytes, salt });
    putPosition(tables, { number, salt, clean: false });
    await commit(tables);
    const fd = await openDescriptor(join(folder, LOG_FILE), writeFlags());
    const file = { fd, folder, bytes: logBytes, writesThrough: WRITES_THROUGH };
    const log = new RingLog(file, salt, commitTimeoutMs);
    return new LoggedStore(tables, log, number, new SaltedMark(salt), markClean, options);
  });
}

/** Runs something; an error of the system becomes one that says which store it is about. */
async function named<T>(folder: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    const what = `cannot open the store in ${folder}: ${LOG_FILE}: ${causeText(cause)}`;
    throw new StoreError(what, wayOutOf(cause) ?? 'fix this, and start again', { cause });
  }
}

function writeFlags(): number {
  return constants.O_WRONLY | (WRITES_THROUGH ? constants.O_DSYNC : 0);
}

/** Brings into the tables what the log has more than they, and notes that they need it no longer. */
async function replayLog(
  tables: Store,
  folder: string,
  position: LogPosition,
  withoutDamaged: boolean,
): Promise<Replay> {
  const startedMs = systemClock.monotonicMs();
  const path = join(folder, LOG_FILE);
  const file = await readLogFile(folder);
  // Where it does not begin as it should, records of this salt are what they are all the same.
  const scan = scanRing(file?.bytes ?? NO_BYTES, position.salt, position.number);
  const batches = batchesOf(scan.records);
  const number = position.number + batches.length;
  const lost = lossOf(path, file, position, scan, batches.length);
  if (lost !== null && !withoutDamaged) throw new DamagedLogError(lost);
  for (const batch of batches) {
    if (tables.dirty) tables.seal();
    batch.putInto(tables);
  }
  putPosition(tables, { ...position, number, clean: true });
  await commit(tables);
  const applied = scan.records.slice(0, batches.length);
  const bytes = applied.reduce((sum, { body }) => sum + body.length, 0);
  const ms = Math.round(systemClock.monotonicMs() - startedMs);
  return { records: applied.length, bytes, tornBytes: scan.tornBytes, ms, lost };
}

/** What is wrong with a log; null: nothing. `known`: how many of its records hold changes that this Leveret knows. */
function lossOf(
  path: string,
  file: FoundFile | null,
  { salt, number }: LogPosition,
  { records, damaged, beyond }: RingScan,
  known: number,
): LogLoss | null {
  const last = number + known;
  const maybe = `batches after record ${last}, which were confirmed, are lost if there were any`;
  if (file === null) return { what: `${path} is not there`, batches: maybe };
  if (file.header === null) return { what: `${path} is damaged at its beginning`, batches: maybe };
  const { fileBytes } = file.header;
  if (file.bytes.length !== fileBytes) {
    return { what: `${path} has ${file.bytes.length} bytes of ${fileBytes}`, batches: maybe };
  }
  if (file.header.salt !== salt) return { what: `${path} belongs to other data`, batches: maybe };
  const batches = `batches after record ${last}, which were confirmed, are lost`;
  if (known < records.length) {
    const what = `record ${last + 1} of ${path} holds no changes that this Leveret knows`;
    return { what, batches };
  }
  if (damaged === null) return null;
  const what = `record ${damaged} of ${path} is damaged, and ${beyond} behind it cannot be used without it`;
  return { what, batches };
}

/** The changes of each record, up to the first one that holds no such changes. */
function batchesOf(records: readonly LogRecord[]): Batch[] {
  const batches: Batch[] = [];
  for (const { body } of records) {
    const batch = new Batch();
    if (!readChanges(body, batch)) break;
    batches.push(batch);
  }
  return batches;
}

/** Seals what is gathered and waits until it is durable. */
function commit(tables: Store): Promise<void> {
  return new Promise((resolve, reject) => {
    const { batch } = tables;
    tables.onFailure(reject);
    tables.onDurable((upTo) => {
      if (upTo >= batch) resolve();
    });
    tables.seal();
  });
}
