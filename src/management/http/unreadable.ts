// Owns the answers to what is no request that can be read, whose connection ends with them. Never sees a request.

import type { Socket } from 'node:net';
import { jsonText } from '../../util/json/json-writer.ts';

/** What the parser of HTTP says of what it could not read. */
export interface ParserError extends Error {
  readonly code?: string;
  /** In its own words, where it has some; nothing of what the peer sent is in them. */
  readonly reason?: string;
}

type Answer = readonly [status: string, error: string, reason: string];

const BAD_REQUEST = '400 Bad Request';

const ANSWERS: ReadonlyMap<string | undefined, Answer> = new Map([
  [
    'HPE_HEADER_OVERFLOW',
    [
      '431 Request Header Fields Too Large',
      'bad_request',
      'the head of the request is larger than 16 KiB',
    ],
  ],
  [
    'HPE_CHUNK_EXTENSIONS_OVERFLOW',
    ['413 Payload Too Large', 'bad_request', 'the extensions of a chunk are too large'],
  ],
  [
    'ERR_HTTP_REQUEST_TIMEOUT',
    ['408 Request Timeout', 'request_timeout', 'the request did not come in time'],
  ],
]);

/** Answers what cannot be read, as all that is refused is answered, and cuts the connection. */
export function refuseUnreadable(error: ParserError, socket: Socket, begun: boolean): void {
  // Behind an answer that has begun another would be taken for a part of it.
  if (socket.writable && !begun) socket.write(answerTo(error));
  socket.destroy();
}

function answerTo({ code, reason }: ParserError): string {
  const words = reason === undefined ? '' : ` (${reason})`;
  const [status, error, text] = ANSWERS.get(code) ?? [
    BAD_REQUEST,
    'bad_request',
    `what was sent is no request of HTTP that can be read${words}: look at the protocol, and whether the port speaks TLS`,
  ];
  const body = jsonText({ error, reason: text });
  const head = [
    `HTTP/1.1 ${status}`,
    'connection: close',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
