// Owns the cluster port: what nodes with the secret may ask of this one, and the bounds on it. Never decides what it answers.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  createServer as createTlsServer,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls';
import { causeText, StoreError } from '../../store/errors.ts';
import type { Clock } from '../../util/clock.ts';
import { FairSlots } from '../../util/fair-slots.ts';
import type { Guard } from '../../util/guard.ts';
import { setImmediate } from '../../util/system/runtime.ts';
import { wayOutOf } from '../../util/system/system-error.ts';
import { PreciseTimer } from '../../util/timers.ts';
import type { Snapshot } from '../snapshots/snapshot-keeper.ts';
import {
  CALLS,
  type Call,
  NODE_HEADER,
  SNAPSHOT_PATH,
  STATUS_PATH,
  UPGRADES,
  type Upgrade,
} from './paths.ts';
import { serverReason, serverTls } from './peer-key.ts';
import { SnapshotSender } from './send-snapshot.ts';

/** A request has a path and a few headers. */
const HEADERS_BYTES_MAX = 8 * 1024;
const HEADERS_COUNT_MAX = 32;
const HANDSHAKE_MS = 10_000;
const REQUEST_MS = 10_000;
const STALL_MS = 30_000;
/** How often connections that are late with a request are looked for. */
const CHECK_MS = 1000;
/** So many may be before the end of their handshake; it is not known of them that they are nodes. */
const STRANGERS_MAX = 512;
/** A line about refused peers comes this often at most. */
const SAY_INTERVAL_MS = 5000;
const NODE_NAME = /^[\w.@-]{1,255}$/;

/** What the port answers with. */
export interface PeerHandlers {
  /** The state of this node, as JSON. */
  status(): string;
  /** The snapshot to send, or null: there is none. */
  newest(): Snapshot | null;
  /** A snapshot that was to be sent is not what was written. */
  damaged(snapshot: Snapshot): Promise<void>;
  /**
   * Answers a leader of another group: with a text, which may take a while; null: there is nothing new. Rejects where this
   * node cannot say it now. Left out: this node never can.
   */
  call?(path: Call, given: URLSearchParams): Promise<string | null>;
  /** Takes a connection that a peer hands on, what has come of it still unread. Null: this node takes none. */
  readonly upgrades: Readonly<Partial<Record<Upgrade, ((socket: Socket) => void) | null>>>;
}

/** What it tells of. */
export interface PeerLog {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
}

/** Where it listens, and by what it goes. */
export interface PeerServerOptions {
  readonly host: string;
  /** 0: the system chooses one. */
  readonly port: number;
  /** See `peerKey`. */
  readonly key: Buffer;
  /** So many connections may be open behind their handshake, those that are handed on included. */
  readonly connectionsMax: number;
  /** A peer that takes nothing of a snapshot for so long is cut; 30 s unless given. */
  readonly stallMs?: number;
  /** So long may a handshake take; 10 s unless given. */
  readonly handshakeMs?: number;
}

/** The cluster port of a node. */
export class PeerServer {
  private readonly options: PeerServerOptions;
  private readonly handlers: PeerHandlers;
  private readonly guard: Guard;
  private readonly clock: Clock;
  private readonly log: PeerLog;
  private readonly netServer: Server;
  private readonly tlsServer: TlsServer;
  private readonly httpServer: HttpServer;
  private readonly sender: SnapshotSender;
  private readonly slots: FairSlots;
  private readonly slotsTimer: PreciseTimer;
  /** Those before the end of their handshake, by address and port. */
  private readonly strangers = new Map<string, Socket>();
  private readonly peers = new Set<Socket>();
  private refused = 0;
  private saidMs = Number.NEGATIVE_INFINITY;

