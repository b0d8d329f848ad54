// Owns the snapshots of a node: making, checking and keeping them, and which of them count. Never trims the log, nor puts one
// in the place of the tables.

import { chmod, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFile, syncFolder } from '../../store/disk/sync-folder.ts';
import { causeText, StoreError } from '../../store/errors.ts';
import type { LogPlace } from '../../store/replicated/place.ts';
import type { Clock } from '../../util/clock.ts';
import { wayOutOf } from '../../util/system/system-error.ts';
import { sumFile } from './file-sum.ts';
import { FACTS_CHARS_MAX, factsText, readFacts, type SnapshotFacts } from './snapshot-facts.ts';

/** So many are kept: where the newest turns out damaged, there is one more. */
const KEPT = 2;
/** One is made after so long, where the log has grown at all. */
const EACH_MS = 6 * 3_600_000;

const DATA = 'data.mdb';
const MAKING = 'making';
const FACTS = 'snapshot.json';
/** Digits of a place, so that names sort by it. */
const DIGITS = 15;
const NAME = /^\d{15}$/;

/*
 *   snapshots/
 *     000000000005119/
 *       data.mdb        the tables, checked
 *       snapshot.json   written last: without it the folder is one that did not come to its end
 *     making/           one that is being made
 */

/** A snapshot that is there and was checked. */
export interface Snapshot extends SnapshotFacts {
  /** The folder with its `data.mdb`. */
  readonly folder: string;
}

/** What it makes snapshots by. */
export interface SnapshotMeans {
  /** Copies the tables, with the row of their place, into an empty folder. */
  copyTo(folder: string): Promise<void>;
  /** The place of the tables in a folder; null: they belong to no replicated log. */
  placeOf(folder: string): Promise<LogPlace | null>;
  /** Rejects with what is wrong with the tables in a folder. */
  check(folder: string): Promise<void>;
}

/** What it tells of. */
export interface SnapshotLog {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
}

/** The snapshots in one folder. */
export class SnapshotKeeper {
  private readonly path: string;
  private readonly logId: string;
  private readonly means: SnapshotMeans;
  private readonly clock: Clock;
  private readonly log: SnapshotLog;
  private snapshots: Snapshot[] = [];
  private making: Promise<Snapshot> | null = null;

  /** `path`: the folder, which `start` makes where it is not there. `logId`: snapshots of other logs do not count. */
  constructor(path: string, logId: string, means: SnapshotMeans, clock: Clock, log: SnapshotLog) {
    this.path = path;
    this.logId = logId;
    this.means = means;
    this.clock = clock;
    this.log = log;
  }

  /** Those that were checked, the newest first. */
  get list(): readonly Snapshot[] {
    return this.snapshots;
  }

  /** The newest that was checked, or null. */
  get newest(): Snapshot | null {
    return this.snapshots[0] ?? null;
  }

  /**
   * Looks what is there, and removes what does not count: what did not come to its end, is damaged as far as its head and
   * length tell, or is of another log. To be called once it is known that the tables are of this log. Rejects with a
   * StoreError where the folder cannot be used.
   */
  async start(): Promise<void> {
    try {
      await mkdir(this.path, { recursive: true, mode: 0o700 });
      for (const name of (await readdir(this.path)).sort()) {
        const folder = join(this.path, name);
        const found = NAME.test(name) ? await this.look(folder, Number(name)) : 'it is unfinished';
        if (typeof found !== 'string') this.snapshots.unshift(found);
        else await this.drop(folder, found);
      }
    } catch (cause) {
      throw unusable(this.path, cause);
    }
    await this.dropOld();
  }

  /** What lies in a folder, or why it does not count. */
  private async look(folder: string, seq: number): Promise<Snapshot | string> {
    let text: string;
    let size: number;
    try {
      const file = join(folder, FACTS);
      // A damaged one is not read into memory whatever its length.
      if ((await stat(file)).size > FACTS_CHARS_MAX) return `its ${FACTS} is damaged`;
      text = await readFile(file, 'utf8');
      size = (await stat(join(folder, DATA))).size;
    } catch (error) {
      return `it is unfinished (${causeText(error)})`;
    }
    const facts = readFacts(text);
    if (facts === null || facts.place.seq !== seq) return `its ${FACTS} is damaged`;
    if (size !== facts.bytes) return `its file has ${size} bytes instead of ${facts.bytes}`;
    if (facts.place.logId !== this.logId) return 'it is of another log';
    return { ...facts, folder };
  }

