// Owns what becomes of an opened store: a broker that reads its state out of it, and listens. Never opens the store.

import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { DefinitionFiles } from '../config/definition-files.ts';
import type { LiveSettings } from '../config/live/live-settings.ts';
import type { Settings } from '../config/settings.ts';
import type { ClusterView } from '../management/cluster/cluster-view.ts';
import type { AccessSettings } from '../server/access-settings.ts';
import { BOUNDLESS, type Machine, thisMachine } from '../server/backpressure/machine.ts';
import type { LogSpace } from '../server/backpressure/resource-monitor.ts';
import type { GroupPlaces } from '../server/group-places.ts';
import type { ListenAddress } from '../server/listen/listener.ts';
import type { ServerPorts } from '../server/ports.ts';
import { Server, type Surroundings } from '../server/server.ts';
import { type BackupReport, backUp } from '../store/backup.ts';
import { markData } from '../store/has-data.ts';
import { closeStore, type OpenedStore } from '../store/opened-store.ts';
import type { Store } from '../store/port.ts';
import { type Clock, systemClock } from '../util/clock.ts';
import type { KeptLines } from '../util/log/kept-lines.ts';
import { HeapGrowth } from '../util/system/heap-growth.ts';
import { bringsUsers, loadDefinitions } from './definitions.ts';
import { accessSettings, listenAddresses } from './from-settings.ts';
import { type LentPorts, Tools } from './tools.ts';

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
  /** Whether it may stand by, where it listens to no client: it says itself then when it does. */
  readonly standsBy?: boolean;
  /** Where it really listens, also when the settings asked for free ports; those without TLS first. */
  readonly addresses: readonly ListenAddress[];
  /** The user that this start has made, since the data folder was empty; null: none. */
  readonly firstUser: string | null;
  /** Resolves, never rejects, when the broker can go on no longer: the store failed. */
  readonly failed: Promise<Error>;
  /** Reads the certificates again; connections there are stay as they are. */
  renewTls(): void;
  /** Takes a connection that another node has handed on, see `ProxiedSockets`. */
  takeProxied?(socket: Socket): void;
  /** The time that its queues live by, ms. */
  timeMs?(): number;
  /** What speaks AMQP in it. */
  readonly server?: Server;
  /** Its ports for tools, which take what another node has handed on. */
  readonly tools?: Tools;
  /** Takes no more connections, tells those there are 320 with this reason, finishes the commit. */
  close(reason: string): Promise<void>;
}

/** What a start goes by. */
export interface Start {
  readonly live: LiveSettings;
  readonly settings: Settings;
  readonly logger: Logger;
  readonly lines: KeptLines;
  readonly version: string;
  readonly definitions: DefinitionFiles;
  readonly opened: OpenedStore;
  readonly embedding: Embedding | null;
  /** Given for one that leads others, with what its tools see of them. */
  readonly lead?: Lead;
  readonly cluster?: ClusterView;
  readonly groups?: GroupPlaces;
  /** The ports of tools where they are open already. */
  readonly ports?: LentPorts;
}

/** What a broker goes by that leads others. */
export interface Lead {
  /** Whether it knows that it leads still: else it must confirm nothing. */
  readonly sure: boolean;
  /** The log that it writes to. */
  readonly logSpace: LogSpace;
  /** Sets the one listener told that it is sure again. */
  onSure(listener: () => void): void;
  /** The time that queues lived by under other leaders, ms; null: it is not known. */
  readonly timeMs: number | null;
}

/** Has a broker read what an opened store holds, and listen. When it rejects, the store is closed. */
export async function startOn(start: Start): Promise<RunningBroker> {
  try {
    const recovered = recover(start);
    await settled(start, recovered);
    return await serve(start, recovered);
  } catch (error) {
    await closeStore(start.opened, false);
    throw error;
  }
}

