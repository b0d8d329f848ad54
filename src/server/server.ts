// Owns making the parts of a server, starting and stopping them, and its connections. Never handles a
// method, nor orders what a turn does: turn/turn.ts does.

import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { AmqpError } from '../amqp/errors.ts';
import type { BrokerListener } from '../broker/broker.ts';
import { Broker } from '../broker/broker.ts';
import type { CoreOptions } from '../broker/core/core.ts';
import type { CertificateView } from '../broker/view/server-port.ts';
import type { Store } from '../store/port.ts';
import type { Scratch } from '../store/scratch.ts';
import type { Clock } from '../util/clock.ts';
import { Guard } from '../util/guard.ts';
import { TICK_MS, TimerWheel } from '../util/timers.ts';
import { type AccessSettings, EVERYTHING } from './access-settings.ts';
import type { AlarmGate } from './backpressure/alarm-gate.ts';
import { FlowControl } from './backpressure/flow-control.ts';
import { BOUNDLESS, type Machine } from './backpressure/machine.ts';
import { PartialBodies } from './backpressure/partial-bodies.ts';
import { PeerWatches } from './backpressure/peer-watches.ts';
import { type LogSpace, memoryLimit, ResourceMonitor } from './backpressure/resource-monitor.ts';
import { StoreBackpressure } from './backpressure/store-backpressure.ts';
import type { Channel } from './channel/channel.ts';
import type { TimeoutRules } from './channel/delivery-timeouts.ts';
import { Connection } from './connection/connection.ts';
import type { Ending } from './connection/ending.ts';
import { forceClose } from './connection/forced-close.ts';
import { HandedOver } from './connection/hand-over.ts';
import type { ConnectionHost } from './connection/host.ts';
import { NodeLimits } from './connection/node-limits.ts';
import type { GroupPlaces } from './group-places.ts';
import type { Acceptor, ListenAddress, Listener } from './listen/listener.ts';
import { ListenerIntake } from './listen/listener-intake.ts';
import { openListeners } from './listen/open-listeners.ts';
import { ProxiedSockets } from './listen/proxied-sockets.ts';
import { SocketLimit } from './listen/socket-limit.ts';
import { Streams } from './listen/stream-socket.ts';
import { logChanges } from './log/audit-log.ts';
import { LineQuota } from './log/line-quota.ts';
import { SetAsideLog } from './log/set-aside-log.ts';
import { type ServerPorts, SOUND_PORTS } from './ports.ts';
import type { ServerSettings } from './settings.ts';
import { TlsFiles } from './tls/files.ts';
import type { TlsPeer } from './tls/peer.ts';
import { ClockWatch } from './turn/clock-watch.ts';
import { Turn } from './turn/turn.ts';
import { ServerView } from './view/server-view.ts';

/** Stored messages may keep so much of the memory limit: they must never be what raises the alarm. */
const RESIDENT_PART = 0.125;

/** What may wait for the disk, which the store holds in memory twice, and for the part of the limit. */
const WAITING_BYTES_MAX = 96 * 2 ** 20;
const WAITING_PART = 0.125;

/** What a server stands on, where it is not given all there is. */
export interface Surroundings {
  readonly machine?: Machine;
  /** Where transient messages go that memory has no room for; null: they stay there. */
  readonly scratch?: Scratch | null;
  readonly ports?: ServerPorts;
  /** The log that it shares with other nodes; null: it shares none. */
  readonly logSpace?: LogSpace | null;
  /**
   * Asked before confirms are sent, also of what needs no disk. Where it says no, they wait for the next turn: the caller
   * wants one once it says yes.
   */
  readonly mayConfirm?: () => boolean;
  /** The time that the queues of this store lived by on another machine, now, ms; null: the time of day counts. */
  readonly timeMs?: number | null;
  /** Given for a broker of a cluster with several groups of vhosts. */
  readonly groups?: GroupPlaces;
}

const ALWAYS = (): boolean => true;

/** What becomes of late deliveries where neither their consumer nor their queue says. */
function actionOf({ consumerTimeoutAction }: ServerSettings): TimeoutRules['action'] {
  return consumerTimeoutAction === 'close_channel' ? 'close' : consumerTimeoutAction;
}

/** What the settings come to for the data plane. */
function coreOptions(
  settings: ServerSettings,
  memory: number,
  { scratch = null, timeMs = null, groups }: Surroundings,
): CoreOptions {
  const { nodeName, clusterName, defaultQueueType: type } = settings;
  return {
    flowSettings: settings,
    memoryBytesMax: memory * RESIDENT_PART,
    scratch,
    nodeName,
    clusterName,
    ...(groups === undefined ? {} : { group: groups.own }),
    defaultQueueType: type === 'classic' ? null : type,
    timeMs,
  };
}

/** How much may wait for the disk, bytes. */
const waitingBytesMax = (memory: number): number =>
  Math.min(WAITING_BYTES_MAX, memory * WAITING_PART);

