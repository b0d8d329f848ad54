// Owns a node of a cluster from its start to its stop: it stands by, leads, and stands by again. Never knows how the log is
// reached: a LogClient does.

import type { Logger } from 'pino';
import { Neighbours } from '../../cluster/groups/neighbours.ts';
import { LogLook } from '../../cluster/log-look.ts';
import type { NodeAddress, NodeRow, Role } from '../../cluster/node-row.ts';
import { PeerClient } from '../../cluster/peers/peer-client.ts';
import { PeerServer } from '../../cluster/peers/peer-server.ts';
import { Presence, type SeenNode } from '../../cluster/presence.ts';
import { Standby, type StandbyEnd, type StandbySettings } from '../../cluster/standby.ts';
import { Timing } from '../../cluster/timing.ts';
import type { LiveSettings } from '../../config/live/live-settings.ts';
import { readVersion } from '../../config/version.ts';
import type { ClusterView } from '../../management/cluster/cluster-view.ts';
import type { ListenAddress } from '../../server/listen/listener.ts';
import { StoreError } from '../../store/errors.ts';
import { FORMAT_VERSION } from '../../store/format.ts';
import { closeStore, type OpenedStore, openStore } from '../../store/opened-store.ts';
import type {
  Presence as Channel,
  LogClient,
  LogFacts,
} from '../../store/replicated/log-client.ts';
import type { LogPlace } from '../../store/replicated/place.ts';
import { systemClock } from '../../util/clock.ts';
import { Guard } from '../../util/guard.ts';
import { KeptLines } from '../../util/log/kept-lines.ts';
import { keptLogger } from '../../util/log/safe-logger.ts';
import { UsageLook } from '../node-usage.ts';
import type { RunningBroker } from '../serve.ts';
import { Copies } from './copies.ts';
import { ownRow } from './own-row.ts';
import { peerHandlers } from './peer-handlers.ts';
import { placeOnceAnswered } from './place-of.ts';
import { openProxyPorts } from './proxy-ports.ts';
import { StandbyTools } from './standby-tools.ts';
import { Tally } from './tally.ts';
import { Term } from './term.ts';
import { clusterViewOf } from './view.ts';

/** Peers are some nodes; proxied clients come over the same port. */
const PEER_CONNECTIONS_MAX = 65_536;
/** How long the one that asks for stepping down has to take the answer, ms. */
const STEP_DOWN_MS = 200;
/** How long a node that has stepped down leaves the lead to others, which see within moments that it is free, ms. */
const HOLD_BACK_MS = 5000;
const STEPPED_DOWN = 'another node is to lead';

/** The log of a cluster, as a node is given it. */
export interface ClusterLog extends LogClient, Channel {
  /** How it is kept now. Rejects with an UnansweredError. */
  facts(): Promise<LogFacts>;
  /** What nodes of all groups of the cluster tell one another. */
  readonly allGroups: Channel;
}