  /** Whether a snapshot is to be made, with so many bytes of log behind the last one, and so long after it, ms. */
  static isDue(logBytes: number, sinceMs: number, eachBytes: number): boolean {
    // One of hours ahead was made before the time of day was set back.
    return logBytes >= eachBytes || (logBytes > 0 && Math.abs(sinceMs) >= EACH_MS);
  }

  /**
   * Makes one, checks it and keeps it; the oldest beyond two goes. Resolves with it, or with the newest where the tables are
   * no further than that; a second call while one is made resolves with that one. Rejects with a StoreError; nothing of it is
   * left then.
   */
  make(): Promise<Snapshot> {
    this.making ??= this.makeOne().finally(() => {
      this.making = null;
    });
    return this.making;
  }

  private async makeOne(): Promise<Snapshot> {
    const fresh = join(this.path, MAKING);
    try {
      await rm(fresh, { recursive: true, force: true });
      await mkdir(fresh, { recursive: true, mode: 0o700 });
      const snapshot = await this.fill(fresh);
      await this.dropOld();
      return snapshot;
    } catch (cause) {
      await rm(fresh, { recursive: true, force: true }).catch(() => {});
      if (cause instanceof StoreError) throw cause;
      throw new StoreError(
        `a snapshot could not be made (${causeText(cause)}), and nothing of it is kept`,
        wayOutOf(cause) ?? `see to ${this.path}`,
        { cause },
      );
    }
  }

  private async fill(fresh: string): Promise<Snapshot> {
    await this.means.copyTo(fresh);
    const data = join(fresh, DATA);
    await chmod(data, 0o600);
    await syncFile(data);
    const place = await this.means.placeOf(fresh);
    if (place === null) {
      throw new StoreError(
        'a snapshot could not be made: the tables have nothing of the log yet',
        'wait until something was declared or published',
      );
    }
    if (place.logId !== this.logId) {
      throw new StoreError(
        'a snapshot could not be made: the tables are not those of the log',
        'that is a bug: please report it',
      );
    }
    const { newest } = this;
    if (newest !== null && newest.place.seq >= place.seq) {
      await rm(fresh, { recursive: true, force: true });
      return newest;
    }
    await this.means.check(fresh);
    await rm(join(fresh, 'lock.mdb'), { force: true });
    // Behind all that opens it, and may write to it.
    const madeAtMs = Math.round(this.clock.wallMs());
    const facts = { place, ...(await sumFile(data)), madeAtMs };
    await writeDurably(join(fresh, FACTS), factsText(facts));
    await syncFolder(fresh);
    const folder = join(this.path, String(place.seq).padStart(DIGITS, '0'));
    await rm(folder, { recursive: true, force: true });
    await rename(fresh, folder);
    await syncFolder(this.path);
    const snapshot = { ...facts, folder };
    this.snapshots.unshift(snapshot);
    this.log.info({ seq: place.seq, bytes: facts.bytes }, 'snapshot made');
    return snapshot;
  }

  /** One turned out not to be what was written: it counts no more, and is removed. */
  async damaged(snapshot: Snapshot): Promise<void> {
    if (!this.snapshots.includes(snapshot)) return;
    this.snapshots = this.snapshots.filter((each) => each !== snapshot);
    await this.drop(snapshot.folder, 'its file is not what was written');
  }

  private async dropOld(): Promise<void> {
    for (const { folder } of this.snapshots.splice(KEPT)) await this.remove(folder);
  }

  private async drop(folder: string, reason: string): Promise<void> {
    this.log.warn({ folder, reason }, 'snapshot dropped');
    await this.remove(folder);
  }

  /** It counts no more, whether or not it goes: the next start tries again. */
  private async remove(folder: string): Promise<void> {
    try {
      // First, so that one whose removal is cut off is unfinished.
      await rm(join(folder, FACTS), { force: true });
      await rm(folder, { recursive: true, force: true });
    } catch (error) {
      this.log.warn({ folder, reason: causeText(error) }, 'snapshot could not be removed');
    }
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

function unusable(path: string, cause: unknown): StoreError {
  return new StoreError(
    `the folder of snapshots ${path} cannot be used (${causeText(cause)})`,
    wayOutOf(cause) ?? 'give the broker the right to write there',
    { cause },
  );
}
