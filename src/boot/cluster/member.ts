// Owns a node of a cluster from its start to its stop: it stands by, leads, and stands by again. Never knows how the log is
// reached: a LogClient does.

import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { NodeAddress, NodeRow, Role } from '../../cluster/node-row.ts';
import { PeerClient } from '../../cluster/peers/peer-client.ts';
import { PeerServer } from '../../cluster/peers/peer-server.ts';
import { Presence, type SeenNode } from '../../cluster/presence.ts';
import { Standby, type StandbyEnd, type StandbySettings } from '../../cluster/standby.ts';
import { Timing } from '../../cluster/timing.ts';
import type { LiveSettings } from '../../config/live/live-settings.ts';
import { readVersion } from '../../config/version.ts';
import type { ListenAddress } from '../../server/listen/listener.ts';
import { StoreError } from '../../store/errors.ts';
import { FORMAT_VERSION, isNew } from '../../store/format.ts';
import { closeStore, type OpenedStore, openStore } from '../../store/opened-store.ts';
import { LOG_START } from '../../store/replicated/chain.ts';
import type { Presence as Channel, LogClient } from '../../store/replicated/log-client.ts';
import { type LogPlace, readPlace } from '../../store/replicated/place.ts';
import { systemClock } from '../../util/clock.ts';
import { Guard } from '../../util/guard.ts';
import { jsonText } from '../../util/json/json-writer.ts';
import { KeptLines } from '../../util/log/kept-lines.ts';
import { keptLogger } from '../../util/log/safe-logger.ts';
import type { RunningBroker } from '../serve.ts';
import { Copies } from './copies.ts';
import { ProxyPorts } from './proxy-ports.ts';
import { Term } from './term.ts';

/** Peers are some nodes; proxied clients come over the same port. */
const PEER_CONNECTIONS_MAX = 65_536;

/** How often it looks whether another node leads, ms: connections to one that only hangs are cut. */
const EPOCH_MS = 250;

/** The log of a cluster, as a node is given it. */
export interface ClusterLog extends LogClient, Channel {}

/** A node of a cluster. */
export class Member implements RunningBroker {
  readonly firstUser = null;
  readonly standsBy = true;
  readonly failed: Promise<Error>;
  /** Resolves once this node follows the log. */
  readonly begun: Promise<void>;
  private readonly live: LiveSettings;
  private readonly client: ClusterLog;
  private readonly logger: Logger;
  private readonly lines: KeptLines;
  private readonly timing: Timing;
  private readonly key: Buffer;
  private readonly startedMs = systemClock.monotonicMs();
  private fail: (error: Error) => void = () => {};
  private beginningEnded: () => void = () => {};
  private readonly ran: Promise<void>;
  private standby: Standby | null = null;
  private term: Term | null = null;
  private copies: Copies | null = null;
  private presence: Presence | null = null;
  private peerServer: PeerServer | null = null;
  private peersAt: NodeAddress | null = null;
  private stopReason: string | null = null;
  private last = 0;
  private epoch = 0;

  /** `key`: what the nodes know one another by, see `peerKey`. */
  constructor(live: LiveSettings, client: ClusterLog, key: Buffer, given: Logger) {
    this.live = live;
    this.client = client;
    this.key = key;
    this.lines = new KeptLines(systemClock);
    this.logger = keptLogger(given, this.lines);
    this.failed = new Promise((resolve) => {
      this.fail = resolve;
    });
    this.begun = new Promise((resolve) => {
      this.beginningEnded = resolve;
    });
    this.timing = new Timing(systemClock, (error) => this.fail(error as Error));
    this.ran = this.run().catch((error: unknown) => this.fail(error as Error));
  }

  get addresses(): readonly ListenAddress[] {
    return this.term?.broker?.addresses ?? [];
  }

  renewTls(): void {
    this.term?.broker?.renewTls();
  }

  async close(reason: string): Promise<void> {
    this.stopReason = reason;
    this.standby?.stop();
    this.term?.stop(reason);
    await this.ran;
    await this.release();
  }

  /** The nodes that this one knows of, itself included. */
  get nodes(): readonly SeenNode[] {
    return this.presence?.nodes ?? [];
  }