  constructor(
    options: PeerServerOptions,
    handlers: PeerHandlers,
    guard: Guard,
    log: PeerLog,
    clock: Clock,
  ) {
    this.options = options;
    this.handlers = handlers;
    this.guard = guard;
    this.log = log;
    this.clock = clock;
    const { handshakeMs = HANDSHAKE_MS, stallMs = STALL_MS } = options;
    this.sender = new SnapshotSender(stallMs);
    this.slotsTimer = new PreciseTimer(guard.listener('handshakes', () => this.slots.look()));
    const wake = (delayMs: number): void => this.slotsTimer.set(delayMs);
    const pump = guard.listener('handshakes', () => this.slots.pump());
    const soon = (): unknown => setImmediate(pump);
    this.slots = new FairSlots({ clock, wake, soon }, handshakeMs);
    const come = (socket: Socket): void => this.come(socket);
    this.netServer = createServer({ noDelay: true }, guard.listener('peer', come, cut));
    this.tlsServer = this.makeTlsServer(handshakeMs);
    this.httpServer = this.makeHttpServer();
  }

  /** Opens the port; resolves with the real one. Rejects with a StoreError. */
  async listen(): Promise<{ readonly host: string; readonly port: number }> {
    const { host, port } = this.options;
    const { netServer } = this;
    try {
      await new Promise<void>((resolve, reject) => {
        netServer.once('error', reject);
        netServer.listen({ host, port }, () => {
          netServer.off('error', reject);
          resolve();
        });
      });
    } catch (cause) {
      const hint = wayOutOf(cause) ?? 'free that port, or name another one in cluster.listen';
      const text = `the cluster port ${host}:${port} cannot be opened (${causeText(cause)})`;
      throw new StoreError(text, hint, { cause });
    }
    netServer.on('error', (error) => this.log.warn({ err: error }, 'cluster port failed'));
    const real = netServer.address();
    return { host, port: typeof real === 'object' ? (real?.port ?? port) : port };
  }

  /** Closes the port, and cuts all that came by it. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.netServer.close(() => resolve());
    });
    for (const socket of [...this.strangers.values(), ...this.peers]) socket.destroy();
    this.slotsTimer.clear();
    this.httpServer.close();
    await closed;
  }

  private makeTlsServer(handshakeTimeout: number): TlsServer {
    const server = createTlsServer({ ...serverTls(this.options.key), handshakeTimeout });
    const known = (socket: TLSSocket): void => this.known(socket);
    server.on('secureConnection', this.guard.listener('peer', known, cut));
    const failed = (error: NodeJS.ErrnoException, socket: TLSSocket): void => {
      const peer = peerOf(socket);
      socket.destroy();
      // A stranger that was cut here, or has hung up before a word, is no failure of a peer.
      if (this.over(peer)) this.say(peer, serverReason(error));
    };
    const end = (_error: Error, socket: TLSSocket): unknown => socket.destroy();
    server.on('tlsClientError', this.guard.listener('handshake', failed, end));
    return server;
  }

  private makeHttpServer(): HttpServer {
    const { guard } = this;
    const server = createHttpServer({
      maxHeaderSize: HEADERS_BYTES_MAX,
      connectionsCheckingInterval: CHECK_MS,
      headersTimeout: REQUEST_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: REQUEST_MS,
    });
    server.maxHeadersCount = HEADERS_COUNT_MAX;
    const take = (request: IncomingMessage, response: ServerResponse): void =>
      this.take(request, response);
    const cutRequest = (request: IncomingMessage): unknown => request.socket.destroy();
    server.on('request', guard.listener('peer request', take, cutRequest));
    const handOver = (request: IncomingMessage, socket: Duplex, head: Buffer): void =>
      this.handOver(request, socket as Socket, head);
    server.on('upgrade', guard.listener('peer upgrade', handOver, cutRequest));
    server.on('clientError', (_error, socket) => socket.destroy());
    // It never listens itself, and would not look after its timeouts without being told that it does.
    server.emit('listening');
    return server;
  }

  private come(socket: Socket): void {
    if (this.strangers.size >= STRANGERS_MAX) {
      socket.destroy();
      return;
    }
    const peer = peerOf(socket);
    this.strangers.set(peer, socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.over(peer));
    const begin = (): void => {
      if (!socket.destroyed) this.tlsServer.emit('connection', socket);
    };
    this.slots.came(socket, socket.remoteAddress ?? '', begin, () => socket.destroy());
  }

  /** The handshake of a peer is over; false: it was before. */
  private over(peer: string): boolean {
    const socket = this.strangers.get(peer);
    if (socket === undefined) return false;
    this.slots.left(socket);
    return this.strangers.delete(peer);
  }

