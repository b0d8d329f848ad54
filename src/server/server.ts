// Owns the listeners, the connections, and the order of a turn's end: deliver, seal, confirm, write.
// Never handles a method.

import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { AmqpError } from '../amqp/errors.ts';
import type { BrokerListener } from '../broker/broker.ts';
import { Broker } from '../broker/broker.ts';
import type { CertificateView } from '../broker/view/host.ts';
import { CorruptRecordError } from '../store/checksum.ts';
import type { Store } from '../store/port.ts';
import type { Scratch } from '../store/scratch.ts';
import type { Clock } from '../util/clock.ts';
import { Guard } from '../util/guard.ts';
import { setImmediate } from '../util/system/runtime.ts';
import { TICK_MS, TimerWheel } from '../util/timers.ts';
import { type AccessSettings, EVERYTHING } from './access-settings.ts';
import type { AlarmGate } from './backpressure/alarm-gate.ts';
import { FlowControl } from './backpressure/flow-control.ts';
import { BOUNDLESS, type Machine } from './backpressure/machine.ts';
import { PartialBodies } from './backpressure/partial-bodies.ts';
import { PeerWatches } from './backpressure/peer-watches.ts';
import { memoryLimit, ResourceMonitor } from './backpressure/resource-monitor.ts';
import { StoreBackpressure } from './backpressure/store-backpressure.ts';
import type { Channel } from './channel/channel.ts';
import type { TimeoutRules } from './channel/delivery-timeouts.ts';
import { Connection } from './connection/connection.ts';
import type { Ending } from './connection/ending.ts';
import { forceClose } from './connection/forced-close.ts';
import type { ConnectionHost } from './connection/host.ts';
import { NodeLimits } from './connection/node-limits.ts';
import type { Acceptor, ListenAddress, Listener, TlsPeer } from './listen/listener.ts';
import { openListeners } from './listen/open-listeners.ts';
import { SocketLimit } from './listen/socket-limit.ts';
import { Streams } from './listen/stream-socket.ts';
import { logChanges } from './log/audit-log.ts';
import { LineQuota } from './log/line-quota.ts';
import { SetAsideLog } from './log/set-aside-log.ts';
import { type ServerPorts, SOUND_PORTS } from './ports.ts';
import type { ServerSettings } from './settings.ts';
import { TlsFiles } from './tls/files.ts';
import { ClockWatch } from './turn/clock-watch.ts';
import { CommitScheduler } from './turn/commit-scheduler.ts';
import { DurableWaiters } from './turn/durable-waiters.ts';
import { ExpiryTimer } from './turn/expiry-timer.ts';
import { ServerView } from './view/server-view.ts';
import type { Outbox } from './wire/outbox.ts';

