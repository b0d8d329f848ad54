// Owns one listening socket, with or without TLS, and the sockets that it has accepted until they
// are gone. Never speaks AMQP: what it accepts becomes a Connection.

import { createServer, type Server as NetServer, type Socket } from 'node:net';
import type { TLSSocket, Server as TlsServer } from 'node:tls';
import type { Logger } from 'pino';
import type { Clock } from '../../util/clock.ts';
import { FairSlots } from '../../util/fair-slots.ts';
import type { Guard } from '../../util/guard.ts';
import { setImmediate } from '../../util/system/runtime.ts';
import { type TimerWheel, WheelTimer } from '../../util/timers.ts';
import type { LineQuota } from '../log/line-quota.ts';
import { certificatesBetween } from '../tls/chain.ts';
import type { TlsContext, TlsSettings } from '../tls/context.ts';
import type { TlsPeer } from '../tls/peer.ts';
import type { SocketLimit } from './socket-limit.ts';

/** An address to listen on; `key` is the setting that it came from. */
export interface ListenAddress {
  readonly key: string;
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

/** The settings of a listening socket. */
export interface ListenerSettings extends TlsSettings {
  readonly tcpBacklog: number;
  readonly tcpNodelay: boolean;
  readonly tcpKeepalive: boolean;
}

/** What takes the sockets that a listener accepts. */
export interface Acceptor {
  readonly log: Logger;
  readonly lines: LineQuota;
  readonly peerGuard: Guard;
  readonly socketLimit: SocketLimit;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** Whether there is room for one more socket. */
  mayAccept(): boolean;
  /** A socket is ready for AMQP; `peer` is null without TLS. */
  accepted(socket: Socket, peer: TlsPeer | null): void;
}

/** One listening socket. */
export class Listener {
  /** Where it listens; the port is the real one once `open` has resolved. */
  address: ListenAddress;
  private readonly settings: ListenerSettings;
  private readonly acceptor: Acceptor;
  private readonly netServer: NetServer;
  private readonly tlsServer: TlsServer | null;
  private context: TlsContext | null;
  private readonly sockets = new Set<Socket>();
  /** The sockets in the handshake of TLS, by address and port of the peer. */
  private readonly handshakes = new Map<string, Socket>();
  /** Which peers may be at the handshake: it costs half a millisecond of the event loop or more; many come at once. */
  private readonly slots: FairSlots;
  private closing = false;
  /** Whether the port is to be open: that may change while it is being opened. */
  private wanted = false;
  private opening: Promise<void> | null = null;

  /** `context` is for a listener with TLS. */
  constructor(
    address: ListenAddress,
    settings: ListenerSettings,
    context: TlsContext | null,
    acceptor: Acceptor,
  ) {
    this.address = address;
    this.settings = settings;
    this.acceptor = acceptor;
    // A peer that hangs up in the handshake of TLS is gone; later, the connection sees to it.
    const options = {
      noDelay: settings.tcpNodelay,
      keepAlive: settings.tcpKeepalive,
      allowHalfOpen: context === null,
    };
    const accept = (socket: Socket): void => this.accept(socket);
    this.netServer = createServer(options, acceptor.peerGuard.listener('accept', accept, cut));
    this.netServer.on('error', (error) => this.failed(error));
    this.context = context;
    const { clock, wheel, peerGuard } = acceptor;
    const timer = new WheelTimer(() => this.slots.look());
    const wake = (delayMs: number): void => wheel.schedule(timer, delayMs);
    const pump = peerGuard.listener('TLS handshakes', () => this.slots.pump());
    const soon = (): unknown => setImmediate(pump);
    this.slots = new FairSlots({ clock, wake, soon }, settings.sslHandshakeTimeoutMs);
    this.tlsServer = context === null ? null : this.makeTlsServer(context);
  }

  /** How many of its sockets are open, those in the handshake of TLS included. */
  get socketCount(): number {
    return this.sockets.size;
  }

  /** Whether the port is open. */
  get isOpen(): boolean {
    return this.wanted && this.netServer.listening;
  }