/** The AMQP server around one broker. */
export class Server implements BrokerListener, Acceptor, ConnectionHost {
  readonly broker: Broker;
  readonly settings: ServerSettings;
  readonly log: Logger;
  readonly clock: Clock;
  readonly version: string;
  /** What every listener, timer and callback that a peer's bytes reach is under. */
  readonly peerGuard: Guard;
  readonly wheel: TimerWheel;
  readonly timeoutRules: TimeoutRules;
  /** For lines that peers cause as they like. */
  readonly lines: LineQuota;
  readonly limits: NodeLimits;
  readonly ports: ServerPorts;
  readonly groups: GroupPlaces | null;
  readonly flow: FlowControl;
  readonly turn: Turn;
  /** The user that this start has made, since the store was empty; null: none. */
  firstUser: string | null = null;
  /** Called once when the broker can no longer keep its promises. */
  onFatal: (error: Error) => void = () => {};
  private listeners: Listener[] = [];
  /** At its ports and over other transports. */
  readonly intake = new ListenerIntake(() => this.listeners);
  /** What tools see of the connections. */
  readonly view: ServerView;
  readonly streams = new Streams(this);
  /** Those that other nodes of the cluster hand on. */
  readonly proxied = new ProxiedSockets(this);
  /** Those that other nodes of the cluster serve. */
  readonly handedOver = new HandedOver();
  private readonly connections = new Set<Connection>();
  private readonly clockWatch: ClockWatch;
  private readonly tls: TlsFiles;
  readonly watches: PeerWatches;
  private readonly resources: ResourceMonitor;
  readonly socketLimit: SocketLimit;
  private draining: (() => void) | null = null;

  constructor(
    store: Store,
    settings: ServerSettings,
    access: AccessSettings,
    log: Logger,
    clock: Clock,
    version: string,
    around: Surroundings = {},
  ) {
    const { machine = BOUNDLESS, ports = SOUND_PORTS, logSpace = null } = around;
    this.groups = around.groups ?? null;
    this.ports = ports;
    this.settings = settings;
    this.log = log;
    this.clock = clock;
    this.version = version;
    this.peerGuard = new Guard(log, clock, (error) => this.isFatal(error));
    this.wheel = new TimerWheel(clock, TICK_MS, (error) => this.peerGuard.failed('timer', error));
    this.lines = new LineQuota(log, this.wheel);
    this.timeoutRules = {
      wheel: this.wheel,
      clock,
      defaultMs: settings.consumerTimeoutMs,
      action: actionOf(settings),
    };
    const memory = memoryLimit(settings, machine.memoryTotal);
    this.broker = new Broker(store, clock, this, coreOptions(settings, memory, around));
    const { core, alarms } = this.broker;
    const { connectionMax, channelMaxPerNode } = settings;
    this.limits = new NodeLimits(connectionMax, channelMaxPerNode, core.counts, core.nodeName);
    this.flow = new FlowControl(core.flowQuotas, this.wheel, clock);
    this.clockWatch = new ClockWatch(core, this.wheel, log);
    this.broker.access.login.loopbackUsers = access.loopbackUsers;
    this.socketLimit = new SocketLimit(connectionMax, machine.socketMax, log, clock);
    const { wheel, connections } = this;
    this.watches = new PeerWatches(settings, connections, core, memory, wheel, clock);
    const passage = new PartialBodies(
      alarms,
      () => this.guards(),
      (limit) => this.watches.unfinished.relieveAlarm(limit),
    );
    this.resources = new ResourceMonitor(settings, {
      ...{ machine, alarms, logSpace, wheel, clock, log },
      inFlight: core,
      changed: () => this.alarmsChanged(),
      stillOn: () => passage.looked(),
    });
    this.turn = new Turn({
      core,
      clock,
      wheel: this.wheel,
      flow: this.flow,
      storeBackpressure: new StoreBackpressure(core, waitingBytesMax(memory)),
      resources: this.resources,
      mayConfirm: around.mayConfirm ?? ALWAYS,
      onFatal: (error) => this.onFatal(error),
    });
    this.view = new ServerView(this);
    this.tls = new TlsFiles(settings, clock, log);
    this.recover(access);
    logChanges(this.broker.changes, log, this.lines);
  }

  /** Has the broker read what the store holds; an empty one gets the vhost and user of `access`. */
  private recover(access: AccessSettings): void {
    const { user: name, password, vhost, tags = [], permission = EVERYTHING, logCost } = access;
    const user = { password, tags, permission, ...(logCost === undefined ? {} : { logCost }) };
    const setAsideLog = new SetAsideLog(this.log, this.clock);
    setAsideLog.follow(this.broker.core);
    const fresh = this.broker.recover({ vhost, user: name === null ? null : { ...user, name } });
    this.firstUser = fresh ? name : null;
    setAsideLog.started(this.broker.core);
  }

