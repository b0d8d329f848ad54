// Owns the ports of tools that speak HTTP, with TLS or without. The first request loads the code that serves
// requests. So a broker that no tool looks at does not start later, and holds no more memory, because of it.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContextOptions, TLSSocket, TlsOptions, Server as TlsServer } from 'node:tls';
import type { Clock } from '../util/clock.ts';
import { FairSlots } from '../util/fair-slots.ts';
import type { Guard } from '../util/guard.ts';
import { setImmediate } from '../util/system/runtime.ts';
import { PreciseTimer } from '../util/timers.ts';
import type { ClusterView } from './cluster/cluster-view.ts';
import type { Context, OpenPort } from './context.ts';
import { LOCAL_CONNECTIONS_MAX, markLocal } from './http/control-socket.ts';
import { loadModules } from './http/load-modules.ts';
import { type Handler, Requests } from './http/requests.ts';
import { type HttpSockets, LOOK_MS, ToolSockets } from './http/sockets.ts';
import { PathPrefix } from './http/target.ts';
import { type ParserError, refuseUnreadable } from './http/unreadable.ts';
import { TimeSlice } from './time-slice.ts';

/** A peer has so long to send the head of a request, and all of it. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
/** How often to look for a client that takes too long. */
const CHECK_MS = 5000;

/** An open port of a tool. */
export interface ToolListener {
  readonly address: OpenPort;
  /** Offers other certificates to clients that connect from now on, where the port speaks TLS. */
  renew(options: SecureContextOptions): void;
  close(): Promise<void>;
}

/** What a port needs to speak TLS. */
export interface Secure {
  readonly options: SecureContextOptions;
  /** node:tls takes 8 MB: the caller has loaded it, and gives this function. */
  readonly createServer: (options: TlsOptions, connected: (socket: TLSSocket) => void) => TlsServer;
  readonly handshakeTimeoutMs: number;
}

/** What is loaded when the first request comes. */
export type LoadHandler = (server: Server, sockets: HttpSockets) => Promise<Handler>;

/** What serves the HTTP API and the web UI. */
export function managementServer(context: Context): ToolServer {
  return new ToolServer(context, async (server, sockets) => {
    const timeSlice = new TimeSlice(context.clock);
    await loadModules(timeSlice);
    const { buildApp } = await import('./app.ts');
    await timeSlice.rest();
    const { acceptWebSockets } = await import('./web-socket.ts');
    await timeSlice.rest();
    const { startSampling } = await import('./sampling.ts');
    let handler: Handler = () => {};
    const take = (given: Handler): void => {
      handler = given;
    };
    await buildApp(context, server, take, timeSlice);
    startSampling(context);
    acceptWebSockets(context, server, sockets);
    const below = new PathPrefix(context.pathPrefix).around(handler);
    return context.cluster === null ? below : besideGroups(context, context.cluster, below);
  });
}

/** Has other groups of the cluster answer what is theirs. */
async function besideGroups(
  context: Context,
  cluster: ClusterView,
  handler: Handler,
): Promise<Handler> {
  const { ROUTES } = await import('./app.ts');
  const { HandOn } = await import('./cluster/hand-on.ts');
  const { besideOthers, OtherGroups } = await import('./cluster/other-groups.ts');
  const around = { ...context, cluster, servesClients: true, leader: () => null };
  const { snapshots } = context.view;
  const groups = new OtherGroups(ROUTES, cluster.group, (vhost) => snapshots.groupOf(vhost));
  return besideOthers(groups, new HandOn(around), cluster, handler);
}

/** What a tool's server needs of what is around it. */
export type ToolContext = Pick<Context, 'guard' | 'clock' | 'repeat'>;

/** What speaks HTTP on the sockets of any number of ports. */
export class ToolServer {
  readonly guard: Guard;
  readonly clock: Clock;
  /** Those of all its ports, in the handshake of TLS or behind it. */
  readonly sockets: ToolSockets;
  /** Those of the control socket, apart: a crowd on the ports leaves room for the operator. */
  private readonly local: ToolSockets;
  private readonly repeat: Context['repeat'];
  private readonly load: LoadHandler;
  private http: Promise<Server> | null = null;

  constructor({ guard, clock, repeat }: ToolContext, load: LoadHandler) {
    this.guard = guard;
    this.clock = clock;
    this.sockets = new ToolSockets(clock);
    this.local = new ToolSockets(clock, LOCAL_CONNECTIONS_MAX);
    this.repeat = repeat;
    this.load = load;
  }

  /** Serves a connection of a port. */
  take(socket: Socket): void {
    this.serveOn(socket, this.sockets);
  }

  /** Serves a connection of the control socket: what comes over it is the operator's. */
  takeLocal(socket: Socket): void {
    markLocal(socket);
    this.serveOn(socket, this.local);
  }

  /**
   * Serves a connection that another node has handed on, as that of its client: `socket` tells of that. What has come of it
   * is still unread.
   */
  takeHandedOn(socket: Socket): void {
    // Until it is served nothing must be read of it.
    socket.pause();
    this.serveOn(socket, this.sockets);
  }

  /** Cuts all connections, and goes on. */
  cutAll(): void {
    this.sockets.closeAll();
    this.local.closeAll();
  }

  private serveOn(socket: Socket, among: ToolSockets): void {
    const cut = (): unknown => socket.destroy();
    socket.on('error', cut);
    among.add(socket);
    this.http ??= this.serve();
    const given = this.http.then((server) => {
      server.emit('connection', socket);
      socket.resume();
    });
    this.guard.promise('HTTP connection', given, cut);
  }

