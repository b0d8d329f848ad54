// Owns what is done to the data folder of a stopped broker: looking at it, changing, checking, mending, restoring and
// compacting it. Never listens.

import { HASHING_SCRYPT, hashPassword } from '../broker/access/password.ts';
import { Broker } from '../broker/broker.ts';
import {
  type CheckReport,
  checkStore,
  type Damage,
  reportOfLog,
  reportOfTrees,
} from '../broker/check/check-store.ts';
import {
  isMendable,
  notAmong,
  REPAIR_ROUNDS_MAX,
  repairStore,
  UNFINISHED,
} from '../broker/check/repair-store.ts';
import { trialStart } from '../broker/check/trial-start.ts';
import { passwordToJson } from '../broker/definitions/password-json.ts';
import { View } from '../broker/view.ts';
import type { Settings } from '../config/settings.ts';
import { readVersion } from '../config/version.ts';
import { hasData, keepDamaged, putBack } from '../store/backup.ts';
import { type CompactReport, compactStore } from '../store/compact.ts';
import { DamagedLogError, StoreError } from '../store/errors.ts';
import { holderOf, openDataFolder, refuseForeignFolder } from '../store/folder.ts';
import { signOfData } from '../store/has-data.ts';
import { NO_REPLAY, type Replay } from '../store/log/open.ts';
import { closeStore, type OpenedStore, openStore, type StorePlace } from '../store/opened-store.ts';
import type { Store } from '../store/port.ts';
import { systemClock } from '../util/clock.ts';

import { accessSettings } from './from-settings.ts';

/** How the store of a stopped broker is opened. */
type Place = Omit<StorePlace, 'withoutLog'>;

/** A broker that no client can connect to: the data folder of a stopped one, to be looked at or changed. */
export interface OpenBroker {
  readonly view: View;
  /** Resolves when all that was changed is on the disk, and others may have the folder. */
  close(): Promise<void>;
}

/** Opens a data folder without listening. When it rejects, nothing is left open. */
export async function openBroker(settings: Settings): Promise<OpenBroker> {
  const version = readVersion();
  const opened = await openStopped(settings);
  try {
    const noListener = { turnWanted: () => {}, durable: () => {}, connectionsForced: () => {} };
    const broker = new Broker(opened.store, systemClock, noListener);
    const { user, vhost, ...rest } = accessSettings(settings);
    broker.recover({ vhost, user: user === null ? null : { ...rest, name: user } });
    const close = async (): Promise<void> => {
      broker.core.seal();
      await closeStore(opened);
    };
    return { view: new View(broker, version), close };
  } catch (error) {
    await closeStore(opened, false);
    throw error;
  }
}

/**
 * The id of the process that runs on a data folder, as this machine counts its processes. Null: there is none, or it runs
 * in a container.
 */
export function processOn(dataDir: string): Promise<number | null> {
  return holderOf(dataDir);
}

/** Whether a folder has the data of a broker. Rejects with a StoreError when it had, and that is gone. */
export async function holdsData(dataDir: string): Promise<boolean> {
  return (await signOfData(dataDir)) !== null || hasData(dataDir);
}

/** What a check of a data folder found, and where the data lies as it was before a repair. */
export interface CheckedData {
  readonly report: CheckReport;
  /** What the log had that the tables had not. Null: it was not looked at, since the tables are damaged as a whole. */
  readonly log: Replay | null;
  /** Copies of files as they were; empty: nothing was repaired. */
  readonly copies: readonly string[];
}

/** What one look at a data folder found. */
type Found = Pick<CheckedData, 'report' | 'log'>;

/**
 * Inspects the data folder of a stopped broker, and with `repair` takes out what is damaged, of which a
 * copy is kept. `progress` is called now and then. Rejects when the data cannot be read at all.
 */
export async function checkData(
  settings: Settings,
  repair: boolean,
  progress: () => void,
): Promise<CheckedData> {
  let found = await firstLook(settings, progress);
  const lost = found.log?.lost ?? null;
  if (!repair || (lost === null && !isMendable(found.report.damage)))
    return { ...found, copies: [] };
  const copies = await keepDamaged(settings.dataDir, systemClock.wallMs(), lost !== null);
  const damage = [...found.report.damage];
  if (lost !== null) {
    found = await look({ ...settings, withoutDamagedLog: true }, progress);
    damage.push(...found.report.damage);
  }
  const { report, log } = found;
  let known = report;
  let fresh: readonly Damage[] = report.damage;
  // What is taken out may leave other rows without what they need. A repair is over when a start succeeds,
  // or it says what is in its way.
  for (let round = 0; round < REPAIR_ROUNDS_MAX && isMendable(fresh); round++) {
    const before = known;
    await withStore(settings, true, ({ store }) => repairStore(store, before));
    known = (await look(settings, progress)).report;
    fresh = notAmong(damage, known.damage);
    damage.push(...fresh);
  }
  if (isMendable(fresh)) damage.push(UNFINISHED);
  return { report: { ...report, damage }, log, copies };
}

