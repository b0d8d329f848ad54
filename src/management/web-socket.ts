// Owns AMQP over WebSocket: a browser's connection becomes one of the broker's. Never looks at a frame.

import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';
import type { Context } from './context.ts';

/** Where browsers connect to, as LavinMQ's client library expects it. */
const PATHS = ['/ws/amqp', '/ws'];
/** The largest WebSocket message taken; frames of AMQP are smaller, and may come several in one. */
const MESSAGE_BYTES_MAX = 2 ** 24;

/** Takes connections that are upgraded. They log in by AMQP, as any other. */
export function acceptWebSockets(context: Context, server: Server): void {
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES_MAX,
    handleProtocols: (offered) => (offered.has('amqp') ? 'amqp' : false),
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const path = new URL(request.url ?? '/', 'http://leveret').pathname;
    if (!PATHS.includes(path)) {
      socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    const { socket: tcp } = request;
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const stream = createWebSocketStream(webSocket, { allowHalfOpen: false });
      context.acceptAmqp(stream, tcp);
    });
  });
}
