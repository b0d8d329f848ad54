// Owns the ports of tools: opening them as the settings have them, their certificates, and the control socket. Which servers
// take what comes there can change while they are open. Never serves anything itself.

import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { CertificateView } from '../broker/view/server-port.ts';
import type { LiveSettings } from '../config/live/live-settings.ts';
import { MANAGEMENT_PORT, PROMETHEUS_PORT } from '../config/management-settings.ts';
import type { OpenPort } from '../management/context.ts';
import type { Secure, ToolListener, ToolServer } from '../management/listen.ts';
import type { ListenAddress } from '../server/listen/listener.ts';
import { listenAt } from '../server/listen/loopback.ts';
import type { TlsContext } from '../server/tls/context.ts';
import { TlsFiles } from '../server/tls/files.ts';
import type { Clock } from '../util/clock.ts';
import type { Guard } from '../util/guard.ts';
import { type ToolName, tlsNames, tlsSettings } from './tool-tls.ts';

/** What takes the connections of the ports; loaded when a port needs it, for a broker without ports does not pay for it. */
export interface ToolServers {
  management(): Promise<ToolServer>;
  metrics(): Promise<ToolServer>;
}

/** What the ports go by. */
export interface PortsAround {
  readonly live: LiveSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What every listener that a peer's bytes reach is under. */
  readonly guard: Guard;
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
  readonly tool: 'management' | 'metrics';
}

const HOST = 'localhost';

/** Where tools connect. */
export class ToolPorts {
  private readonly around: PortsAround;
  private readonly open: {
    readonly key: string;
    readonly listener: ToolListener;
    readonly tls: TlsFiles | null;
  }[] = [];
  private readonly tls: TlsFiles;
  private readonly metricsTls: TlsFiles;
  private servers: ToolServers;
  /** Those of them that have a port. */
  private readonly taking: { management: ToolServer | null; metrics: ToolServer | null } = {
    management: null,
    metrics: null,
  };
  private closeControl: () => Promise<void> = async () => {};

  /** `servers` take what comes until others do. */
  constructor(around: PortsAround, servers: ToolServers) {
    this.around = around;
    this.servers = servers;
    const { clock, logger, live } = around;
    const filesOf = (tool: ToolName): TlsFiles => {
      const names = tlsNames(tool, live.settings);
      return new TlsFiles(tlsSettings(tool, live.settings), clock, logger, names);
    };
    this.tls = filesOf('management');
    this.metricsTls = filesOf('prometheus');
  }

  /** Where tools connect, by the keys of the settings. */
  get addresses(): ListenAddress[] {
    return this.open.map(({ key, listener }) => {
      const { host, port, protocol } = listener.address;
      return { key, host, port, tls: protocol.startsWith('https') };
    });
  }

  /** The same as tools are told of them. */
  get places(): OpenPort[] {
    return this.open.map(({ listener }) => listener.address);
  }

  /** The certificates that are shown there. */
  get certificates(): CertificateView[] {
    return [this.tls, this.metricsTls].flatMap((files) => {
      const ports = this.open.filter(({ tls }) => tls === files);
      return files.shownAt(
        ports.map(({ listener }) => ({ port: listener.address.port, tls: true })),
      );
    });
  }

  /** Has these take what comes, once it has resolved. */
  async serveBy(servers: ToolServers): Promise<void> {
    const { taking } = this;
    const management = taking.management === null ? null : await servers.management();
    const metrics = taking.metrics === null ? null : await servers.metrics();
    Object.assign(taking, { management, metrics });
    this.servers = servers;
  }

  /**
   * Opens the ports. One that is taken is an error of the system; but where it is the usual one, which
   * a RabbitMQ on the machine may have, the broker goes without, and says so.
   */
  async listen(): Promise<void> {
    try {
      for (const each of this.wanted()) await this.attempt(each);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Closes them; the connections that came there are their servers'. */
  async close(): Promise<void> {
    await Promise.all([...this.open.map(({ listener }) => listener.close()), this.closeControl()]);
  }

  /** Reads the certificate again, for clients that connect from now on. */
  renewTls(): void {
    for (const files of [this.tls, this.metricsTls]) this.renewFiles(files);
  }

  /** Opens the control socket in the data folder. A broker that cannot have one goes without, and says so. */
  async openControl(dataDir: string): Promise<void> {
    if (process.platform === 'win32') return;
    const { logger, guard } = this.around;
    const { openControlSocket } = await import('../management/http/control-socket.ts');
    const failed = (err: unknown): void =>
      logger.warn({ err }, 'no control socket: tools on this machine need a login');
    const take = async (socket: Socket): Promise<void> =>
      (await this.servers.management()).takeLocal(socket);
    try {
      this.closeControl = await openControlSocket(dataDir, guard, take, failed);
    } catch (error) {
      failed(error);
    }
  }

  private renewFiles(files: TlsFiles): void {
    const context = files.renew();
    if (context === null) return;
    for (const { listener, tls } of this.open) if (tls === files) listener.renew(context.options);
  }

  private wanted(): readonly Wanted[] {
    const { settings } = this.around.live;
    const management = { what: 'HTTP API and web UI', tool: 'management' } as const;
    const metrics = { what: 'metrics for Prometheus', tool: 'metrics' } as const;
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

  private async attempt(wanted: Wanted): Promise<void> {
    const { key, what, protocol, port, usual, host, tls, tool } = wanted;
    if (port === null) return;
    const { live, logger, clock, guard } = this.around;
    const { tcpListeners, sslListeners } = live.settings;
    const amqp = tcpListeners.get('default') ?? sslListeners.get('default');
    const at = host ?? amqp?.host ?? HOST;
    const { listenForTool } = await import('../management/listen.ts');
    try {
      const secure = tls === null ? null : await this.secure(tls);
      await listenAt(at, port, async (host, port) => {
        const place = { protocol, host, port };
        this.taking[tool] ??= await this.servers[tool]();
        const taker = { guard, clock, server: () => this.taking[tool] as ToolServer };
        const listener = await listenForTool(taker, place, secure, (error) =>
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
      handshakeTimeoutMs: this.around.live.settings.sslHandshakeTimeoutMs,
    };
  }
}
