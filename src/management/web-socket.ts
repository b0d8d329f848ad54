// Owns AMQP over WebSocket: a browser's connection becomes one of the broker's. Never looks at a frame.

import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { isSecure } from '../util/proxy/handed-on.ts';
import type { Context } from './context.ts';
import { isLocal } from './http/control-socket.ts';
import { readWithoutOffer, wantsWebSocket } from './http/offers.ts';
import { checkPage } from './http/origins.ts';
import type { HttpSockets } from './http/sockets.ts';
import { PathPrefix, pathOf } from './http/target.ts';
import { WebSocketStream } from './http/web-socket-stream.ts';
import { HttpError } from './http-error.ts';

/** Where browsers connect to, as LavinMQ's client library expects it. */
const PATHS = ['/ws/amqp', '/ws'];
/** The largest WebSocket message taken; frames of AMQP are smaller, and may come several in one. */
const MESSAGE_BYTES_MAX = 2 ** 20;
/** In so many fragments a message may come, and in so many reads of the socket one fragment: each costs memory. */
const FRAGMENTS_MAX = 1024;
const CHUNKS_MAX = 4096;
/** With so much waiting to be taken, pings are not answered. */
const WAITING_BYTES_MAX = 64 * 1024;
/** Refusals are said no more often than this. */
const SAY_INTERVAL_MS = 10_000;

/** So much may come before the login: the headers of frames, and the handshake of AMQP. */
const BYTES_BEFORE_LOGIN = 16 * 1024;

/** Why an upgrade is refused, as the line of its status; null: it is not. */
function refusalOf(
  context: Context,
  request: IncomingMessage,
  say: (reason: string) => void,
): string | null {
  const refused = (reason: string): string => {
    say(reason);
    return '403 Forbidden';
  };
  if (isLocal(request.socket)) return refused('the control socket takes no AMQP');
  if (!PATHS.includes(pathOf(request.url))) return '404 Not Found';
  if (!context.plainWebSocket && !isSecure(request.socket)) {
    return refused('it comes without TLS, see management.tcp.web_socket');
  }
  try {
    checkPage(request.headers, request.socket.remoteAddress ?? '', context.allowedPages);
    return null;
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    return refused(error.message);
  }
}

const answerOf = (status: string): string =>
  `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`;

/**
 * Takes connections that are upgraded. They log in by AMQP, as any other. `http` is told of each: the deadlines
 * of AMQP hold for it from then on. One that is upgraded while an answer to it is under way is cut.
 */
export function acceptWebSockets(context: Context, server: Server, http: HttpSockets): void {
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    autoPong: false,
    maxPayload: MESSAGE_BYTES_MAX,
    maxFragments: FRAGMENTS_MAX,
    maxBufferedChunks: CHUNKS_MAX,
    handleProtocols: (offered) => (offered.has('amqp') ? 'amqp' : false),
  });
  const say = sayer(context);
  const prefix = new PathPrefix(context.pathPrefix);
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    // An answer that is still to come would stand among the frames of the WebSocket.
    if (http.isAnswering(request.socket)) {
      socket.destroy();
      return;
    }
    if (!wantsWebSocket(request)) {
      readWithoutOffer(server, request, socket, head);
      return;
    }
    const refusal = refusalOf(context, prefix.strip(request), say);
    if (refusal !== null) {
      // Nothing reads from it any more, so that its end would not be noticed.
      request.socket.end(answerOf(refusal), () => socket.destroy());
      return;
    }
    const { socket: tcp } = request;
    const upgraded = (webSocket: WebSocket): void => {
      http.takenOver(tcp);
      const stream = new WebSocketStream(webSocket, tcp, context.guard);
      answerPings(context, webSocket, tcp, stream);
      const hasLoggedIn = context.acceptAmqp(stream, tcp);
      if (hasLoggedIn !== null) boundUntilLogin(context, tcp, hasLoggedIn);
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

/** Cuts a peer that sends more than a handshake before it has logged in: messages of any size are gathered. */
function boundUntilLogin(
  context: Context,
  tcp: IncomingMessage['socket'],
  hasLoggedIn: () => boolean,
): void {
  let bytes = 0;
  const count = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (hasLoggedIn()) tcp.off('data', counting);
    else if (bytes > BYTES_BEFORE_LOGIN) tcp.destroy();
  };
  const counting = context.guard.listener('WebSocket before login', count, () => tcp.destroy());
  tcp.prependListener('data', counting);
}

/** Answers pings of a peer that takes the answers. */
function answerPings(
  context: Context,
  webSocket: WebSocket,
  tcp: IncomingMessage['socket'],
  stream: WebSocketStream,
): void {
  const answer = (bytes: Buffer): void => {
    stream.frameCame();
    if (tcp.writableLength < WAITING_BYTES_MAX) webSocket.pong(bytes);
  };
  webSocket.on(
    'ping',
    context.guard.listener('ping', answer, () => tcp.destroy()),
  );
}

/** What says why an upgrade is refused, now and then. */
function sayer({ clock, log }: Context): (reason: string) => void {
  let saidMs = Number.NEGATIVE_INFINITY;
  let refused = 0;
  return (reason) => {
    refused += 1;
    const nowMs = clock.monotonicMs();
    if (nowMs - saidMs < SAY_INTERVAL_MS) return;
    saidMs = nowMs;
    log.warn({ reason, refused }, 'AMQP over WebSocket is refused');
    refused = 0;
  };
}
