// Owns the wiring of what tools connect to: the HTTP API with the web UI, and the metrics. Never makes
// the broker: main.ts does.

import { readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { View } from './broker/view.ts';
import { MANAGEMENT_PORT, PROMETHEUS_PORT } from './config/management-settings.ts';
import { SETTINGS, type Settings } from './config/settings.ts';
import type { Context } from './management/context.ts';
import type { Secure, ToolListener, ToolServer } from './management/listen.ts';
import type { Machine } from './server/backpressure/machine.ts';
import type { ListenAddress } from './server/listen/listener.ts';
import { listenAt } from './server/listen/loopback.ts';
import type { Server } from './server/server.ts';
import type { TlsContext, TlsNames, TlsSettings } from './server/tls/context.ts';
import { TlsFiles } from './server/tls/files.ts';
import type { Clock } from './util/clock.ts';
import { WheelTimer } from './util/timers.ts';

/** The broker that tools look at, and what is around it. */
export interface Looked {
  readonly server: Server;
  readonly settings: Settings;
  readonly machine: Machine;
  /** Null for a broker in memory. */
  readonly dataDir: string | null;
  readonly version: string;
  readonly logger: Logger;
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
  readonly tls: boolean;
  /** Loads what serves there: a broker without these ports does not pay for it. */
  readonly tool: () => Promise<ToolServer>;
}

const SECRET_KEYS = /pass|secret|key_?file/i;
const HOST = 'localhost';

/** What tools connect to, while a broker runs. */
export class Tools {
  private readonly looked: Looked;
  private readonly context: Context;
  private readonly open: { readonly key: string; readonly listener: ToolListener }[] = [];
  private readonly timers: WheelTimer[] = [];
  private readonly tls: TlsFiles;
  private management: ToolServer | null = null;

  constructor(looked: Looked) {
    this.looked = looked;
    this.context = this.makeContext();
    const { settings, clock, logger } = looked;
    this.tls = new TlsFiles(tlsSettings(settings), clock, logger, tlsNames(settings));
  }

  /** Where tools connect. */
  get addresses(): ListenAddress[] {
    return this.open.map(({ key, listener }) => {
      const { host, port, protocol } = listener.address;
      return { key, host, port, tls: protocol === 'https' };
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
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    for (const timer of this.timers) this.looked.server.wheel.cancel(timer);
    await Promise.all(this.open.map(({ listener }) => listener.close()));
  }

  /** Reads the certificate again, for clients that connect from now on. */
  renewTls(): void {
    const context = this.tls.renew();
    if (context === null) return;
    for (const { listener } of this.open) listener.renew(context.options);
  }

  private wanted(): readonly Wanted[] {
    const { settings } = this.looked;
    const management = { what: 'HTTP API and web UI', tool: () => this.managementServer() };
    return [
      {
        ...management,
        key: 'management.tcp',
        protocol: 'http',
        port: settings.managementPort,
        usual: MANAGEMENT_PORT,
        host: settings.managementHost,
        tls: false,
      },
      {
        ...management,
        key: 'management.ssl',
        protocol: 'https',
        port: settings.managementSslPort,
        usual: null,
        host: settings.managementSslHost,
        tls: true,
      },
      {
        key: 'prometheus.tcp',
        what: 'metrics for Prometheus',
        protocol: 'http/prometheus',
        port: settings.prometheusPort,
        usual: PROMETHEUS_PORT,
        host: settings.prometheusHost,
        tls: false,
        tool: async () => {
          const { prometheusServer } = await import('./metrics/listen.ts');
          return prometheusServer(this.context, settings.prometheusPerObject);
        },
      },
    ];
  }

  private async managementServer(): Promise<ToolServer> {
    const { managementServer } = await import('./management/listen.ts');
    this.management ??= managementServer(this.context);
    return this.management;
  }

  private async attempt(wanted: Wanted): Promise<void> {
    const { key, what, protocol, port, usual, host, tls, tool } = wanted;
    if (port === null) return;
    const { settings, logger } = this.looked;
    const at = host ?? settings.tcpListeners.get('default')?.host ?? HOST;
    const { listenForTool } = await import('./management/listen.ts');
    try {
      const secure = tls ? await this.secure() : null;
      await listenAt(at, port, async (host, port) => {
        const place = { protocol, host, port };
        const listener = await listenForTool(await tool(), place, secure, (error) =>
          logger.error({ err: error, listener: key }, 'listener failed'),
        );
        this.open.push({ key, listener });
        return listener.address.port;
      });
    } catch (error) {
      const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (port !== usual || !taken) throw error;
      const wayOut = `stop that program, or set ${key}.port to another port, or to none`;
      logger.warn({ host: at, port }, `no ${what}: another program has the port; ${wayOut}`);
    }
  }

  private async secure(): Promise<Secure> {
    await this.tls.load();
    const { options, createServer } = this.tls.current as TlsContext;
    return {
      options,
      createServer,
      handshakeTimeoutMs: this.looked.settings.sslHandshakeTimeoutMs,
    };
  }

  private makeContext(): Context {
    const { server, settings, machine, dataDir, version, logger, clock, backup } = this.looked;
    const { wheel } = server;
    return {
      view: new View(server.broker, version, server.peers),
      clock,
      log: logger,
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
      allowedPages: {
        hosts: settings.managementAllowedHosts,
        origins: settings.managementAllowedOrigins,
        machine: hostname(),
      },
      plainWebSocket: plainWebSocket(settings),
      statisticsIntervalMs: settings.statisticsIntervalMs,
      openProbes: settings.managementOpenProbes,
      ports: () => this.open.map(({ listener }) => listener.address),
      certificates: () => this.tls.shownAt(this.addresses),
      settings: () => shownSettings(settings),
      acceptAmqp: (stream, below) => server.streams.accept(stream, below),
      backup,
      wait: (delayMs) => new Promise((resolve) => wheel.schedule(new WheelTimer(resolve), delayMs)),
      every: (intervalMs, act) => {
        const timer = new WheelTimer(() => {
          wheel.schedule(timer, intervalMs);
          act();
        });
        this.timers.push(timer);
        wheel.schedule(timer, intervalMs);
      },
    };
  }
}

/** The files of TLS for tools: their own, or those of AMQP, and never with certificates of clients. */
function tlsSettings(settings: Settings): TlsSettings {
  const own = settings.managementSslCertfile !== null && {
    sslCertfile: settings.managementSslCertfile,
    sslKeyfile: settings.managementSslKeyfile,
    sslCacertfile: settings.managementSslCacertfile,
    sslPassword: settings.managementSslPassword,
  };
  return { ...settings, ...own, sslVerify: 'verify_none' };
}

function tlsNames({ managementSslCertfile, sslCertfile }: Settings): TlsNames {
  const own = managementSslCertfile !== null || sslCertfile === null;
  const section = own ? 'management.ssl' : 'ssl_options';
  return { need: 'there is a port for HTTPS (management.ssl.port)', section };
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

/** The settings in force by their keys, as a file would have them, secrets left out. */
function shownSettings(settings: Settings): Record<string, string> {
  const rows = Object.entries(SETTINGS).map(([field, row]): [string, string] => {
    const value = settings[field as keyof Settings];
    const shown = (row.show as (value: unknown) => string)(value);
    return [row.key, SECRET_KEYS.test(row.key) ? '***' : shown];
  });
  return Object.fromEntries(rows);
}
