// Owns what a start makes of the log beside the tables: what it has more than they goes into them, and a new one begins.
// Never serves anything.

import { randomBytes } from 'node:crypto';
import { constants, open as openFile } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { wayOutOf } from '../../util/system/system-error.ts';
import { UserError } from '../../util/user-error.ts';
import { Batch } from '../batch.ts';
import { CorruptRecordError, causeText, StoreError } from '../errors.ts';
import type { Store } from '../port.ts';
import type { LogRecord } from './batch-log.ts';
import { readChanges } from './changes.ts';
import { LoggedStore, type LoggedStoreOptions } from './logged-store.ts';
import { type LogPosition, putPosition, readPosition } from './position.ts';
import { LOG_FILE, readLogFile, renewLogFile } from './ring/file.ts';
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
  /** What is wrong with the log, where it was opened without what is damaged; null: nothing. */
  readonly lost: string | null;
}

const COMMIT_TIMEOUT_MS = 30_000;
/** Room for what comes while the tables take up what is there: some tens of ms. */
const LOG_BYTES = 16 * 2 ** 20;
const SALT_BYTES = 8;
const NO_SALT = '00'.repeat(SALT_BYTES);

const NOTHING: Replay = { records: 0, bytes: 0, tornBytes: 0, lost: null };

/** Where each write is durable once it has ended, without a sync of its own. Elsewhere a sync also empties the disk's cache. */
const WRITES_THROUGH = process.platform === 'linux';

const openDescriptor = promisify(openFile);

/**
 * Brings into `tables` what the log in their folder has more than they, durably; nothing may be gathered in them but what
 * belongs to the first batch. Rejects with a StoreError where the log is damaged, or is not the one that belongs to them; they
 * are as they were then, and open.
 */
export function applyLog(
  tables: Store,
  folder: string,
  { withoutDamaged = false }: Pick<LogOptions, 'withoutDamaged'>,
): Promise<Replay> {
  return named(folder, async () => {
    const position = positionOf(tables);
    if (position === 'damaged' || (position === null && (await hasRecords(folder)))) {
      const wrong = position === null ? 'not there' : 'damaged';
      const lost = `the row of the tables that says which records of ${join(folder, LOG_FILE)} they have is ${wrong}`;
      if (!withoutDamaged) throw damagedLog(lost);
      putPosition(tables, { number: 0, salt: NO_SALT, clean: true });
      await commit(tables);
      return { ...NOTHING, lost };
    }
    if (position === null || position.clean) return NOTHING;
    return replayLog(tables, folder, position, withoutDamaged);
  });
}

function positionOf(tables: Store): LogPosition | null | 'damaged' {
  try {
    return readPosition(tables);
  } catch (error) {
    if (!(error instanceof CorruptRecordError)) throw error;
    return 'damaged';
  }
}

/** Whether any record is in the file: none was written before the tables had their row. */
async function hasRecords(folder: string): Promise<boolean> {
  const file = await readLogFile(folder);
  if (file === null || file.header === null) return false;
  const { records, beyond } = scanRing(file.bytes, file.header.salt, 0);
  return records.length + beyond > 0;
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
    const position = { number, salt, clean: false };
    putPosition(tables, position);
    await commit(tables);
    const fd = await openDescriptor(join(folder, LOG_FILE), writeFlags());
    const file = { fd, folder, bytes: logBytes, writesThrough: WRITES_THROUGH };
    const log = new RingLog(file, salt, number, commitTimeoutMs);
    return new LoggedStore(tables, log, position, markClean, options);
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
  const file = await readLogFile(folder);
  const path = join(folder, LOG_FILE);
  let lost: string | null = null;
  let scan: RingScan = { records: [], tornBytes: 0, damaged: null, beyond: 0 };
  if (file === null) lost = `${path} is not there`;
  else {
    scan = scanRing(file.bytes, position.salt, position.number);
    const { header } = file;
    const { damaged, beyond } = scan;
    if (header === null) lost = `${path} is damaged at its beginning`;
    else if (header.fileBytes !== file.bytes.length) {
      lost = `${path} has ${file.bytes.length} bytes of ${header.fileBytes}`;
    } else if (header.salt !== position.salt) lost = `${path} belongs to other data`;
    else if (damaged !== null) {
      lost = `record ${damaged} of ${path} is damaged, and ${beyond} behind it cannot be used without it`;
    }
  }
  if (lost !== null && !withoutDamaged) throw damagedLog(lost);
  const number = replayRecords(tables, scan.records, position.number);
  if (number < position.number + scan.records.length) {
    lost = `record ${number + 1} of ${path} holds no changes that this Leveret knows`;
    if (!withoutDamaged) throw damagedLog(lost);
  }
  putPosition(tables, { ...position, number, clean: true });
  await commit(tables);
  const { records } = scan;
  const bytes = records.reduce((sum, { body }) => sum + body.length, 0);
  return { records: records.length, bytes, tornBytes: scan.tornBytes, lost };
}

function damagedLog(what: string): StoreError {
  return new StoreError(
    `the last batches cannot be read: ${what}`,
    `bring that file back as it was, or go on without what it held by 'leveret check --repair', or restore the folder from a backup ('leveret restore')`,
    { damaged: true },
  );
}

/** Seals each record as a batch; returns the number of the last one. */
function replayRecords(tables: Store, records: readonly LogRecord[], from: number): number {
  let last = from;
  for (const { number, body } of records) {
    const batch = new Batch();
    if (!readChanges(body, batch)) break;
    if (tables.dirty) tables.seal();
    batch.putInto(tables);
    last = number;
  }
  return last;
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