  /**
   * Starts to take connections; resolves with the addresses, the ports being the real ones. Rejects
   * with the system's error, or with a TlsError.
   */
  async listen(addresses: readonly ListenAddress[]): Promise<readonly ListenAddress[]> {
    this.wheel.start();
    this.watches.start();
    this.resources.start();
    this.clockWatch.start();
    if (addresses.some((each) => each.tls)) await this.tls.load();
    const context = this.tls.current;
    this.listeners = await openListeners(addresses, this.settings, context, this);
    return this.addresses;
  }

  /** Where it listens: at the ports that are open. */
  get addresses(): readonly ListenAddress[] {
    return this.listeners.filter((each) => each.isOpen).map((each) => each.address);
  }

  get openConnections(): ReadonlySet<Connection> {
    return this.connections;
  }

  /** Reads the files of TLS again. When they are no good, that is logged and all stays as it is. */
  renewTls(): void {
    const context = this.tls.renew();
    if (context === null) return;
    for (const listener of this.listeners) listener.renew(context);
    const { subject, validTo } = context.certificate;
    this.log.info({ subject, validTo }, 'certificates read again');
  }

  /** The settings have changed: from now on it goes by what they say. */
  settingsChanged(): void {
    const { settings } = this;
    this.timeoutRules.action = actionOf(settings);
    if (this.timeoutRules.defaultMs !== settings.consumerTimeoutMs) {
      this.timeoutRules.defaultMs = settings.consumerTimeoutMs;
      for (const { channels } of this.connections) {
        for (const channel of channels.each()) channel.defaultTimeoutChanged();
      }
    }
    this.limits.connectionMax = settings.connectionMax;
    this.limits.channelMax = settings.channelMaxPerNode;
    this.socketLimit.connectionMax = settings.connectionMax;
    this.resources.settingsChanged(settings);
  }

  get certificates(): readonly CertificateView[] {
    return this.tls.shownAt(this.addresses);
  }

  /** Stops accepting, tells every connection why, and waits until all are gone. */
  async closeConnections(reason: string): Promise<void> {
    for (const listener of this.listeners) listener.close();
    this.proxied.close();
    this.handedOver.cut();
    await this.drain(reason);
    for (const listener of this.listeners) listener.cut();
  }

  private async drain(reason: string): Promise<void> {
    if (this.connections.size === 0) return;
    const drained = new Promise<void>((resolve) => {
      this.draining = resolve;
    });
    const text = `broker forced connection closure with reason '${reason}'`;
    for (const connection of [...this.connections]) {
      connection.close(new AmqpError('CONNECTION_FORCED', text, { reason: 'stopped' }), 0);
      connection.closing.hurry();
    }
    this.turn.end();
    await drained;
  }

  /** Seals what is left, marks what was delivered, and stops the timers. */
  finish(): void {
    this.broker.sealExactMarks();
    this.broker.core.seal();
    this.watches.stop();
    this.resources.stop();
    this.flow.stop();
    this.lines.stop();
    this.wheel.stop();
    this.turn.expiry.clear();
  }

  /** Takes what threw amid a change: the broker must stop. Whether it was that. */
  isFatal(error: unknown): boolean {
    if (!this.broker.core.line.underWay) return false;
    this.onFatal(error as Error);
    return true;
  }

  // --- what the broker and connections tell ---

  turnWanted(): void {
    this.turn.want();
  }

  durable(): void {
    this.turn.durable();
  }

  connectionsForced(of: object, reason: string): void {
    const theirs = [...this.connections].filter((connection) => connection.isOf(of));
    forceClose(theirs, reason, this.broker.core.slices);
  }

  /** Something has become short, or is short no more. */
  private alarmsChanged(): void {
    for (const guard of [...this.guards()]) {
      this.peerGuard.run('alarm', () => guard.alarmsChanged());
    }
  }

  private *guards(): Iterable<AlarmGate> {
    for (const { guard } of this.connections) yield guard;
  }

  /** Resolves when all that is declared so far is durable. */
  definitionsDurable(): Promise<void> {
    const { definitionsBatch, durableBatch } = this.broker.core;
    if (definitionsBatch <= durableBatch) return Promise.resolve();
    return this.turn.untilDurable(definitionsBatch);
  }

  connectionKnown(connection: Connection): void {
    this.socketLimit.newcomers.left(connection);
  }

  connectionEnded(connection: Connection, channel: Channel | null, how: Ending): void {
    this.view.ended(connection, channel, how);
  }

  connectionGone(connection: Connection): void {
    this.connections.delete(connection);
    this.socketLimit.newcomers.left(connection);
    if (this.draining !== null && this.connections.size === 0) this.draining();
  }

  mayAccept(): boolean {
    if (this.intake.suspended || !this.ports.admits()) return false;
    let sockets = this.streams.count + this.proxied.count;
    for (const listener of this.listeners) sockets += listener.socketCount;
    return this.socketLimit.allows(sockets);
  }

  accepted(socket: Socket, peer: TlsPeer | null): Connection {
    const connection = new Connection(this, socket, peer);
    this.connections.add(connection);
    const cut = (): void => connection.abort('it had not logged in, and gave way to another one');
    this.socketLimit.newcomers.came(connection, connection.facts.peerHost, cut);
    return connection;
  }
}