/** A broker whose state is read, and which does not listen yet. */
interface Recovered {
  readonly server: Server;
  readonly machine: Machine;
  readonly clock: Clock;
  /** Resolves, never rejects, when the broker can go on no longer. */
  readonly failed: Promise<Error>;
}

/** Makes the server over the store, and takes in what files and the program around it declare. */
function recover(start: Start): Recovered {
  const { settings, logger, version, definitions, opened, embedding, lead, groups } = start;
  const { store, scratch } = opened;
  const access = { ...accessSettings(settings), ...embedding?.access };
  // An operator that brings users wants no other user, least of all one with a well-known password.
  if (bringsUsers(definitions)) access.user = null;
  const around = {
    ...surroundings(settings, opened, embedding),
    ...(lead === undefined ? {} : leading(lead)),
    ...(groups === undefined ? {} : { groups }),
  };
  const clock = embedding?.clock ?? systemClock;
  const server = new Server(store, settings, access, logger, clock, version, around);
  lead?.onSure(() => server.turnWanted());
  loadDefinitions(server.broker, definitions, settings, logger);
  embedding?.prepare(server);
  const failed = new Promise<Error>((resolve) => {
    store.onFailure(resolve);
    scratch?.onFailure(resolve);
    server.onFatal = resolve;
  });
  return { server, machine: around.machine, clock, failed };
}

/** Waits until all that is declared is durable: no client logs in as a user that is not on the disk yet. */
async function settled(
  { opened, logger, lead }: Start,
  { server, failed }: Recovered,
): Promise<void> {
  const broken = failed.then((error) => {
    throw error;
  });
  await Promise.race([server.definitionsDurable(), broken]);
  if (opened.folder !== null && lead === undefined) await noteData(opened.folder.path, logger);
}

/** Opens the ports. When it rejects, none is open. */
async function serve(start: Start, recovered: Recovered): Promise<RunningBroker> {
  const { live, settings, logger, lines, version, opened, embedding } = start;
  const { server, machine, clock, failed } = recovered;
  const stopFollowing = live.onChange(() => {
    server.settingsChanged();
    // A program says itself which of its users are loopback users.
    if (embedding === null) server.broker.access.login.loopbackUsers = settings.loopbackUsers;
  });
  const heapGrowth = new HeapGrowth();
  if (embedding === null) heapGrowth.start();
  const amqp = await server.listen(listenAddresses(settings));
  const dataDir = opened.folder?.path ?? null;
  const backup = dataDir === null ? null : backupOf(server, opened.store, dataDir);
  const { cluster = null, ports = null } = start;
  const around = { live, dataDir, version, logger, lines, clock };
  const tools = new Tools({ ...around, server, cluster, ports, machine, backup });
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
    stopFollowing();
    const toolsClosed = tools.close();
    await server.closeConnections(reason);
    await toolsClosed;
    heapGrowth.stop();
    server.finish();
    await closeStore(opened);
  };
  const takeProxied = (socket: Socket): void => server.proxied.accept(socket);
  const timeMs = (): number => server.broker.core.time.now();
  const { firstUser } = server;
  return { addresses, firstUser, failed, renewTls, takeProxied, timeMs, server, tools, close };
}

/** What copies the data of a broker that runs. */
function backupOf(server: Server, store: Store, dataDir: string) {
  return async (path: string): Promise<BackupReport> => {
    // All that was confirmed is durable by now; what is on its way is waited for.
    await server.view.durable(server.broker.core.awaitBatch());
    return backUp(store, dataDir, path);
  };
}

/** What the server of one that leads others goes by. */
function leading(lead: Lead): Surroundings {
  return { mayConfirm: () => lead.sure, logSpace: lead.logSpace, timeMs: lead.timeMs };
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

/** From now on a start without the data of this folder is refused. */
async function noteData(dataDir: string, logger: Logger): Promise<void> {
  try {
    await markData(dataDir);
  } catch (err) {
    // A broker whose disk is full has to start all the same, for its consumers.
    logger.warn({ err }, 'that the data folder holds data could not be noted there');
  }
}