  /** Starts to accept, or again after `suspend`, at the same port. Rejects with the system's error. */
  async open(): Promise<void> {
    if (this.closing) return;
    this.wanted = true;
    if (this.netServer.listening) return;
    this.opening ??= this.bind();
    const { opening } = this;
    try {
      await opening;
    } finally {
      if (this.opening === opening) this.opening = null;
    }
    if (!this.wanted) this.netServer.close();
  }

  private bind(): Promise<void> {
    const { host, port } = this.address;
    const { netServer } = this;
    return new Promise((resolve, reject) => {
      // Each takes the other off, so that a port that cannot be opened leaves nothing behind at the socket.
      const opened = (): void => {
        netServer.off('error', refused);
        const real = netServer.address();
        if (typeof real === 'object' && real !== null) {
          this.address = { ...this.address, port: real.port };
        }
        resolve();
      };
      const refused = (error: Error): void => {
        netServer.off('listening', opened);
        reject(error);
      };
      netServer.once('listening', opened);
      netServer.once('error', refused);
      try {
        netServer.listen({ host, port, backlog: this.settings.tcpBacklog });
      } catch (error) {
        netServer.off('error', refused);
        refused(error as Error);
      }
    });
  }

  /** An error of the socket. What keeps it from being opened is told to the caller of `open`. */
  private failed(error: Error): void {
    if (this.opening === null) this.acceptor.log.error({ err: error }, 'listener failed');
  }

  /** Accepts no more until it is opened again; what it has accepted stays. */
  suspend(): void {
    this.wanted = false;
    this.netServer.close();
  }

  /** Offers new certificates to peers that connect from now on. */
  renew(context: TlsContext): void {
    if (this.tlsServer === null) return;
    this.context = context;
    this.tlsServer.setSecureContext(context.options);
  }

  /** Accepts no more; what is in the handshake of TLS will not become a connection. */
  close(): void {
    this.closing = true;
    this.suspend();
  }

  /** Cuts every socket that is left. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  private accept(socket: Socket): void {
    if (!this.acceptor.mayAccept()) {
      socket.destroy();
      return;
    }
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    if (this.tlsServer === null) {
      this.acceptor.accepted(socket, null);
      return;
    }
    const peer = peerOf(socket);
    this.handshakes.set(peer, socket);
    this.acceptor.socketLimit.newcomers.came(socket, socket.remoteAddress ?? '', () =>
      socket.destroy(),
    );
    const brokenOff = (): void => this.brokenOff(peer);
    socket.once('close', this.acceptor.peerGuard.listener('broken handshake', brokenOff));
    const { tlsServer } = this;
    const begin = (): void => {
      if (!socket.destroyed) tlsServer.emit('connection', socket);
    };
    const giveUp = (): unknown => socket.destroy();
    // Until its turn comes, nothing else listens.
    socket.on('error', this.acceptor.peerGuard.listener('socket error', giveUp));
    this.slots.came(socket, socket.remoteAddress ?? '', begin, giveUp);
  }

  private makeTlsServer(context: TlsContext): TlsServer {
    const { settings } = this;
    const { peerGuard } = this.acceptor;
    const verify = verifyingClients(settings);
    const server = context.createServer({
      ...context.options,
      handshakeTimeout: settings.sslHandshakeTimeoutMs,
      requestCert: verify,
      // Node.js would only hang up, after the handshake: `secured` judges, so that the peer is told why.
      rejectUnauthorized: false,
    });
    const secured = (socket: TLSSocket): void => this.secured(socket);
    server.on('secureConnection', peerGuard.listener('TLS', secured, cut));
    const failed = (error: NodeJS.ErrnoException, socket: TLSSocket): void =>
      this.handshakeFailed(socket, error.code ?? '', error.message);
    server.on(
      'tlsClientError',
      peerGuard.listener('failed handshake', failed, (_error, socket) => cut(socket)),
    );
    return server;
  }

  private secured(socket: TLSSocket): void {
    const { settings } = this;
    const peer = peerOf(socket);
    this.over(peer);
    if (this.closing) socket.destroy();
    // One that is gone already would never tell its connection so.
    if (socket.destroyed) return;
    const shown = verifyingClients(settings) ? certificateOf(socket) : null;
    const refusal = verifyingClients(settings) ? this.refusalOf(socket, shown) : null;
    if (refusal !== null) this.refuse(peer, refusal);
    this.acceptor.accepted(socket, {
      protocol: socket.getProtocol() ?? '',
      cipher: socket.getCipher().name,
      certificate: refusal === null ? shown : null,
      refusal,
    });
  }

  /** Why a peer that has shown this certificate, or none, may not log in; null when it may. */
  private refusalOf(socket: TLSSocket, shown: Buffer | null): string | null {
    const { sslDepth, sslFailIfNoPeerCert } = this.settings;
    if (shown === null) return sslFailIfNoPeerCert ? NO_CERTIFICATE : null;
    if (!socket.authorized) {
      const reason = String(socket.authorizationError ?? 'it is not trusted');
      return `the certificate of the client is refused: ${reason}`;
    }
    if (sslDepth === Number.POSITIVE_INFINITY) return null;
    const between = certificatesBetween(socket, this.context?.authorities ?? []);
    if (between !== null && between <= sslDepth) return null;
    return (
      `${between ?? 'an unknown number of'} certificates stand between the client's and the root, ` +
      `ssl_options.depth allows ${sslDepth}`
    );
  }

