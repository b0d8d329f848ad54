// Owns the port of the HTTP API. What serves requests is loaded by the first of them, so that a broker
// that nobody looks at neither starts later nor holds more memory for it.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer, type Socket } from 'node:net';
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
  close(): Promise<void>;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** What is loaded when the first request comes. */
export type LoadHandler = (server: Server) => Promise<Handler>;

/** Listens for the HTTP API. Rejects with the system's error. */
export function listenForManagement(
  context: Context,
  host: string,
  port: number,
): Promise<ToolListener> {
  return listenForTool('http', host, port, async (server) => {
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

/** Listens, and has the first request load what handles it. */
export async function listenForTool(
  protocol: string,
  host: string,
  port: number,
  load: LoadHandler,
): Promise<ToolListener> {
  let http: Promise<Server> | null = null;
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.once('error', () => socket.destroy());
    http ??= serve(load);
    http.then(
      (server) => server.emit('connection', socket),
      () => socket.destroy(),
    );
  });
  listener.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen({ host, port }, () => {
      listener.off('error', reject);
      resolve();
    });
  });
  const real = listener.address();
  const address = { protocol, host, port: typeof real === 'object' ? (real?.port ?? port) : port };
  return {
    address,
    close: () =>
      new Promise((resolve) => {
        void http?.then((server) => server.close());
        listener.close(() => resolve());
        for (const socket of sockets) if (!isUpgraded(socket)) socket.destroy();
      }),
  };
}

/** Makes the server that speaks HTTP on sockets it is given. */
async function serve(load: LoadHandler): Promise<Server> {
  const { createServer: createHttpServer } = await import('node:http');
  const server = createHttpServer({ connectionsCheckingInterval: CHECK_MS });
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  const handler = await load(server);
  server.on('request', handler);
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
