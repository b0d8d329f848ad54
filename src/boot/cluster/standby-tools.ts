// Owns what the ports for tools of a node do over its whole life: they are open from its start to its stop, answer for a node that
// does not lead, and are lent to the broker while it does. Never decides who leads.

import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import type { PeerClient } from '../../cluster/peers/peer-client.ts';
import { peerOf } from '../../cluster/proxy.ts';
import type { Timing } from '../../cluster/timing.ts';
import type { LiveSettings } from '../../config/live/live-settings.ts';
import type { ClusterView, LeaderWay } from '../../management/cluster/cluster-view.ts';

import { isLocal } from '../../management/http/control-socket.ts';
import type { ToolServer } from '../../management/listen.ts';
import { StoreError } from '../../store/errors.ts';
import type { Clock } from '../../util/clock.ts';
import type { Guard } from '../../util/guard.ts';
import { type ProxiedTls, writeProxyLine } from '../../util/proxy/proxy-line.ts';
import { ToolPorts, type ToolServers } from '../tool-ports.ts';
import type { LentPorts } from '../tools.ts';

/** What it needs of the node. */
export interface StandbyAround {
  readonly live: LiveSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly guard: Guard;
  readonly timing: Timing;
  readonly view: ClusterView;
  /** The node that leads; null: none is known to, or it is this one. */
  leader(): PeerClient | null;
}

/** The ports for tools of a node of a cluster. */
export class StandbyTools implements ToolServers, LentPorts {
  readonly ports: ToolPorts;
  private readonly around: StandbyAround;
  private readonly upstreams = new Set<Socket>();
  private managementServer: ToolServer | null = null;
  private metricsServer: ToolServer | null = null;
  private hasControl = false;
  private readonly stops: (() => void)[] = [];

  constructor(around: StandbyAround) {
    this.around = around;
    this.ports = new ToolPorts(around, this);
  }

  /** Opens the ports. Rejects as ToolPorts does. */
  async listen(): Promise<void> {
    await this.ports.listen();
    for (const { key, host, port, tls } of this.ports.addresses) {
      this.around.logger.info({ listener: key, host, port, tls }, 'listening');
    }
  }

  /** Opens the control socket in the data folder, unless it is open. */
  async openControl(dataDir: string | null): Promise<void> {
    if (this.hasControl || dataDir === null) return;
    this.hasControl = true;
    await this.ports.openControl(dataDir);
  }

  /** Has the servers of a node that does not lead let go of all that they have: the broker serves from now on. */
  lent(): void {
    this.managementServer?.cutAll();
    this.metricsServer?.cutAll();
    this.cutHandedOn();
  }

  giveBack(): Promise<void> {
    return this.ports.serveBy(this);
  }

  /** Ends what was handed on, as when another node leads. */
  cutHandedOn(): void {
    for (const socket of this.upstreams) socket.destroy();
  }

  async close(): Promise<void> {
    for (const stop of this.stops) stop();
    this.managementServer?.close();
    this.metricsServer?.close();
    this.cutHandedOn();
    await this.ports.close();
  }

  async management(): Promise<ToolServer> {
    const { standbyServer } = await import('../../management/cluster/standby-server.ts');
    const { clock, guard, live, logger, view } = this.around;
    this.managementServer ??= standbyServer({
      clock,
      guard,
      repeat: (intervalMs, act) => this.repeat(intervalMs, act),
      log: logger,
      cluster: view,
      pathPrefix: live.settings.managementPathPrefix,
      servesClients: live.settings.clusterFollower === 'proxy',
      leader: () => this.wayTo(this.around.leader()),
    });
    return this.managementServer;
  }

  async metrics(): Promise<ToolServer> {
    const { standbyMetricsServer } = await import('../../metrics/standby.ts');
    const { clock, guard, live, view } = this.around;
    const repeat = (intervalMs: number | (() => number), act: () => void): void =>
      this.repeat(intervalMs, act);
    const context = { clock, guard, repeat, cluster: view };
    this.metricsServer ??= standbyMetricsServer(context, live.settings.prometheusPath);
    return this.metricsServer;
  }

  private repeat(intervalMs: number | (() => number), act: () => void): void {
    const ms = typeof intervalMs === 'number' ? intervalMs : intervalMs();
    this.stops.push(this.around.timing.every(ms, async () => act()));
  }

  /** The way to the HTTP API of a node. */
  wayTo(leader: PeerClient | null): LeaderWay | null {
    if (leader === null) return null;
    return {
      open: async (client) => {
        const line = isLocal(client) ? null : writeProxyLine(peerOf(client, tlsOf(client)));
        if (line === null && !isLocal(client)) {
          throw new StoreError('the client is gone', 'it has to connect again');
        }
        const socket = await leader.open(line === null ? 'http-local' : 'http');
        this.upstreams.add(socket);
        socket.once('close', () => this.upstreams.delete(socket));
        if (line !== null) socket.write(line);
        return socket;
      },
    };
  }
}

/** What is told of the TLS of a client; null: it speaks none. */
function tlsOf(client: Socket): ProxiedTls | null {
  if (!('getCipher' in client)) return null;
  const secure = client as TLSSocket;
  const protocol = secure.getProtocol() ?? '';
  return { protocol, cipher: secure.getCipher().name, certificate: null, refusal: null };
}