/** A node of a cluster. */
class Member implements RunningBroker {
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
  private readonly guard: Guard;
  private readonly ports: StandbyTools;
  private readonly key: Buffer;
  private readonly startedMs = systemClock.monotonicMs();
  private fail: (error: Error) => void = () => {};
  private beginningEnded: () => void = () => {};
  private readonly ran: Promise<void>;
  private standby: Standby | null = null;
  private term: Term | null = null;
  private copies: Copies | null = null;
  private presence: Presence | null = null;
  private readonly neighbours: Neighbours;
  private peerServer: PeerServer | null = null;
  private peersAt: NodeAddress | null = null;
  private readonly look: LogLook;
  private readonly usage: UsageLook;
  private readonly view: ClusterView;
  private stopReason: string | null = null;
  private readonly tally = new Tally();
  /** The next time it follows, it leaves the lead to others for a while. */
  private holdsBack = false;
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
    this.look = new LogLook(client, this.timing, this.logger);
    this.usage = new UsageLook(live.settings, this.timing);
    this.neighbours = new Neighbours(client.allGroups, this.timing, () => this.row);
    this.view = clusterViewOf({
      settings: live.settings,
      look: this.look,
      nodes: () => this.nodes,
      counts: () => this.tally.counts(this.term, this.copies),
      leads: () => this.term?.broker != null,
      stepDown: (user) => this.stepDown(user),
      leaders: () => this.neighbours.all,
      wayTo: (group) => this.ports.wayTo(this.leaderOf(group)),
      place: (vhost, group) => this.term?.groups?.place(vhost, group) ?? null,
      mainFault: () => this.term?.groups?.fault ?? null,
      followMain: () => this.term?.followMain() ?? false,
      snapshot: () => this.snapshot(),
    });
    const { logger, timing, view } = this;
    this.guard = new Guard(logger, systemClock, () => false);
    this.ports = new StandbyTools({
      ...{ live, logger, timing, view },
      clock: systemClock,
      guard: this.guard,
      leader: () => this.leaderPort(),
    });
    this.ran = this.run().catch((error: unknown) => this.fail(error as Error));
  }

  get addresses(): readonly ListenAddress[] {
    return this.term?.broker?.addresses ?? this.ports.ports.addresses;
  }

  renewTls(): void {
    if (this.term?.broker == null) this.ports.ports.renewTls();
    else this.term.broker.renewTls();
  }

  async close(reason: string): Promise<void> {
    this.stopReason = reason;
    this.standby?.stop();
    this.term?.stop(reason);
    await this.ran;
    // It follows no longer.
    this.presence?.tell();
    await this.release();
  }

  /** The nodes that this one knows of, itself included. */
  get nodes(): readonly SeenNode[] {
    return this.presence?.nodes ?? [];
  }

  /** Releases what it holds besides the tables and the client. */
  async release(): Promise<void> {
    this.presence?.stop();
    this.neighbours.stop();
    this.look.stop();
    this.copies?.stop();
    await this.ports.close();
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
    const { standby, term } = this;
    const place = term?.log.place ?? standby?.follower.place ?? null;
    this.epoch = place?.epoch ?? this.epoch;
    this.last = Math.max(this.last, place?.seq ?? 0, standby?.last ?? 0, this.look.last);
    const { role, epoch, last, peersAt: peers } = this;
    const upMs = Math.round(systemClock.monotonicMs() - this.startedMs);
    const timeMs = term?.broker?.timeMs?.() ?? this.presence?.time.nowMs ?? null;
    const snapshots = this.copies?.places ?? [];
    const { usage } = this.usage;
    const facts = { role, epoch, last, peers, upMs, snapshots, timeMs, usage };
    return ownRow(this.live.settings, facts, { standby, term, look: this.look });
  }

  private stepDown(user: string): void {
    if (this.holdsBack) return;
    this.logger.warn({ user }, 'asked to step down');
    this.holdsBack = true;
    // After the answer to the one that asked.
    void this.timing.pause(STEP_DOWN_MS).then(() => this.term?.stop(STEPPED_DOWN));
  }

  private snapshot(): Promise<number> {
    const { copies } = this;
    if (copies !== null) return copies.make();
    return Promise.reject(new StoreError('this node does not follow the log yet', 'try again'));
  }

  private async run(): Promise<void> {
    await this.openPort();
    this.presence = new Presence(this.client, this.timing, () => this.row);
    await this.ports.listen();
    while (!this.stopping) {
      const opened = await this.open();
      let end: StandbyEnd = { is: 'stopped' };
      let logId = '';
      try {
        const place = await this.placeIn(opened);
        if (place !== null) {
          logId = place.logId;
          end = await this.standBy(opened, place);
        }
      } catch (error) {
        await closeStore(opened, false);
        throw error;
      }
      if (end.is === 'leads') await this.lead(opened, logId, end);
      else await closeStore(opened, false);
      if (end.is === 'behind') await this.copiesOf(logId).fetch(end.first, () => this.stopping);
    }
  }

  private placeIn(opened: OpenedStore): Promise<LogPlace | null> {
    const { client, timing, live } = this;
    const { clusterName } = live.settings;
    return placeOnceAnswered(opened, client, clusterName, timing.pause, () => this.stopping);
  }

  private async openPort(): Promise<void> {
    const { host, port } = this.live.settings.clusterListen;
    const handlers = peerHandlers({
      row: () => this.row,
      copies: () => this.copies,
      term: () => this.term,
    });
    const options = { host, port, key: this.key, connectionsMax: PEER_CONNECTIONS_MAX };
    this.peerServer = new PeerServer(options, handlers, this.guard, this.logger, systemClock);
    this.peersAt = await this.peerServer.listen();
  }

  /** The way to the node that leads; null: none is known to, or it is this one. */
  private leaderPort(): PeerClient | null {
    // One that was killed a moment ago has not been silent for long.
    const leader = this.nodes
      .filter((each) => each.role === 'leader' && each.running)
      .reduce<SeenNode | null>((a, b) => (a !== null && a.epoch > b.epoch ? a : b), null);
    return leader === null || leader.node === this.live.settings.clusterNode
      ? null
      : this.wayTo(leader);
  }

  /** The way to the node that leads another group. */
  private leaderOf(group: string): PeerClient | null {
    const node = this.neighbours.leaderOf(group);
    return node === null ? null : this.wayTo(node);
  }

  /** The way to a node; null: it is reached nowhere. */
  private wayTo({ node: name, peers }: NodeRow): PeerClient | null {
    const node = this.live.settings.clusterNode as string;
    return peers === null ? null : new PeerClient({ name, ...peers, key: this.key, node });
  }

  private async open(): Promise<OpenedStore> {
    const { settings } = this.live;
    const opened = await openStore({ ...settings, replicated: true }, readVersion());
    for (const warning of opened.folder?.warnings ?? []) this.logger.warn(warning);
    await this.ports.openControl(opened.folder?.path ?? null);
    return opened;
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
      holdBackMs: this.holdsBack ? HOLD_BACK_MS : 0,
    };
    this.holdsBack = false;
    const standby = new Standby(store, place, client, settings, timing);
    const copies = this.copiesOf(place.logId);
    await copies.keeper.start();
    this.standby = standby;
    if (this.stopping) standby.stop();
    logger.info({ record: place.seq, epoch: place.epoch }, 'following the log');
    this.presence?.tell();
    this.beginningEnded();
    copies.copies({ leads: false, copyTo: (folder) => store.copyTo(folder) });
    const closePorts = await openProxyPorts(live.settings, () => this.leaderPort(), logger, {
      timing,
      epoch: () => standby.follower.place.epoch,
      changed: () => this.ports.cutHandedOn(),
    });
    try {
      return await standby.run();
    } finally {
      closePorts();
      copies.copies(null);
      this.standby = null;
    }
  }

  private async lead(
    opened: OpenedStore,
    logId: string,
    end: Extract<StandbyEnd, { is: 'leads' }>,
  ): Promise<void> {
    const { client, live, logger, lines, timing, view, ports } = this;
    const { clusterLeaseMs: leaseMs, clusterRenewMs: renewMs } = live.settings;
    logger.info({ epoch: end.place.epoch }, 'this node leads');
    const lease = { leaseMs, renewMs };
    const { neighbours } = this;
    const around = {
      ...{ live, client, logger, lines, timing, logId, lease, view, ports, neighbours },
      timeMs: () => this.presence?.time.nowMs ?? null,
      leaderOf: (group: string) => this.leaderOf(group),
      snapshot: () => this.snapshot(),
    };
    const term = new Term(around, opened, end);
    const copies = this.copiesOf(logId);
    this.term = term;
    this.tally.begins();
    if (this.stopReason !== null) term.stop(this.stopReason);
    copies.copies({ leads: true, copyTo: (folder) => term.store.copyTables(folder) });
    try {
      await term.run(() => {
        for (const { key, host, port, tls } of this.addresses) {
          logger.info({ listener: key, host, port, tls }, 'listening');
        }
        this.presence?.tell();
        this.neighbours.tell();
      });
    } finally {
      copies.copies(null);
      this.tally.ended(term);
      this.term = null;
    }
  }
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