/** Looks at a folder as it is: what the log has is brought into the tables only where both are sound. */
async function firstLook(settings: Settings, progress: () => void): Promise<Found> {
  const { checkTrees } = await import('../store/lmdb/check-tree.ts');
  const beforeLog = async (folder: string): Promise<void> => {
    const wrong = await checkTrees(folder);
    if (wrong.length > 0) throw new DamagedTreesError(wrong);
  };
  try {
    return await look({ ...settings, beforeLog }, progress);
  } catch (error) {
    // Nothing that such a tree says can be relied on, and LMDB may end the process over it.
    if (error instanceof DamagedTreesError)
      return { report: reportOfTrees(error.wrong), log: null };
    if (!(error instanceof DamagedLogError)) throw error;
    const { lost } = error;
    return { report: reportOfLog(lost.what), log: { ...NO_REPLAY, lost } };
  }
}

function look(place: Place, progress: () => void): Promise<Found> {
  // All that is put there is the format of today, and a folder that is only looked at keeps its own.
  return withStore({ ...place, lookedAt: true }, false, ({ store, replay: log }) => ({
    report: checkStart(store, progress),
    log,
  }));
}

/** The trees of the tables are not what they should be. */
class DamagedTreesError extends Error {
  override readonly name = 'DamagedTreesError';
  readonly wrong: readonly string[];

  constructor(wrong: readonly string[]) {
    super(wrong.join(', '));
    this.wrong = wrong;
  }
}

/**
 * Brings a copy back into the data folder of a stopped broker. Data that is there is replaced only with
 * `force`, and kept beside it. Returns where, or null when nothing was there. Rejects with a StoreError.
 */
export async function restoreData(
  settings: Settings,
  backup: string,
  force: boolean,
): Promise<string | null> {
  const { dataDir } = settings;
  if (!(await hasData(backup))) {
    throw new StoreError(`there is no copy of a broker's data in ${backup}`, 'name its folder');
  }
  await refuseForeignFolder(dataDir);
  const folder = await openDataFolder(dataDir);
  try {
    if ((await hasData(folder.path)) && !force) {
      throw new StoreError(
        `${folder.path} holds the data of a broker`,
        'use --force to put the copy in its place (the old data is kept beside it), or name another folder',
      );
    }
    return await putBack(backup, folder.path, systemClock.wallMs());
  } finally {
    await folder.release();
  }
}

/**
 * Gives room inside the store's file of a stopped broker back to the file system. Rejects with a StoreError,
 * which leaves the data as it was.
 */
export async function compactData(settings: Settings): Promise<CompactReport> {
  const opened = await openStopped(settings);
  try {
    return await compactStore(opened.store, settings.dataDir);
  } finally {
    await closeStore(opened);
  }
}

/** Opens the store of a stopped broker, as the user that owns it: files of another one would lock that broker out. */
async function openStopped(place: Place): Promise<OpenedStore> {
  if (!place.memory) await refuseForeignFolder(place.dataDir);
  return openStore({ ...place, withoutLog: true }, readVersion());
}

/** Runs something on the store of a stopped broker, and closes it; what it changed is on the disk then, if it is to be kept. */
async function withStore<T>(
  place: Place,
  keep: boolean,
  run: (opened: OpenedStore) => T,
): Promise<T> {
  const opened = await openStopped(place);
  try {
    return run(opened);
  } finally {
    await closeStore(opened, keep);
  }
}

/** Looks at every row, and tries what a start would make of them. */
function checkStart(store: Store, progress: () => void): CheckReport {
  const report = checkStore(store, progress);
  return { ...report, damage: [...report.damage, ...trialStart(store, report.damage)] };
}

/** A password as files of definitions have it. */
export async function hashForDefinitions(password: string): Promise<object> {
  return passwordToJson(await hashPassword(password), HASHING_SCRYPT);
}
