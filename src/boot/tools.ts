// Owns the wiring of what tools connect to: the HTTP API with the web UI, and the metrics. Never makes
// the broker: start.ts does.

import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { View } from '../broker/view.ts';
import type { LiveSettings } from '../config/live/live-settings.ts';
import type { Settings } from '../config/settings.ts';
import type { Context } from '../management/context.ts';
import type { ToolServer } from '../management/listen.ts';
import type { Machine } from '../server/backpressure/machine.ts';
import type { ListenAddress } from '../server/listen/listener.ts';
import { ProxiedSockets } from '../server/listen/proxied-sockets.ts';
import type { Server } from '../server/server.ts';
import type { TlsPeer } from '../server/tls/peer.ts';
import type { Clock } from '../util/clock.ts';
import type { KeptLines } from '../util/log/kept-lines.ts';
import { noteTls } from '../util/proxy/handed-on.ts';
import { WheelTimer } from '../util/timers.ts';
import { openFiles } from './node-usage.ts';
import { ToolPorts, type ToolServers } from './tool-ports.ts';

/** The broker that tools look at, and what is around it. */
export interface Looked {
  readonly server: Server;
  readonly live: LiveSettings;
  /** Null: the broker is in none. */
  readonly cluster: Context['cluster'];
  readonly machine: Machine;
  /** Null for a broker in memory. */
  readonly dataDir: string | null;
  readonly version: string;
  readonly logger: Logger;
  /** The last lines of the log. */
  readonly lines: KeptLines;
  readonly clock: Clock;
  readonly backup: Context['backup'];
  /** Null: the broker opens its own. */
  readonly ports: LentPorts | null;
}

/** Ports that are open already, and that a broker takes over while it leads. */
export interface LentPorts {
  readonly ports: ToolPorts;
  /** The broker serves there now. */
  lent(): void;
  /** Takes them back; resolves once the broker is given no connection any more. */
  giveBack(): Promise<void>;
}

/** What tools connect to, while a broker runs. */
export class Tools implements ToolServers {
  private readonly looked: Looked;
  private readonly context: Context;
  private readonly ports: ToolPorts;
  private readonly proxied: ProxiedSockets;
  private readonly timers: WheelTimer[] = [];
  private managementServer: ToolServer | null = null;
  private metricsServer: ToolServer | null = null;

  constructor(looked: Looked) {
    this.looked = looked;
    const { clock, live, logger, server } = looked;
    const around = { clock, live, logger, guard: server.peerGuard };
    this.ports = looked.ports?.ports ?? new ToolPorts(around, this);
    this.context = this.makeContext();
    this.proxied = new ProxiedSockets({
      wheel: server.wheel,
      peerGuard: server.peerGuard,
      mayAccept: () => true,
      accepted: (socket, tls) => this.takeHandedOn(socket, tls),
    });
  }

  /** Where tools connect. */
  get addresses(): ListenAddress[] {
    return this.ports.addresses;
  }

  /**
   * Opens the ports, or takes those over that are open. One that is taken is an error of the system; but where it is the
   * usual one, which a RabbitMQ on the machine may have, the broker goes without, and says so.
   */
  async listen(): Promise<void> {
    if (this.looked.ports !== null) {
      await this.ports.serveBy(this);
      this.looked.ports.lent();
      return;
    }
    const { dataDir } = this.looked;
    await this.ports.listen();
    if (dataDir !== null) await this.ports.openControl(dataDir);
  }

  async close(): Promise<void> {
    for (const timer of this.timers) this.looked.server.wheel.cancel(timer);
    const { ports } = this.looked;
    this.proxied.close();
    // Nothing may come to a server that is closed.
    if (ports !== null) await ports.giveBack();
    const closed = ports === null ? this.ports.close() : null;
    this.managementServer?.close();
    this.metricsServer?.close();
    await closed;
  }

  /** Reads the certificate again, for clients that connect from now on. */
  renewTls(): void {
    this.ports.renewTls();
  }

  /** Takes a connection of the HTTP API that another node has handed on, as its client's; see ProxiedSockets. */
  takeProxied(socket: Socket): void {
    this.proxied.accept(socket);
  }

  /** The same for one of the control socket there. */
  takeProxiedLocal(socket: Socket): void {
    socket.pause();
    const taken = this.management().then((server) => server.takeLocal(socket));
    this.looked.server.peerGuard.promise('control socket', taken, () => socket.destroy());
  }

  private takeHandedOn(socket: Socket, tls: TlsPeer | null): void {
    noteTls(socket, tls);
    socket.pause();
    const taken = this.management().then((server) => server.takeHandedOn(socket));
    this.looked.server.peerGuard.promise('HTTP connection', taken, () => socket.destroy());
  }

  async metrics(): Promise<ToolServer> {
    if (this.metricsServer === null) {
      const { prometheusPerObject: perObject, prometheusPath: path } = this.looked.live.settings;
      const { prometheusServer } = await import('../metrics/listen.ts');
      this.metricsServer = prometheusServer(this.context, { perObject, path });
    }
    return this.metricsServer;
  }

  async management(): Promise<ToolServer> {
    const { managementServer } = await import('../management/listen.ts');
    if (this.managementServer === null) {
      this.managementServer = managementServer(this.context);
      const { startHistory } = await import('../management/history/looks.ts');
      startHistory(this.context);
    }
    return this.managementServer;
  }

  private makeContext(): Context {
    const { server, live, cluster, machine, dataDir, version, logger, lines, clock, backup } =
      this.looked;
    const { wheel } = server;
    const { settings } = live;
    return {
      view: new View(server.broker, version, server.view),
      cluster,
      clock,
      log: logger,
      logLines: lines,
      admitsLine: (kind) => server.lines.admits(kind),
      guard: server.peerGuard,
      facts: {
        startedMs: clock.monotonicMs(),
        pid: process.pid,
        dataDir,
        socketMax: machine.socketMax,
        openFiles,
        residentBytes: () => process.memoryUsage.rss(),
      },
      bodyBytesMax: settings.managementBodyBytesMax,
      pathPrefix: settings.managementPathPrefix,
      allowedPages: {
        get hosts() {
          return settings.managementAllowedHosts;
        },
        get origins() {
          return settings.managementAllowedOrigins;
        },
        machine: hostname(),
      },
      plainWebSocket: plainWebSocket(settings),
      statisticsIntervalMs: settings.statisticsIntervalMs,
      get openProbes() {
        return settings.managementOpenProbes;
      },
      ports: () => this.ports.places,
      certificates: () => this.ports.certificates,
      settings: live,
      acceptAmqp: (stream, below) => server.streams.accept(stream, below),
      backup,
      delay: (delayMs) =>
        new Promise((resolve) => wheel.schedule(new WheelTimer(resolve), delayMs)),
      repeat: (intervalMs, act) => {
        const next = typeof intervalMs === 'number' ? () => intervalMs : intervalMs;
        const timer = new WheelTimer(() => {
          wheel.schedule(timer, next());
          act();
        });
        this.timers.push(timer);
        wheel.schedule(timer, next());
      },
    };
  }
}

/** What asks for TLS on all AMQP listeners must not be got round by another port. */
function plainWebSocket({ managementWebSocket, tcpListeners }: Settings): boolean {
  return managementWebSocket === 'auto' ? tcpListeners.size > 0 : managementWebSocket === 'on';
}