  private handshakeFailed(socket: TLSSocket, code: string, message: string): void {
    const peer = peerOf(socket);
    socket.destroy();
    // Whatever watches a port connects to it and goes away.
    if (code === 'ECONNRESET') this.brokenOff(peer);
    else this.refuse(peer, HANDSHAKE_FAILURES.get(code) ?? message);
  }

  /** A socket is closed: if that was in the handshake, Node.js or the peer has closed it. */
  private brokenOff(peer: string): void {
    if (!this.over(peer)) return;
    const reason = 'the peer hung up';
    const text = 'TLS handshake broken off';
    if (this.acceptor.lines.admits(text)) this.acceptor.log.info({ peer, reason }, text);
  }

  /** The handshake of a peer is over; false: it was before. */
  private over(peer: string): boolean {
    const socket = this.handshakes.get(peer);
    if (socket === undefined) return false;
    this.acceptor.socketLimit.newcomers.left(socket);
    this.slots.left(socket);
    return this.handshakes.delete(peer);
  }

  private refuse(peer: string, reason: string): void {
    this.over(peer);
    const text = 'TLS handshake failed';
    if (this.acceptor.lines.admits(text)) this.acceptor.log.warn({ peer, reason }, text);
  }
}

const NO_CERTIFICATE = 'the client has no certificate, see ssl_options.fail_if_no_peer_cert';
const NO_TLS = 'the peer does not speak TLS: without it, it has to use a port of listeners.tcp';

/** What the codes of OpenSSL and Node.js mean for the operator. */
const HANDSHAKE_FAILURES: ReadonlyMap<string, string> = new Map([
  ['ERR_SSL_WRONG_VERSION_NUMBER', NO_TLS],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', NO_TLS],
  ['ERR_SSL_RECORD_LAYER_FAILURE', NO_TLS],
  ['ERR_SSL_HTTP_REQUEST', `${NO_TLS} (it sent a request of HTTP)`],
  ['ERR_TLS_HANDSHAKE_TIMEOUT', 'the handshake took too long, see ssl_handshake_timeout'],
  ['ERR_SSL_UNSUPPORTED_PROTOCOL', 'no version of TLS in common, see ssl_options.versions'],
  ['ERR_SSL_NO_SHARED_CIPHER', 'no cipher suite in common, see ssl_options.ciphers'],
]);

const cut = (socket: Socket): unknown => socket.destroy();

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress ?? 'unknown'}:${socket.remotePort ?? 0}`;
}

function verifyingClients({ sslVerify }: TlsSettings): boolean {
  return sslVerify === 'verify_peer';
}

/**
 * The certificate that the peer has shown (DER), or null. Not by `getPeerX509Certificate`: it takes
 * away what chain.ts looks for.
 */
function certificateOf(socket: TLSSocket): Buffer | null {
  // What stands for no certificate is an empty object.
  const { raw } = socket.getPeerCertificate() as { raw?: Buffer };
  return raw ?? null;
}