  close(): void {
    this.cutAll();
    if (this.http === null) return;
    const closed = this.http.then((server) => server.close());
    this.guard.promise('end of HTTP', closed);
  }

  private async serve(): Promise<Server> {
    this.repeat(LOOK_MS, () => {
      this.sockets.look();
      this.local.look();
    });
    return serve(this.load, this.guard, this.clock, this.sockets);
  }
}

/** What takes the connections of a port. */
export interface ToolTaker {
  readonly guard: Guard;
  readonly clock: Clock;
  /** What takes one that comes now. */
  server(): ToolServer;
}

/**
 * Listens for a tool, with TLS where `secure` is given. Rejects with the system's error; `failed` is told of
 * later ones, after which the port goes on.
 */
export async function listenForTool(
  tool: ToolTaker,
  { protocol, host, port }: OpenPort,
  secure: Secure | null,
  failed: (error: Error) => void,
): Promise<ToolListener> {
  const accept = (socket: Socket): void => tool.server().take(socket);
  const take = tool.guard.listener('accept', accept, (socket) => socket.destroy());
  const tls = secure === null ? null : new TlsPort(secure, tool, take);
  const cut = (socket: Socket): unknown => socket.destroy();
  const begin = tool.guard.listener('TLS handshake', (socket: Socket) => tls?.begin(socket), cut);
  // Else the second packet of an answer waits until the peer has told of the first, which it may put off for 40 ms.
  const listener: NetServer = createServer({ noDelay: true }, tls === null ? take : begin);
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen({ host, port }, () => {
      listener.off('error', reject);
      listener.on('error', failed);
      resolve();
    });
  });
  const real = listener.address();
  return {
    address: { protocol, host, port: typeof real === 'object' ? (real?.port ?? port) : port },
    renew: (options) => tls?.server.setSecureContext(options),
    close: () =>
      new Promise((resolve) => {
        listener.close(() => resolve());
      }),
  };
}

/** What speaks TLS on the sockets of one port, some at a time. */
class TlsPort {
  readonly server: TlsServer;
  private readonly tool: ToolTaker;
  private readonly slots: FairSlots;
  /** Those in the handshake, by their peers: the socket below stands for them until it is over. */
  private readonly handshakes = new Map<string, { below: Socket; sockets: ToolSockets }>();

  constructor(secure: Secure, tool: ToolTaker, take: (socket: Socket) => void) {
    const { options, handshakeTimeoutMs } = secure;
    const { guard, clock } = tool;
    this.tool = tool;
    const timer = new PreciseTimer(guard.listener('TLS handshakes', () => this.slots.look()));
    const wake = (delayMs: number): void => timer.set(delayMs);
    const pump = guard.listener('TLS handshakes', () => this.slots.pump());
    const soon = (): unknown => setImmediate(pump);
    this.slots = new FairSlots({ clock, wake, soon }, handshakeTimeoutMs);
    const secured = (socket: TLSSocket): void => {
      const known = this.handshakes.get(peerOf(socket));
      if (known !== undefined) {
        known.sockets.remove(known.below);
        this.slots.left(known.below);
      }
      take(socket);
    };
    this.server = secure.createServer(
      { ...options, handshakeTimeout: handshakeTimeoutMs },
      guard.listener('TLS', secured),
    );
    this.server.on('tlsClientError', (_error, socket) => socket.destroy());
  }

  /** A socket begins its handshake, when it is its turn. */
  begin(socket: Socket): void {
    const { guard } = this.tool;
    const { sockets } = this.tool.server();
    const peer = peerOf(socket);
    const cut = (): unknown => socket.destroy();
    const over = (): void => {
      this.handshakes.delete(peer);
      this.slots.left(socket);
    };
    this.handshakes.set(peer, { below: socket, sockets });
    sockets.add(socket);
    socket.on('error', cut);
    socket.once('close', guard.listener('end of handshake', over));
    const start = (): void => {
      if (!socket.destroyed) this.server.emit('connection', socket);
    };
    this.slots.came(socket, socket.remoteAddress ?? '', start, cut);
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** Makes the server that speaks HTTP on sockets it is given. */
async function serve(
  load: LoadHandler,
  guard: Guard,
  clock: Clock,
  sockets: ToolSockets,
): Promise<Server> {
  const { createServer: createHttpServer } = await import('node:http');
  const server = createHttpServer({ connectionsCheckingInterval: CHECK_MS });
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  // Until then a socket counts here, has its deadlines here, and gives way to others.
  let handler: Handler = () => {};
  const requests = new Requests(guard, clock, (request, response) => handler(request, response));
  handler = await load(server, {
    isAnswering: (socket) => requests.isAnswering(socket),
    takenOver: (socket) => sockets.remove(socket),
  });
  const take = (request: IncomingMessage, response: ServerResponse): void =>
    requests.take(request, response);
  const cut = (request: IncomingMessage): unknown => request.socket.destroy();
  server.on('request', guard.listener('request', take, cut));
  const refuse = (error: ParserError, socket: Duplex): void =>
    refuseUnreadable(error, socket as Socket, requests.hasBegun(socket as Socket));
  const end = (_error: ParserError, socket: Duplex): unknown => socket.destroy();
  server.on('clientError', guard.listener('unreadable request', refuse, end));
  // The handler says that a body may come, where it wants one.
  server.on('checkContinue', guard.listener('request', take, cut));
  // It never listens itself, and would not look after its timeouts without being told that it does.
  server.emit('listening');
  return server;
}
