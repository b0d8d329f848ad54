// Owns requests that offer another protocol than WebSocket, such as HTTP/2: they are answered as if they did not. Never
// answers one itself.

import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';

/** Headers that make the offer. */
const OFFER = ['upgrade', 'http2-settings'];

/** Whether a request wants to go on with WebSocket, which is what an upgrade is for here. */
export function wantsWebSocket({ headers }: IncomingMessage): boolean {
  const offered = headers.upgrade?.toLowerCase().split(',') ?? [];
  return offered.some((each) => each.trim().startsWith('websocket'));
}

/**
 * Has the server read a request again without its offer. Java's HttpClient offers HTTP/2 with every request, and
 * takes an answer of HTTP/1.1.
 */
export function readWithoutOffer(
  server: Server,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  socket.unshift(Buffer.concat([Buffer.from(headOf(request), 'latin1'), head]));
  server.emit('connection', socket);
}

/** The head of a request as it came, without its offer. */
function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    const value = rawHeaders[i + 1] as string;
    if (OFFER.includes(name)) continue;
    const kept = name === 'connection' ? withoutOffer(value) : value;
    if (kept !== '' || name !== 'connection') lines.push(`${name}: ${kept}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function withoutOffer(connection: string): string {
  const kept = connection.split(',').map((each) => each.trim());
  return kept.filter((each) => !OFFER.includes(each.toLowerCase())).join(', ');
}
