// Owns AMQP over WebSocket: a browser's connection becomes one of the broker's. Never looks at a frame.

import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';
import type { Context } from './context.ts';
import { pathOf } from './http/target.ts';

/** Where browsers connect to, as LavinMQ's client library expects it. */
const PATHS = ['/ws/amqp', '/ws'];
/** The largest WebSocket message taken; frames of AMQP are smaller, and may come several in one. */
const MESSAGE_BYTES_MAX = 2 ** 24;

const REFUSAL = 'HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n';

/** Takes connections that are upgraded. They log in by AMQP, as any other. */
export function acceptWebSockets(context: Context, server: Server): void {
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES_MAX,
    handleProtocols: (offered) => (offered.has('amqp') ? 'amqp' : false),
  });
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (!PATHS.includes(pathOf(request.url))) {
      // Nothing reads from it any more, so that its end would not be noticed.
      request.socket.end(REFUSAL, () => socket.destroy());
      return;
    }
    const { socket: tcp } = request;
    const upgraded = (webSocket: WebSocket): void => {
      const stream = createWebSocketStream(webSocket, { allowHalfOpen: false });
      context.acceptAmqp(stream, tcp);
    };
    const cut = (): unknown => socket.destroy();
    sockets.handleUpgrade(
      request,
      socket,
      head,
      context.guard.listener('WebSocket', upgraded, cut),
    );
  };
  server.on(
    'upgrade',
    context.guard.listener('upgrade', upgrade, (_request, socket) => socket.destroy()),
  );
}
