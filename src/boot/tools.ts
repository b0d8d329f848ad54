// Owns the wiring of what tools connect to: the HTTP API with the web UI, and the metrics. Never makes
// the broker: start.ts does.

import { readdir } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { CertificateView } from '../broker/view/server-port.ts';
import { View } from '../broker/view.ts';
import type { LiveSettings } from '../config/live/live-settings.ts';
import { MANAGEMENT_PORT, PROMETHEUS_PORT } from '../config/management-settings.ts';
import type { Settings } from '../config/settings.ts';
import type { Context } from '../management/context.ts';
import type { Secure, ToolListener, ToolServer } from '../management/listen.ts';
import type { Machine } from '../server/backpressure/machine.ts';
import type { ListenAddress } from '../server/listen/listener.ts';
import { listenAt } from '../server/listen/loopback.ts';
import type { Server } from '../server/server.ts';
import type { TlsContext } from '../server/tls/context.ts';
import { TlsFiles } from '../server/tls/files.ts';
import type { Clock } from '../util/clock.ts';
import type { KeptLines } from '../util/log/kept-lines.ts';
import { WheelTimer } from '../util/timers.ts';
import { type ToolName, tlsNames, tlsSettings } from './tool-tls.ts';

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
}

/** The port of one tool, as the settings have it. */
interface Wanted {
  readonly key: string;
  /** What it is for, in the log. */
  readonly what: string;
  readonly protocol: string;
  readonly port: number | null;
  /** The port unless the operator chooses another; null: there is none. */
  readonly usual: number | null;
  readonly host: string | null;
  /** The certificate that it shows; null: it speaks no TLS. */
  readonly tls: TlsFiles | null;
  /** Loads what serves there: a broker without these ports does not pay for it. */
  readonly tool: () => Promise<ToolServer>;
}

const HOST = 'localhost';

/** What tools connect to, while a broker runs. */
export class Tools {
  private readonly looked: Looked;
  private readonly context: Context;
  private readonly open: {
    readonly key: string;
    readonly listener: ToolListener;
    readonly tls: TlsFiles | null;
  }[] = [];
  private readonly timers: WheelTimer[] = [];
  private readonly tls: TlsFiles;
  private readonly metricsTls: TlsFiles;
  private management: ToolServer | null = null;
  private metrics: ToolServer | null = null;
  private closeControl: () => Promise<void> = async () => {};

  constructor(looked: Looked) {
    this.looked = looked;
    this.context = this.makeContext();
    const { clock, logger } = looked;
    const { settings } = looked.live;
    const filesOf = (tool: ToolName): TlsFiles =>
      new TlsFiles(tlsSettings(tool, settings), clock, logger, tlsNames(tool, settings));
    this.tls = filesOf('management');
    this.metricsTls = filesOf('prometheus');
  }

  /** Where tools connect. */
  get addresses(): ListenAddress[] {
    return this.open.map(({ key, listener }) => {
      const { host, port, protocol } = listener.address;
      return { key, host, port, tls: protocol.startsWith('https') };
    });
  }

