// Owns handing AMQP connections on to the node that leads: their bytes, both ways, behind a line that tells of the client.
// Never reads what they say.

import type { Socket } from 'node:net';
import { causeText } from '../store/errors.ts';
import type { Clock } from '../util/clock.ts';
import { joinSockets } from '../util/proxy/join-sockets.ts';
import { type ProxiedPeer, type ProxiedTls, writeProxyLine } from '../util/proxy/proxy-line.ts';

/** A line about connections that could not be handed on comes this often at most. */
const SAY_INTERVAL_MS = 5000;

/** The node that leads, as a proxy sees it. */
export interface LeaderPort {
  /** See `PeerClient.open`. */
  open(protocol: 'amqp'): Promise<Socket>;
}

/** What it tells of. */
export interface ProxyLog {
  warn(fields: object, text: string): void;
}

/** The connections that a node hands on while another one leads. */
export class AmqpProxy {
  private readonly leader: () => LeaderPort | null;
  private readonly log: ProxyLog;
  private readonly clock: Clock;
  private readonly sockets = new Set<Socket>();
  private failed = 0;
  private saidMs = Number.NEGATIVE_INFINITY;

  /** `leader` is asked for each connection; null: no node is known to lead. */
  constructor(leader: () => LeaderPort | null, log: ProxyLog, clock: Clock) {
    this.leader = leader;
    this.log = log;
    this.clock = clock;
  }

  /** How many connections it hands on. */
  get count(): number {
    return this.sockets.size;
  }

  /** Whether there is a node to hand a connection on to: without one it is refused at once. */
  mayAccept(): boolean {
    return this.leader() !== null;
  }

  /** Hands a client's connection on; `tls` is what the handshake found out about it, null without TLS. */
  accepted(socket: Socket, tls: ProxiedTls | null): void {
    socket.on('error', () => socket.destroy());
    const leader = this.leader();
    const line = writeProxyLine(peerOf(socket, tls));
    if (leader === null || line === null) {
      socket.destroy();
      return;
    }
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    leader.open('amqp').then(
      (upstream) => join(socket, upstream, line),
      (error: unknown) => {
        socket.destroy();
        this.say(causeText(error));
      },
    );
  }

  /** Cuts all connections, as when another node leads. */
  cutAll(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  private say(reason: string): void {
    this.failed += 1;
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.saidMs < SAY_INTERVAL_MS) return;
    this.saidMs = nowMs;
    this.log.warn({ reason, connections: this.failed }, 'connections not handed on');
    this.failed = 0;
  }
}

/** What a line tells of the client of a socket; `tls` is null without TLS. */
export function peerOf(socket: Socket, tls: ProxiedTls | null): ProxiedPeer {
  const { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 } = socket;
  return {
    peerHost: remoteAddress,
    peerPort: remotePort,
    host: localAddress,
    port: localPort,
    tls,
  };
}

/** Lets the bytes of a client through to the leader, and back. */
function join(socket: Socket, upstream: Socket, line: Buffer): void {
  if (socket.destroyed) {
    upstream.destroy();
    return;
  }
  upstream.write(line);
  joinSockets(socket, upstream);
}