  /** Releases what it holds besides the tables and the client. */
  async release(): Promise<void> {
    this.presence?.stop();
    this.copies?.stop();
    await this.peerServer?.close();
    this.timing.stop();
    await this.client.close();
  }

  private get stopping(): boolean {
    return this.stopReason !== null;
  }

  private get role(): Role {
    if (this.term?.broker != null) return 'leader';
    return this.standby === null ? 'joining' : 'follower';
  }

  /** What this node tells the others of itself. */
  private get row(): NodeRow {
    const { standby, term, live } = this;
    const place = term?.log.place ?? standby?.follower.place ?? null;
    const applied = term?.log.appliedSeq ?? standby?.follower.applied.seq ?? 0;
    this.epoch = place?.epoch ?? this.epoch;
    this.last = Math.max(this.last, place?.seq ?? 0, standby?.last ?? 0);
    const { clusterNode, clusterAdvertise } = live.settings;
    const [amqp] = this.addresses;
    return {
      node: clusterNode as string,
      role: this.role,
      version: readVersion(),
      epoch: this.epoch,
      applied,
      last: this.last,
      ignored: standby?.follower.ignored ?? 0,
      amqp: clusterAdvertise ?? (amqp === undefined ? null : reachable(amqp)),
      peers: this.peersAt,
      snapshots: this.copies?.places ?? [],
      upMs: Math.round(systemClock.monotonicMs() - this.startedMs),
    };
  }

  private async run(): Promise<void> {
    await this.openPort();
    this.presence = new Presence(this.client, this.timing, () => this.row);
    while (!this.stopping) {
      const opened = await this.open();
      let end: StandbyEnd;
      let place: LogPlace;
      try {
        place = await this.placeOf(opened);
        end = await this.standBy(opened, place);
      } catch (error) {
        await closeStore(opened, false);
        throw error;
      }
      if (end.is === 'leads') await this.lead(opened, place.logId, end);
      else await closeStore(opened, false);
      if (end.is === 'behind') await this.copiesOf(place.logId).fetch(end.first);
    }
  }

  private async openPort(): Promise<void> {
    const { host, port } = this.live.settings.clusterListen;
    const guard = new Guard(this.logger, systemClock, () => false);
    const handlers = {
      status: () => jsonText(this.row),
      newest: () => this.copies?.keeper.newest ?? null,
      damaged: async (snapshot: Parameters<Copies['keeper']['damaged']>[0]) =>
        this.copies?.keeper.damaged(snapshot),
      upgrades: { amqp: (socket: Socket) => this.takeProxied(socket), http: null },
    };
    const options = { host, port, key: this.key, connectionsMax: PEER_CONNECTIONS_MAX };
    this.peerServer = new PeerServer(options, handlers, guard, this.logger, systemClock);
    this.peersAt = await this.peerServer.listen();
  }

  takeProxied(socket: Socket): void {
    const broker = this.term?.broker;
    if (broker?.takeProxied === undefined) socket.destroy();
    else broker.takeProxied(socket);
  }

  /** The way to the node that leads; null: none is known to, or it is this one. */
  private leaderPort(): PeerClient | null {
    // One that was killed a moment ago has not been silent for long.
    const leader = this.nodes
      .filter((each) => each.role === 'leader' && each.running)
      .reduce<SeenNode | null>((a, b) => (a !== null && a.epoch > b.epoch ? a : b), null);
    const { clusterNode: node } = this.live.settings;
    if (leader === null || leader.node === node || leader.peers === null) return null;
    const { host, port } = leader.peers;
    return new PeerClient({ name: leader.node, host, port, key: this.key, node: node as string });
  }

  private async open(): Promise<OpenedStore> {
    const { settings } = this.live;
    const opened = await openStore({ ...settings, replicated: true }, readVersion());
    for (const warning of opened.folder?.warnings ?? []) this.logger.warn(warning);
    return opened;
  }

  /** Where the tables are in the log. Rejects with a StoreError where they are not of it. */
  private async placeOf({ store, folder }: OpenedStore): Promise<LogPlace> {
    const { id } = await this.client.state();
    const place = readPlace(store);
    const where = folder?.path ?? 'memory';
    if (place === null) {
      if (isNew(store)) return { ...LOG_START, logId: id };
      throw new StoreError(
        `${where} holds the data of a broker that was in no cluster`,
        'begin a log with it (leveret cluster new-log), or name an empty folder',
      );
    }
    if (place.logId === id) return place;
    throw new StoreError(
      `${where} follows another log than the one of cluster ${this.live.settings.clusterName}`,
      'name the folder of this cluster, or an empty one, which is filled from the log',
    );
  }

