// Owns the wiring: it makes a running broker of its parts, and takes it down in the right order.
// Never reads flags or variables, never ends the process: that is cli/.

import { join } from 'node:path';
import type { Logger } from 'pino';
import { HASHING_SCRYPT, hashPassword } from './broker/access/password.ts';
import { Broker } from './broker/broker.ts';
import {
  type CheckReport,
  checkStore,
  type Damage,
  reportOfTrees,
} from './broker/check/check-store.ts';
import {
  isMendable,
  notAmong,
  REPAIR_ROUNDS_MAX,
  repairStore,
  UNFINISHED,
} from './broker/check/repair-store.ts';
import { trialStart } from './broker/check/trial-start.ts';
import { importDefinitions } from './broker/definitions/import.ts';
import { passwordToJson } from './broker/definitions/password-json.ts';
import { readDefinitions } from './broker/definitions/read.ts';
import { Refusal } from './broker/errors.ts';
import { View } from './broker/view.ts';
import { ConfigError } from './config/config-error.ts';
import { type DefinitionFiles, readDefinitionFiles } from './config/definition-files.ts';
import type { Listeners } from './config/members.ts';
import type { Settings } from './config/settings.ts';
import { readVersion } from './config/version.ts';
import type { AccessSettings } from './server/access-settings.ts';
import { BOUNDLESS, type Machine, thisMachine } from './server/backpressure/machine.ts';
import type { ListenAddress } from './server/listen/listener.ts';
import type { ServerPorts } from './server/ports.ts';
import { Server, type Surroundings } from './server/server.ts';
import { type BackupReport, backUp, hasData, keepDamaged, putBack } from './store/backup.ts';
import { type CompactReport, compactStore } from './store/compact.ts';
import { StoreError } from './store/errors.ts';
import { openDataFolder } from './store/folder.ts';
import { markData, signOfData } from './store/has-data.ts';
import { closeStore, type OpenedStore, openStore } from './store/opened-store.ts';
import type { Store } from './store/port.ts';
import { Tools } from './tools.ts';
import { type Clock, systemClock } from './util/clock.ts';
import type { JsonValue } from './util/json/json.ts';
import { safeLogger } from './util/log/safe-logger.ts';
import { HeapGrowth } from './util/system/heap-growth.ts';

/** How a broker is made that shares its process with the program that started it. */
export interface Embedding {
  readonly clock: Clock;
  /** What takes the place of the settings about the first user. */
  readonly access: Partial<AccessSettings>;
  /** Where the program takes part. */
  readonly ports?: ServerPorts;
  /** Runs before any client can connect; what it declares is durable by then. */
  prepare(server: Server): void;
}

/** A broker that takes connections. */
export interface RunningBroker {
  /** Where it really listens, also when the settings asked for free ports; those without TLS first. */
  readonly addresses: readonly ListenAddress[];
  /** Resolves, never rejects, when the broker can go on no longer: the store failed. */
  readonly failed: Promise<Error>;
  /** Reads the certificates again; connections there are stay as they are. */
  renewTls(): void;
  /** Takes no more connections, tells those there are 320 with this reason, finishes the commit. */
  close(reason: string): Promise<void>;
}

/** A broker that no client can connect to: the data folder of a stopped one, to be looked at or changed. */
export interface OpenBroker {
  readonly view: View;
  /** Resolves when all that was changed is on the disk, and others may have the folder. */
  close(): Promise<void>;
}

/**
 * Opens the store and the listener. When it rejects, nothing is left open. Without an
 * `embedding`, the process is the broker's own, and the engine of the language is set up for it.
 */