  /**
   * Opens the ports. One that is taken is an error of the system; but where it is the usual one, which
   * a RabbitMQ on the machine may have, the broker goes without, and says so.
   */
  async listen(): Promise<void> {
    const wanted = this.wanted();
    try {
      for (const each of wanted) await this.attempt(each);
      await this.openControl();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    for (const timer of this.timers) this.looked.server.wheel.cancel(timer);
    this.management?.close();
    await Promise.all([...this.open.map(({ listener }) => listener.close()), this.closeControl()]);
  }

  /** Reads the certificate again, for clients that connect from now on. */
  renewTls(): void {
    for (const files of [this.tls, this.metricsTls]) this.renewFiles(files);
  }

  /** The certificates that these files are shown as. */
  private shownBy(files: TlsFiles): readonly CertificateView[] {
    const ports = this.open.filter(({ tls }) => tls === files);
    return files.shownAt(ports.map(({ listener }) => ({ port: listener.address.port, tls: true })));
  }

  private renewFiles(files: TlsFiles): void {
    const context = files.renew();
    if (context === null) return;
    for (const { listener, tls } of this.open) if (tls === files) listener.renew(context.options);
  }

  private wanted(): readonly Wanted[] {
    const { settings } = this.looked.live;
    const management = { what: 'HTTP API and web UI', tool: () => this.managementServer() };
    const metrics = { what: 'metrics for Prometheus', tool: () => this.metricsServer() };
    return [
      {
        ...management,
        key: 'management.tcp',
        protocol: 'http',
        port: settings.managementPort,
        usual: MANAGEMENT_PORT,
        host: settings.managementHost,
        tls: null,
      },
      {
        ...management,
        key: 'management.ssl',
        protocol: 'https',
        port: settings.managementSslPort,
        usual: null,
        host: settings.managementSslHost,
        tls: this.tls,
      },
      {
        ...metrics,
        key: 'prometheus.tcp',
        protocol: 'http/prometheus',
        port: settings.prometheusPort,
        usual: PROMETHEUS_PORT,
        host: settings.prometheusHost,
        tls: null,
      },
      {
        ...metrics,
        key: 'prometheus.ssl',
        protocol: 'https/prometheus',
        port: settings.prometheusSslPort,
        usual: null,
        host: settings.prometheusSslHost,
        tls: this.metricsTls,
      },
    ];
  }

  private async metricsServer(): Promise<ToolServer> {
    if (this.metrics === null) {
      const { prometheusPerObject: perObject, prometheusPath: path } = this.looked.live.settings;
      const { prometheusServer } = await import('../metrics/listen.ts');
      this.metrics = prometheusServer(this.context, { perObject, path });
    }
    return this.metrics;
  }

  /** Opens the control socket in the data folder. A broker that cannot have one goes without, and says so. */
  private async openControl(): Promise<void> {
    const { dataDir, logger, server } = this.looked;
    if (dataDir === null || process.platform === 'win32') return;
    const { openControlSocket } = await import('../management/http/control-socket.ts');
    const failed = (err: unknown): void =>
      logger.warn({ err }, 'no control socket: tools on this machine need a login');
    const take = async (socket: Socket): Promise<void> =>
      (await this.managementServer()).takeLocal(socket);
    try {
      this.closeControl = await openControlSocket(dataDir, server.peerGuard, take, failed);
    } catch (error) {
      failed(error);
    }
  }

  private async managementServer(): Promise<ToolServer> {
    const { managementServer } = await import('../management/listen.ts');
    if (this.management === null) {
      this.management = managementServer(this.context);
      const { startHistory } = await import('../management/history/looks.ts');
      startHistory(this.context);
    }
    return this.management;
  }

  private async attempt(wanted: Wanted): Promise<void> {
    const { key, what, protocol, port, usual, host, tls, tool } = wanted;
    if (port === null) return;
    const { live, logger } = this.looked;
    const { tcpListeners, sslListeners } = live.settings;
    const amqp = tcpListeners.get('default') ?? sslListeners.get('default');
    const at = host ?? amqp?.host ?? HOST;
    const { listenForTool } = await import('../management/listen.ts');
    try {
      const secure = tls === null ? null : await this.secure(tls);
      await listenAt(at, port, async (host, port) => {
        const place = { protocol, host, port };
        const listener = await listenForTool(await tool(), place, secure, (error) =>
          logger.error({ err: error, listener: key }, 'listener failed'),
        );
        this.open.push({ key, listener, tls });
        return listener.address.port;
      });
    } catch (error) {
      const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (port !== usual || !taken) throw error;
      const wayOut = `stop that program, or set ${key}.port to another port, or to none`;
      logger.warn({ host: at, port }, `no ${what}: another program has the port; ${wayOut}`);
    }
  }

  private async secure(files: TlsFiles): Promise<Secure> {
    await files.load();
    const { options, createServer } = files.current as TlsContext;
    return {
      options,
      createServer,
      handshakeTimeoutMs: this.looked.live.settings.sslHandshakeTimeoutMs,
    };
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
      ports: () => this.open.map(({ listener }) => listener.address),
      certificates: () => [this.tls, this.metricsTls].flatMap((files) => this.shownBy(files)),
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

/** How many files this process has open; 0 where that cannot be seen. */
async function openFiles(): Promise<number> {
  try {
    return (await readdir('/proc/self/fd')).length;
  } catch {
    return 0;
  }
}
