// Owns the port of the HTTP API. What serves requests is loaded by the first of them, so that a broker
// that nobody looks at neither starts later nor holds more memory for it.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Context, OpenPort } from './context.ts';

/** A peer has so long to send the head of a request, and all of it. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
const CONNECTIONS_MAX = 512;

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
  let loading: Promise<Handler> | null = null;
  const server = createServer();
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.maxConnections = CONNECTIONS_MAX;
  const loaded = (): Promise<Handler> => {
    loading ??= load(server);
    return loading;
  };
  server.on('request', (request, response) => {
    loaded().then(
      (handler) => handler(request, response),
      () => response.writeHead(500).end(),
    );
  });
  // Whoever comes with an upgrade first must find somebody who knows what that is.
  server.on('upgrade', (request, socket, head) => {
    if (loading !== null) return;
    loaded().then(
      () => server.emit('upgrade', request, socket, head),
      () => socket.destroy(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const real = server.address();
  const address = { protocol, host, port: typeof real === 'object' ? (real?.port ?? port) : port };
  return {
    address,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