  /** The snapshots of the log that the tables are known to be of. */
  private copiesOf(logId: string): Copies {
    if (this.copies === null) {
      const { client, timing, logger, key } = this;
      const { dataDir, clusterNode, clusterSnapshotBytes: snapshotBytes } = this.live.settings;
      const node = clusterNode as string;
      const nodes = (): readonly SeenNode[] => this.nodes;
      const around = { dataDir, node, snapshotBytes, client, timing, logger, key, nodes };
      this.copies = new Copies(around, logId);
    }
    return this.copies;
  }

  private async standBy({ store }: OpenedStore, place: LogPlace): Promise<StandbyEnd> {
    const { live, client, timing, logger } = this;
    const { clusterNode, clusterLeaseMs, clusterRenewMs } = live.settings;
    const settings: StandbySettings = {
      node: clusterNode as string,
      version: readVersion(),
      format: FORMAT_VERSION,
      leaseMs: clusterLeaseMs,
      renewMs: clusterRenewMs,
    };
    const standby = new Standby(store, place, client, settings, timing);
    const copies = this.copiesOf(place.logId);
    await copies.keeper.start();
    this.standby = standby;
    if (this.stopping) standby.stop();
    logger.info({ record: place.seq, epoch: place.epoch }, 'following the log');
    this.presence?.tell();
    this.beginningEnded();
    copies.copies({ leads: false, copyTo: (folder) => store.copyTo(folder) });
    const closePorts = await this.openProxy(standby);
    try {
      return await standby.run();
    } finally {
      closePorts();
      copies.copies(null);
      this.standby = null;
    }
  }

  /** Opens the AMQP ports while another node leads, where they are to be; what is returned closes them. */
  private async openProxy(standby: Standby): Promise<() => void> {
    const { settings } = this.live;
    if (settings.clusterFollower !== 'proxy') return () => {};
    const ports = new ProxyPorts(settings, () => this.leaderPort(), this.logger);
    await ports.open();
    let { epoch } = standby.follower.place;
    const stopWatching = this.timing.every(EPOCH_MS, async () => {
      const now = standby.follower.place.epoch;
      if (now !== epoch) ports.leaderChanged();
      epoch = now;
    });
    return () => {
      stopWatching();
      ports.close();
    };
  }

  private async lead(
    opened: OpenedStore,
    logId: string,
    end: Extract<StandbyEnd, { is: 'leads' }>,
  ): Promise<void> {
    const { client, live, logger, lines, timing } = this;
    const { clusterLeaseMs: leaseMs, clusterRenewMs: renewMs } = live.settings;
    logger.info({ epoch: end.place.epoch }, 'this node leads');
    const around = { live, client, logger, lines, timing, logId, lease: { leaseMs, renewMs } };
    const term = new Term(around, opened, end);
    const copies = this.copiesOf(logId);
    this.term = term;
    if (this.stopReason !== null) term.stop(this.stopReason);
    copies.copies({ leads: true, copyTo: (folder) => term.store.copyTables(folder) });
    try {
      await term.run(() => {
        for (const { key, host, port, tls } of this.addresses) {
          logger.info({ listener: key, host, port, tls }, 'listening');
        }
        this.presence?.tell();
      });
    } finally {
      copies.copies(null);
      this.term = null;
    }
  }
}

/** Where clients on other machines may reach a listener, as far as it can be known here. */
function reachable({ host, port }: ListenAddress): string {
  if (host === '0.0.0.0' || host === '::') return `${hostname()}:${port}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Starts a node of a cluster; resolves once it follows the log. Rejects where it cannot, and nothing is left open then. The
 * client is the node's from now on.
 */
export async function startMember(
  live: LiveSettings,
  client: ClusterLog,
  key: Buffer,
  logger: Logger,
): Promise<RunningBroker> {
  const member = new Member(live, client, key, logger);
  const failed = member.failed.then((error) => {
    throw error;
  });
  try {
    await Promise.race([member.begun, failed]);
    return member;
  } catch (error) {
    await member.release();
    throw error;
  }
}
