// Owns the HTTP of a node that does not lead: what is about the node itself is answered here, all else is handed on to the node
// that leads. Never knows what is asked for there, nor who may ask: the leader does.

import {
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../util/clock.ts';
import type { Guard } from '../../util/guard.ts';
import { jsonText } from '../../util/json/json-writer.ts';
import { type Joined, joinSockets } from '../../util/proxy/join-sockets.ts';
import { PreciseTimer } from '../../util/timers.ts';
import type { Log } from '../context.ts';
import { isLocal } from '../http/control-socket.ts';
import type { Handler } from '../http/requests.ts';
import type { HttpSockets } from '../http/sockets.ts';
import { pathOf } from '../http/target.ts';
import { type ClusterView, type LeaderWay, leadingNode } from './cluster-view.ts';
import { clusterRow, criticalReason } from './rows.ts';

/** So long may it take until an answer of the leader begins. */
const ANSWER_MS = 300_000;
/** So many connections that carry something else than HTTP from now on, at a time. */
const UPGRADED_MAX = 1024;
/** A line about requests that could not be handed on comes this often at most. */
const SAY_INTERVAL_MS = 5000;

/** What it goes by. */
export interface HandOnAround {
  readonly cluster: ClusterView;
  readonly clock: Clock;
  readonly guard: Guard;
  readonly log: Log;
  readonly pathPrefix: string;
  /** Whether clients are served here though another node leads. */
  readonly servesClients: boolean;
  /** Null: no node is known to lead. */
  leader(): LeaderWay | null;
}

/** Says that another group has handed a request on: it goes to no third one. */
export const HANDED_ON = 'leveret-handed-on';

/** Headers that are about one connection alone (RFC 9110 §7.6.1), and what is said anew. */
const OF_ONE_HOP: ReadonlySet<string> = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding'],
  ...['upgrade', 'expect'],
]);

/** Hands requests on. */
export class HandOn {
  private readonly around: HandOnAround;
  private upgraded = 0;
  private failed = 0;
  private saidMs = Number.NEGATIVE_INFINITY;

  constructor(around: HandOnAround) {
    this.around = around;
  }