export async function startBroker(
  settings: Settings,
  given: Logger,
  embedding: Embedding | null = null,
): Promise<RunningBroker> {
  const logger = safeLogger(given);
  const version = readVersion();
  const definitions = await readDefinitionFiles(settings.loadDefinitions);
  // What is wrong by itself is found before anything is made.
  for (const { path, json } of definitions.files) {
    naming(path, () => readDefinitions(json as JsonValue));
  }
  const opened = await openStore(settings, version);
  const { store } = opened;
  for (const warning of opened.folder?.warnings ?? []) logger.warn(warning);
  try {
    const access = { ...accessSettings(settings), ...embedding?.access };
    // An operator that brings users wants no other user, least of all one with a well-known password.
    if (bringsUsers(definitions)) access.user = null;
    const { scratch } = opened;
    const around = surroundings(settings, opened, embedding);
    const { machine } = around;
    const clock = embedding?.clock ?? systemClock;
    const server = new Server(store, settings, access, logger, clock, version, around);
    loadDefinitions(server.broker, definitions, settings, logger);
    embedding?.prepare(server);
    const failed = new Promise<Error>((resolve) => {
      store.onFailure(resolve);
      scratch?.onFailure(resolve);
      server.onFatal = resolve;
    });
    const broken = failed.then((error) => {
      throw error;
    });
    // No client logs in as a user that is not on the disk yet.
    await Promise.race([server.definitionsDurable(), broken]);
    if (opened.folder !== null) await noteData(opened.folder.path, logger);
    const heapGrowth = new HeapGrowth();
    if (embedding === null) heapGrowth.start();
    const amqp = await server.listen(listenAddresses(settings));
    const dataDir = opened.folder?.path ?? null;
    const backup = dataDir === null ? null : backupOf(server, store, dataDir);
    const looked = { server, settings, machine, dataDir, version, logger, clock, backup };
    const tools = new Tools(looked);
    await tools.listen().catch(async (error: unknown) => {
      await server.closeConnections('the start failed');
      throw error;
    });
    const addresses = [...amqp, ...tools.addresses];
    const renewTls = (): void => {
      server.renewTls();
      tools.renewTls();
    };
    const close = async (reason: string): Promise<void> => {
      // Its port is closed at once; what came over it is told and ends with all others.
      const toolsClosed = tools.close();
      await server.closeConnections(reason);
      await toolsClosed;
      heapGrowth.stop();
      server.finish();
      await closeStore(opened);
    };
    return { addresses, failed, renewTls, close };
  } catch (error) {
    await closeStore(opened, false);
    throw error;
  }
}

/** What copies the data of a broker that runs. */
function backupOf(server: Server, store: Store, dataDir: string) {
  return async (path: string): Promise<BackupReport> => {
    // All that was confirmed is durable by now; what is on its way is waited for.
    await server.peers.durable(server.broker.core.awaitBatch());
    return backUp(store, dataDir, path);
  };
}

