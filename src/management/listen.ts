// Owns the ports of tools that speak HTTP, with TLS or without. What serves requests is loaded by the
// first of them, so that a broker that nobody looks at neither starts later nor holds more memory for it.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import type { SecureContextOptions, TLSSocket, TlsOptions, Server as TlsServer } from 'node:tls';
import type { Guard } from '../util/guard.ts';
import type { Context, OpenPort } from './context.ts';

/** A peer has so long to send the head of a request, and all of it. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
const CONNECTIONS_MAX = 512;
/** How often to look whether somebody takes too long. */
const CHECK_MS = 5000;

/** An open port of a tool. */
export interface ToolListener {
  readonly address: OpenPort;
  /** Offers other certificates to those who connect from now on, where the port speaks TLS. */
  renew(options: SecureContextOptions): void;
  close(): Promise<void>;
}

/** What a port needs to speak TLS. */
export interface Secure {
  readonly options: SecureContextOptions;
  /** node:tls takes 8 MB: whoever has it loaded gives it. */
  readonly createServer: (options: TlsOptions, connected: (socket: TLSSocket) => void) => TlsServer;
  readonly handshakeTimeoutMs: number;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** What is loaded when the first request comes. */
export type LoadHandler = (server: Server) => Promise<Handler>;

/** What serves the HTTP API and the web UI. */
export function managementServer(context: Context): ToolServer {
  return new ToolServer(context.guard, async (server) => {
    const { buildApp } = await import('./app.ts');
    const { acceptWebSockets } = await import('./web-socket.ts');
    const { startSampling } = await import('./sampling.ts');
    startSampling(context);
    acceptWebSockets(context, server);
    let handler: Handler = () => {};
    await buildApp(context, server, (given) => {
      handler = given;
    });
    return handler;
  });
}

/** What speaks HTTP on the sockets of any number of ports. */
export class ToolServer {
  readonly guard: Guard;
  private readonly load: LoadHandler;
  private http: Promise<Server> | null = null;

  constructor(guard: Guard, load: LoadHandler) {
    this.guard = guard;
    this.load = load;
  }

  /** Serves a connection. */
  take(socket: Socket): void {
    const cut = (): unknown => socket.destroy();
    socket.on('error', cut);
    this.http ??= serve(this.load, this.guard);
    const given = this.http.then((server) => server.emit('connection', socket));
    this.guard.promise('HTTP connection', given, cut);
  }

  close(): void {
    if (this.http === null) return;
    const closed = this.http.then((server) => server.close());
    this.guard.promise('end of HTTP', closed);
  }
}

/**
 * Listens for a tool, with TLS where `secure` is given. Rejects with the system's error; `failed` is told of
 * later ones, after which the port goes on.
 */
export async function listenForTool(
  tool: ToolServer,
  { protocol, host, port }: OpenPort,
  secure: Secure | null,
  failed: (error: Error) => void,
): Promise<ToolListener> {
  const sockets = new Set<Socket>();
  const accept = (socket: Socket): void => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    tool.take(socket);
  };
  const take = tool.guard.listener('accept', accept, (socket) => socket.destroy());
  const handshakes = new Map<string, Socket>();
  const tls = secure === null ? null : makeTlsServer(secure, tool.guard, handshakes, take);
  const listener: NetServer = tls ?? createServer(take);
  listener.maxConnections = CONNECTIONS_MAX;
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
    renew: (options) => tls?.setSecureContext(options),
    close: () =>
      new Promise((resolve) => {
        tool.close();
        listener.close(() => resolve());
        for (const socket of sockets) if (!isUpgraded(socket)) socket.destroy();
        for (const socket of handshakes.values()) socket.destroy();
      }),
  };
}

/** `handshakes` gets the sockets that are in the handshake of TLS, by their peers. */
function makeTlsServer(
  secure: Secure,
  guard: Guard,
  handshakes: Map<string, Socket>,
  take: (socket: Socket) => void,
): TlsServer {
  const { options, handshakeTimeoutMs } = secure;
  const server = secure.createServer(
    { ...options, handshakeTimeout: handshakeTimeoutMs },
    guard.listener('TLS', (socket: TLSSocket) => {
      handshakes.delete(peerOf(socket));
      take(socket);
    }),
  );
  const begun = (socket: Socket): void => {
    const peer = peerOf(socket);
    handshakes.set(peer, socket);
    socket.once('close', () => handshakes.delete(peer));
  };
  server.on(
    'connection',
    guard.listener('TLS handshake', begun, (socket) => socket.destroy()),
  );
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return server;
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** Makes the server that speaks HTTP on sockets it is given. */
async function serve(load: LoadHandler, guard: Guard): Promise<Server> {
  const { createServer: createHttpServer } = await import('node:http');
  const server = createHttpServer({ connectionsCheckingInterval: CHECK_MS });
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  const handler = await load(server);
  const cut = (request: IncomingMessage): unknown => request.socket.destroy();
  server.on('request', guard.listener('request', handler, cut));
  // It never listens itself, and would not look after its timeouts without being told that it does.
  server.emit('listening');
  server.on('upgrade', (_request, socket) => upgraded.add(socket));
  return server;
}

/** Sockets that carry something else than HTTP now: whoever took them over ends them. */
const upgraded = new WeakSet<object>();

function isUpgraded(socket: Socket): boolean {
  return upgraded.has(socket);
}