  /** Takes upgrades on a server; returns what takes its requests. */
  serve(server: Server, sockets: HttpSockets): Handler {
    const { guard } = this.around;
    const cut = (_request: IncomingMessage, socket: Duplex): unknown => socket.destroy();
    const take = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
      // An answer that is still to come would stand among what comes now.
      if (sockets.isAnswering(request.socket)) socket.destroy();
      else this.upgrade(request, head, sockets);
    };
    server.on('upgrade', guard.listener('upgrade', take, cut));
    return (request, response) => this.take(request, response);
  }

  private take(request: IncomingMessage, response: ServerResponse): void {
    const own = this.ownAnswer(request);
    if (own !== null) {
      request.resume();
      answer(response, own);
      return;
    }
    this.pass(this.around.leader(), request, response, 'no node of the cluster is known to lead');
  }

  /** Hands a request on to another node; `missing` says why there is none, where there is none. */
  pass(
    way: LeaderWay | null,
    request: IncomingMessage,
    response: ServerResponse,
    missing: string,
    toOtherGroup = false,
  ): void {
    if (way === null) {
      this.refuse(request, response, missing);
      return;
    }
    const headers = headersOf(request);
    if (toOtherGroup) headers.push(HANDED_ON, 'yes');
    const handed = this.handOn(way, request, response, headers);
    this.around.guard.promise('request to the leader', handed, () => response.destroy());
  }

  /** The answer to what is about this node itself, or null. */
  private ownAnswer(request: IncomingMessage): Answer | null {
    const { method, socket } = request;
    if (method !== 'GET' && method !== 'HEAD') return null;
    const { cluster } = this.around;
    const path = this.pathOf(request);
    // The operator asks this node how the cluster looks from here; others are asked for a login by the leader.
    if (path === '/api/cluster' && isLocal(socket)) {
      return { status: 200, body: clusterRow(cluster) };
    }
    switch (path) {
      case '/api/health/checks/is-in-service':
      case '/api/health/checks/ready-to-serve-clients':
        return checkOf(this.standbyReason());
      case '/api/health/checks/node-is-quorum-critical':
        return checkOf(criticalReason(cluster));
      default:
        return null;
    }
  }

  /** Why this node does not serve clients; null: it hands them on to one that does. */
  private standbyReason(): string | null {
    const leader = leadingNode(this.around.cluster);
    if (leader === null) return 'no node of the cluster is known to lead';
    return this.around.servesClients ? null : `this node does not lead: ${leader.name} does`;
  }

  /** The path of a request, without the prefix of all; '' for one without it. */
  pathOf({ url, socket }: IncomingMessage): string {
    const path = pathOf(url);
    const { pathPrefix } = this.around;
    if (pathPrefix === '' || isLocal(socket)) return path;
    return path.startsWith(`${pathPrefix}/`) ? path.slice(pathPrefix.length) : '';
  }

  private async handOn(
    way: LeaderWay,
    request: IncomingMessage,
    response: ServerResponse,
    headers: readonly string[],
  ): Promise<void> {
    const { guard } = this.around;
    let upstream: Joined;
    try {
      upstream = await way.open(request.socket);
    } catch (error) {
      // Where nodes reach each other is for the log alone: the client has not logged in.
      this.refuse(request, response, UNREACHED, (error as Error).message);
      return;
    }
    if (response.destroyed) {
      upstream.destroy();
      return;
    }
    const passed = httpRequest({
      method: request.method,
      path: request.url,
      headers,
      setHost: false,
      createConnection: () => upstream,
    });
    const late = new PreciseTimer(() => passed.destroy(new Error('the leader does not answer')));
    late.set(ANSWER_MS);
    response.once('close', () => {
      late.clear();
      upstream.destroy();
    });
    const failed = (error: Error): void => {
      if (response.destroyed) return;
      if (response.headersSent) response.destroy();
      else this.refuse(request, response, UNREACHED, error.message);
    };
    passed.on('error', guard.listener('request to the leader', failed));
    const answered = (got: IncomingMessage): void => {
      late.clear();
      this.passBack(got, request, response);
    };
    passed.on('response', guard.listener('answer of the leader', answered));
    if (request.headers.expect !== undefined) response.writeContinue();
    request.pipe(passed);
  }

  private passBack(got: IncomingMessage, request: IncomingMessage, response: ServerResponse): void {
    const headers = listed(got);
    // The leader has not read the body to its end, and closes: so does this node.
    if (!request.complete) headers.push('connection', 'close');
    response.writeHead(got.statusCode ?? 502, got.statusMessage, headers);
    got.on('error', () => response.destroy());
    got.pipe(response);
  }

  private upgrade(request: IncomingMessage, head: Buffer, sockets: HttpSockets): void {
    const { socket } = request;
    const client = socket as unknown as Joined;
    const way = this.around.leader();
    if (way === null || this.upgraded >= UPGRADED_MAX) {
      socket.end(REFUSED, () => socket.destroy());
      return;
    }
    sockets.takenOver(socket);
    this.upgraded += 1;
    socket.once('close', () => {
      this.upgraded -= 1;
    });
    const joined = way.open(socket).then(
      (upstream) => {
        if (socket.destroyed) {
          upstream.destroy();
          return;
        }
        upstream.write(Buffer.concat([headOf(request), head]));
        joinSockets(client, upstream);
      },
      (error: Error) => {
        this.say(error.message);
        socket.end(REFUSED, () => socket.destroy());
      },
    );
    this.around.guard.promise('upgrade to the leader', joined, () => socket.destroy());
  }

  private refuse(
    request: IncomingMessage,
    response: ServerResponse,
    reason: string,
    detail = reason,
  ): void {
    if (response.destroyed) return;
    request.resume();
    this.say(detail);
    const body = { error: 'not_leader', reason };
    if (!request.complete) response.setHeader('connection', 'close');
    answer(response, { status: 503, body });
  }

  private say(reason: string): void {
    this.failed += 1;
    const { clock, log } = this.around;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.saidMs < SAY_INTERVAL_MS) return;
    this.saidMs = nowMs;
    log.warn({ reason, requests: this.failed }, 'requests not handed on');
    this.failed = 0;
  }
}

/** An answer of this node itself. */
interface Answer {
  readonly status: number;
  readonly body: object;
}

const UNREACHED = 'the node that leads cannot be reached now';
const REFUSED =
  'HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n';

function checkOf(reason: string | null): Answer {
  if (reason === null) return { status: 200, body: { status: 'ok' } };
  return { status: 503, body: { status: 'failed', reason } };
}

function answer(response: ServerResponse, { status, body }: Answer): void {
  const bytes = Buffer.from(jsonText(body));
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': bytes.length,
    'cache-control': 'no-cache',
  });
  response.end(bytes);
}

/** The headers to hand on, each as often as it came. */
function listed({ rawHeaders, headers }: IncomingMessage): string[] {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  const kept: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const lower = name.toLowerCase();
    if (!OF_ONE_HOP.has(lower) && !named.includes(lower)) {
      kept.push(name, rawHeaders[i + 1] as string);
    }
  }
  return kept;
}

/** The same of a request; a body without a length comes in chunks. */
function headersOf(request: IncomingMessage): string[] {
  const headers = listed(request);
  if (request.headers['transfer-encoding'] !== undefined) {
    headers.push('transfer-encoding', 'chunked');
  }
  headers.push('connection', 'close');
  return headers;
}

/** The first lines of a request as they came: the parser has let no line break into any of them. */
function headOf({ method, url, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/1.1`];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}