  /** A peer has proved that it has the secret. */
  private known(socket: TLSSocket): void {
    this.over(peerOf(socket));
    if (this.peers.size >= this.options.connectionsMax) {
      this.say(peerOf(socket), `there are ${this.peers.size} connections of peers already`);
      socket.destroy();
      return;
    }
    this.peers.add(socket);
    socket.once('close', () => this.peers.delete(socket));
    socket.on('error', () => socket.destroy());
    this.httpServer.emit('connection', socket);
  }

  private take(request: IncomingMessage, response: ServerResponse): void {
    const { method, url } = request;
    const call = this.callOf(url ?? '');
    if (method !== 'GET') {
      response.writeHead(405, { connection: 'close' }).end();
    } else if (url === STATUS_PATH) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(this.handlers.status());
    } else if (call !== null) {
      const answered = this.answer(call.path, call.given, response);
      this.guard.promise('call of a peer', answered, () => response.destroy());
    } else if (url === SNAPSHOT_PATH) {
      const sent = this.sendNewest(request, response);
      this.guard.promise('snapshot', sent, () => response.destroy());
    } else response.writeHead(404).end();
  }

  /** What a request asks the leader for; null: for something else. */
  private callOf(url: string): { readonly path: Call; readonly given: URLSearchParams } | null {
    const end = url.indexOf('?');
    const path = CALLS.find((each) => each === (end < 0 ? url : url.slice(0, end)));
    if (path === undefined) return null;
    return { path, given: new URLSearchParams(end < 0 ? '' : url.slice(end)) };
  }

  private async answer(
    path: Call,
    given: URLSearchParams,
    response: ServerResponse,
  ): Promise<void> {
    try {
      const text = await this.handlers.call?.(path, given);
      if (text === undefined) response.writeHead(404).end();
      else if (text === null) response.writeHead(204).end();
      else response.writeHead(200, { 'content-type': 'application/json' }).end(text);
    } catch (error) {
      this.log.warn({ path, reason: causeText(error) }, 'a call of another group was not answered');
      if (!response.headersSent) response.writeHead(503).end();
    }
  }

  private async sendNewest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const peer = request.headers[NODE_HEADER];
    const snapshot = this.handlers.newest();
    if (typeof peer !== 'string' || !NODE_NAME.test(peer)) {
      response.writeHead(400).end();
    } else if (snapshot === null) {
      response.writeHead(404).end();
    } else {
      const fields = { peer, seq: snapshot.place.seq };
      try {
        const result = await this.sender.send(peer, snapshot, response);
        if (result === 'sent') this.log.info(fields, 'snapshot sent');
        else this.log.warn({ ...fields, result }, 'snapshot not sent');
        if (result === 'damaged') await this.handlers.damaged(snapshot);
      } catch (error) {
        this.log.warn({ ...fields, reason: causeText(error) }, 'snapshot not sent');
        if (response.headersSent) response.destroy();
        else response.writeHead(503).end();
      }
    }
  }

  private handOver(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const name = UPGRADES.find((each) => each === request.headers.upgrade);
    const { upgrades } = this.handlers;
    const take = name === undefined ? null : (upgrades[name] ?? null);
    if (take === null || request.method !== 'GET') {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n');
      return;
    }
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${name}\r\n\r\n`,
    );
    if (head.length > 0) socket.unshift(head);
    take(socket);
  }

  private say(peer: string, reason: string): void {
    this.refused += 1;
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.saidMs < SAY_INTERVAL_MS) return;
    this.saidMs = nowMs;
    this.log.warn({ peer, reason, refused: this.refused }, 'refused at the cluster port');
    this.refused = 0;
  }
}

const cut = (socket: Socket): unknown => socket.destroy();

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress ?? 'unknown'}:${remotePort ?? 0}`;
}