/** So much input ends a turn early: what was just read is sent on while the cache still has it. */
const TURN_BYTES = 256 * 1024;

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
}

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
  readonly flow: FlowControl;
  readonly expiry: ExpiryTimer;
  /** Called once when the broker can no longer keep its promises. */
  onFatal: (error: Error) => void = () => {};
  private listeners: Listener[] = [];
  /** What tools see of the connections. */
  readonly peers: ServerView;
  readonly streams = new Streams(this);
  private readonly connections = new Set<Connection>();
  private outboxes: Outbox[] = [];
  private confirming: Channel[] = [];
  private readonly held = new DurableWaiters();
  private turnScheduled = false;
  private turnBytes = 0;
  private readonly committer: CommitScheduler;
  private readonly clockWatch: ClockWatch;
  private readonly tls: TlsFiles;
  readonly watches: PeerWatches;
  private readonly resources: ResourceMonitor;
  readonly room: SocketLimit;
  private readonly brake: StoreBackpressure;
  private readonly endTurn = (): void => this.turn();
  private draining: (() => void) | null = null;

  constructor(
    store: Store,
    settings: ServerSettings,
    access: AccessSettings,
    log: Logger,
    clock: Clock,
    version: string,
    { machine = BOUNDLESS, scratch = null, ports = SOUND_PORTS }: Surroundings = {},
  ) {
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
      requeues: settings.consumerTimeoutAction === 'requeue',
    };
    const memory = memoryLimit(settings, machine.memoryTotal);
    this.broker = new Broker(store, clock, this, {
      floods: settings,
      memoryBytesMax: memory * RESIDENT_PART,
      scratch,
    });
    const { core } = this.broker;
    this.limits = new NodeLimits(settings.connectionMax, settings.channelMaxPerNode, core.counts);
    this.brake = new StoreBackpressure(core, Math.min(WAITING_BYTES_MAX, memory * WAITING_PART));
    this.flow = new FlowControl(core.floods, this.wheel, clock);
    this.expiry = new ExpiryTimer(core, () => this.turnWanted());
    this.clockWatch = new ClockWatch(core, this.wheel, log);
    this.committer = new CommitScheduler(core, clock, this.wheel, () => this.turnWanted());
    this.broker.access.login.loopbackUsers = access.loopbackUsers;
    const { user: name, password, vhost, tags = [], permission = EVERYTHING, logCost } = access;
    const user = { password, tags, permission, ...(logCost === undefined ? {} : { logCost }) };
    this.room = new SocketLimit(settings.connectionMax, machine.socketMax, log, clock);
    const { wheel } = this;
    this.watches = new PeerWatches(settings, this.connections, core, memory, wheel, clock);
    const passage = new PartialBodies(
      this.broker.alarms,
      () => this.guards(),
      (limit) => this.watches.unfinished.relieveAlarm(limit),
    );
    this.resources = new ResourceMonitor(
      settings,
      machine,
      this.broker.alarms,
      core,
      wheel,
      clock,
      log,
      () => this.alarmsChanged(),
      () => passage.looked(),
    );
    this.peers = new ServerView(this);
    this.tls = new TlsFiles(settings, clock, log);
    const setAsideLog = new SetAsideLog(log, clock);
    setAsideLog.follow(core);
    this.broker.recover({ vhost, user: name === null ? null : { ...user, name } });
    setAsideLog.started(core);
    logChanges(this.broker.changes, log, this.lines);
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

  /** Where it listens. */
  get addresses(): readonly ListenAddress[] {
    return this.listeners.map((each) => each.address);
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

  get certificates(): readonly CertificateView[] {
    return this.tls.shownAt(this.addresses);
  }

  /** Stops accepting, tells every connection why, and waits until all are gone. */
  async closeConnections(reason: string): Promise<void> {
    for (const listener of this.listeners) listener.close();
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
    this.turn();
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
    this.expiry.clear();
  }

  /** Takes a damaged record, or what threw amid a change: the broker must stop. Whether it was that. */
  isFatal(error: unknown): boolean {
    if (!(error instanceof CorruptRecordError) && !this.broker.core.line.underWay) return false;
    this.onFatal(error as Error);
    return true;
  }

  // --- what the broker and connections tell ---

  turnWanted(): void {
    if (this.turnScheduled) return;
    this.turnScheduled = true;
    setImmediate(this.endTurn);
  }

  durable(): void {
    this.brake.durable();
    this.turnWanted();
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
    return new Promise((resolve) => this.holdUntil(definitionsBatch, resolve));
  }

  /** Runs `resume` once `batch` is durable. */
  holdUntil(batch: number, resume: () => void): void {
    this.held.add(batch, resume);
    this.broker.core.awaitBatch();
  }

  /** Keeps what an outbox is given from now on until `batch` is durable. */
  holdOutput(outbox: Outbox, batch: number): void {
    outbox.holdUntil(batch);
    this.held.addOutput(outbox);
  }

  outboxFilled(outbox: Outbox): void {
    this.outboxes.push(outbox);
    this.turnWanted();
  }

  listConfirms(channel: Channel): void {
    channel.confirmsListed = true;
    this.confirming.push(channel);
    this.turnWanted();
  }

  /** Told after each chunk of input. */
  chunkRead(connection: Connection, bytes: number): void {
    if (this.broker.core.floods.overdrawn !== null) this.flow.overdrawn(connection);
    this.brake.chunkRead(connection);
    this.turnBytes += bytes;
    if (this.turnBytes >= TURN_BYTES) this.turn();
  }

  connectionKnown(connection: Connection): void {
    this.room.newcomers.left(connection);
  }

  connectionEnded(connection: Connection, channel: Channel | null, how: Ending): void {
    this.peers.ended(connection, channel, how);
  }

  connectionGone(connection: Connection): void {
    this.connections.delete(connection);
    this.room.newcomers.left(connection);
    if (this.draining !== null && this.connections.size === 0) this.draining();
  }

  mayAccept(): boolean {
    if (!this.ports.admits()) return false;
    let sockets = this.streams.count;
    for (const listener of this.listeners) sockets += listener.socketCount;
    return this.room.admits(sockets);
  }

  accepted(socket: Socket, peer: TlsPeer | null): Connection {
    const connection = new Connection(this, socket, peer);
    this.connections.add(connection);
    const cut = (): void => connection.abort('it had not logged in, and gave way to another one');
    this.room.newcomers.came(connection, connection.facts.peerHost, cut);
    return connection;
  }

  /**
   * The end of a turn. Sealing comes after delivering, so that one batch holds a message and the
   * note that it was delivered; confirms and output come last, to leave in one write.
   */
  private turn(): void {
    this.turnScheduled = false;
    const { turnBytes } = this;
    this.turnBytes = 0;
    // A refusal that came out of a section has left nothing behind.
    this.broker.core.line.refused();
    try {
      const due = this.held.any && this.held.resume(this.broker.core.durableBatch);
      const more = this.broker.core.deliver() || due;
      this.committer.sealIfDue();
      this.sendConfirms();
      const outboxes = this.outboxes;
      this.outboxes = [];
      for (const outbox of outboxes) outbox.flush();
      this.resources.took(turnBytes);
      this.flow.turnEnded();
      this.expiry.turnEnded();
      if (this.broker.core.tend() || more) this.turnWanted();
    } catch (error) {
      this.onFatal(error as Error);
    }
  }

  private sendConfirms(): void {
    const channels = this.confirming;
    if (channels.length === 0) return;
    this.confirming = [];
    for (const channel of channels) {
      if (channel.flushConfirms(this.broker.core.durableBatch)) this.confirming.push(channel);
      else channel.confirmsListed = false;
    }
  }
}