/** Opens a data folder without listening. When it rejects, nothing is left open. */
export async function openBroker(settings: Settings): Promise<OpenBroker> {
  const version = readVersion();
  const opened = await openStore(settings, version);
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

/** Whether a folder has the data of a broker. Rejects with a StoreError when it had, and that is gone. */
export async function holdsData(dataDir: string): Promise<boolean> {
  return (await signOfData(dataDir)) !== null || hasData(dataDir);
}

/** What a check of a data folder found, and where the data lies as it was before a repair. */
export interface CheckedData {
  readonly report: CheckReport;
  /** Null: nothing was repaired. */
  readonly copy: string | null;
}

/**
 * Inspects the data folder of a stopped broker, and with `repair` takes out what is damaged, of which a
 * copy is kept. `progress` is called now and then. Rejects when the data cannot be read at all.
 */
export async function checkData(
  settings: Settings,
  repair: boolean,
  progress: () => void,
): Promise<CheckedData> {
  const report = await withStore(settings, async (store) => {
    const { checkTrees } = await import('./store/lmdb/check-tree.ts');
    const wrong = await checkTrees(join(settings.dataDir, 'store'));
    // Nothing that such a tree says can be relied on, and LMDB may end the process over it.
    return wrong.length > 0 ? reportOfTrees(wrong) : checkStart(store, progress);
  });
  if (!repair || !isMendable(report.damage)) return { report, copy: null };
  const copy = await keepDamaged(settings.dataDir, systemClock.wallMs());
  const damage = [...report.damage];
  let found = report;
  let fresh: readonly Damage[] = damage;
  // What is taken out may leave other rows without what they need. A repair is over when a start succeeds,
  // or it says what is in its way.
  for (let round = 0; round < REPAIR_ROUNDS_MAX && isMendable(fresh); round++) {
    const known = found;
    await withStore(settings, (store) => repairStore(store, known));
    found = await withStore(settings, (store) => checkStart(store, progress));
    fresh = notAmong(damage, found.damage);
    damage.push(...fresh);
  }
  if (isMendable(fresh)) damage.push(UNFINISHED);
  return { report: { ...report, damage }, copy };
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
  const opened = await openStore(settings, readVersion());
  try {
    return await compactStore(opened.store, settings.dataDir);
  } finally {
    await closeStore(opened);
  }
}

/** Runs something on the store of a stopped broker, and closes it; what it changed is on the disk then. */
async function withStore<T>(settings: Settings, run: (store: Store) => T | Promise<T>): Promise<T> {
  const opened = await openStore(settings, readVersion());
  try {
    return await run(opened.store);
  } finally {
    await closeStore(opened);
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

/** What a first start makes, and which users may log in only from this machine. */
function accessSettings(settings: Settings) {
  return {
    user: settings.defaultUser as string | null,
    password: settings.defaultPass,
    vhost: settings.defaultVhost,
    tags: settings.defaultUserTags,
    permission: {
      configure: settings.defaultConfigure,
      write: settings.defaultWrite,
      read: settings.defaultRead,
    },
    loopbackUsers: settings.loopbackUsers,
  };
}

function bringsUsers({ files }: DefinitionFiles): boolean {
  return files.some(({ json }) => {
    const { users } = (json ?? {}) as { readonly users?: unknown };
    return Array.isArray(users) && users.length > 0;
  });
}

/** Takes in the files of definitions, each wholly or not at all; throws a ConfigError. */
function loadDefinitions(
  broker: Broker,
  { files, hash }: DefinitionFiles,
  settings: Settings,
  logger: Logger,
): void {
  if (files.length === 0) return;
  const { policyRows } = broker;
  if (settings.skipUnchangedDefinitions && policyRows.importHash() === hash) {
    logger.info({ files: files.map(({ path }) => path) }, 'definitions are unchanged: not loaded');
    return;
  }
  for (const { path, json } of files) {
    const warnings = naming(path, () => importDefinitions(broker, json as JsonValue));
    for (const warning of warnings) logger.warn({ file: path }, warning);
    logger.info({ file: path }, 'definitions loaded');
  }
  policyRows.putImportHash(hash);
  broker.core.definitionChanged();
}

/** Runs what may refuse what a file says; the error names the file. */
function naming<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new ConfigError(path, error.message, 'correct the file, or take it off load_definitions');
  }
}

/** What the server stands on. */
function surroundings(
  settings: Settings,
  { folder, scratch }: OpenedStore,
  embedding: Embedding | null,
): Surroundings & { readonly machine: Machine } {
  // The memory of a program under test says nothing about a broker that has none to guard.
  const boundless = embedding !== null && settings.memory;
  const machine = boundless ? BOUNDLESS : thisMachine(folder?.path ?? null);
  return {
    machine,
    scratch,
    ...(embedding?.ports === undefined ? {} : { ports: embedding.ports }),
  };
}

/** Where the settings say to listen. */
function listenAddresses({ tcpListeners, sslListeners }: Settings): ListenAddress[] {
  const of = (kind: string, all: Listeners, tls: boolean): ListenAddress[] =>
    [...all].map(([name, address]) => ({ key: `listeners.${kind}.${name}`, ...address, tls }));
  return [...of('tcp', tcpListeners, false), ...of('ssl', sslListeners, true)];
}

/** From now on a start without the data of this folder is refused. */
async function noteData(dataDir: string, logger: Logger): Promise<void> {
  try {
    await markData(dataDir);
  } catch (err) {
    // A broker whose disk is full has to start all the same, for its consumers.
    logger.warn({ err }, 'that the data folder holds data could not be noted there');
  }
}
