// Owns what is known of one connection for tools that look at it: its ends, what was agreed on, and
// what it has carried. Never acts on any of it.

import { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import type { FieldTable } from '../../amqp/field-table.ts';
import type { ConnectionView } from '../../broker/view/server-port.ts';
import { distinguishedName } from '../tls/names.ts';
import type { TlsPeer } from '../tls/peer.ts';

/** What is told of the certificate of a client. */
type Certificate = Pick<
  ConnectionView,
  'peer_cert_subject' | 'peer_cert_issuer' | 'peer_cert_validity'
>;

const NO_CERTIFICATE: Certificate = {
  peer_cert_subject: null,
  peer_cert_issuer: null,
  peer_cert_validity: null,
};
const NO_PROPERTIES: FieldTable = new Map();
/** A longer name is cut in the log. */
const LOGGED_NAME_MAX = 255;

/** The facts of one connection. */
export class PeerInfo {
  /** ms since the Unix epoch. */
  readonly connectedMs: number;
  readonly peerHost: string;
  readonly peerPort: number;
  readonly host: string;
  readonly port: number;
  /** What the handshake of TLS found out; null for a connection without TLS. */
  readonly tls: TlsPeer | null;
  clientProperties = NO_PROPERTIES;
  mechanism = '';
  /** Seconds between heartbeats, as agreed on. */
  heartbeatSeconds = 0;
  private readonly socket: Socket;

  constructor(socket: Socket, tls: TlsPeer | null, nowMs: number) {
    this.socket = socket;
    this.tls = tls;
    this.connectedMs = nowMs;
    this.peerHost = socket.remoteAddress ?? '';
    this.peerPort = socket.remotePort ?? 0;
    this.host = socket.localAddress ?? '';
    this.port = socket.localPort ?? 0;
  }

  /** As RabbitMQ names connections: both ends of the socket. */
  get name(): string {
    return `${this.peer} -> ${this.host}:${this.port}`;
  }

  /** What the client calls itself, its `connection_name`; '' when it does not say. */
  get clientName(): string {
    const field = this.clientProperties.get('connection_name');
    return field?.type === 'S' ? String(field.value) : '';
  }

  /** What the log says of a connection that opens, beside its user and vhost. */
  get logFields(): Readonly<Record<string, string>> {
    const { clientName, tls } = this;
    return {
      ...(tls === null ? {} : { tls: tls.protocol }),
      ...(clientName === '' ? {} : { client: clientName.slice(0, LOGGED_NAME_MAX) }),
    };
  }

  /** The certificate that the client showed, as RabbitMQ tells of it. */
  get certificate(): Certificate {
    const der = this.tls?.certificate ?? null;
    if (der === null) return NO_CERTIFICATE;
    const { issuer, validFrom, validTo } = new X509Certificate(der);
    return {
      peer_cert_subject: distinguishedName(der),
      peer_cert_issuer: issuer.split('\n').reverse().join(','),
      peer_cert_validity: `${moment(validFrom)} - ${moment(validTo)}`,
    };
  }

  /** The other end. */
  get peer(): string {
    return `${this.peerHost}:${this.peerPort}`;
  }

  /** Bytes that came in. */
  get received(): number {
    return this.socket.bytesRead;
  }

  /** Bytes that went out, or wait to. */
  get sent(): number {
    return this.socket.bytesWritten;
  }

  /** Bytes that wait to go out. */
  get unsent(): number {
    return this.socket.writableLength;
  }
}

/** A date of a certificate; one that is none, as a peer may have made it, as it stands there. */
function moment(text: string): string {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? text : `${date.toISOString().slice(0, 19)}Z`;
}
