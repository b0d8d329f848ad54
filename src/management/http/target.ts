// Owns reading the target of an HTTP request (RFC 9112 §3.2) by functions that cannot throw, and the path that all of
// the HTTP API, the web UI and the WebSocket lie below. Never decides which paths there are.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { isLocal } from './control-socket.ts';
import type { Handler } from './requests.ts';

/** The longest target that is looked at, in characters; names of 255 bytes may be escaped twice. */
const TARGET_CHARS_MAX = 16 * 1024;

/**
 * The path of a target: up to the query, without scheme and authority where it has them, as it was sent
 * otherwise. '' for what has none: `*`, the `host:port` of CONNECT, what is too long.
 */
export function pathOf(target: string | undefined): string {
  if (target === undefined || target.length > TARGET_CHARS_MAX) return '';
  const origin = originOf(target);
  const rest = target.slice(origin.length);
  const end = rest.search(/[?#]/);
  const path = end < 0 ? rest : rest.slice(0, end);
  if (path.startsWith('/')) return path;
  return origin !== '' && path === '' ? '/' : '';
}

/** Scheme and authority of a target that has them, else ''. */
function originOf(target: string): string {
  return /^https?:\/\/[^/?#]*/i.exec(target)?.[0] ?? '';
}

/** No route has this path. */
const NOWHERE = '/-';

/** Takes the prefix off the targets of requests; '' leaves all as they are. */
export class PathPrefix {
  private readonly prefix: string;

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  /** A handler of the same requests that knows of no prefix. */
  around(handler: Handler): Handler {
    if (this.prefix === '') return handler;
    return (request, response) => {
      if (this.isBefore(request)) redirect(response, `${this.prefix}/`);
      else handler(this.strip(request), response);
    };
  }

  /** The request with its target below the prefix; one that lies elsewhere gets a target where nothing is. */
  strip(request: IncomingMessage): IncomingMessage {
    // The operator's programs at the control socket stand behind no proxy.
    if (this.prefix === '' || isLocal(request.socket)) return request;
    const { url = '' } = request;
    const rest = url.slice(originOf(url).length);
    const isBelow = pathOf(url).startsWith(`${this.prefix}/`);
    request.url = isBelow ? rest.slice(this.prefix.length) : NOWHERE;
    return request;
  }

  /** Whether a browser stands before the door: at the root, or without the slash that relative links need. */
  private isBefore(request: IncomingMessage): boolean {
    if (request.method !== 'GET' && request.method !== 'HEAD') return false;
    return !isLocal(request.socket) && ['/', this.prefix].includes(pathOf(request.url));
  }
}

function redirect(response: ServerResponse, location: string): void {
  response.writeHead(301, { location, 'content-length': 0, 'cache-control': 'no-cache' }).end();
}
