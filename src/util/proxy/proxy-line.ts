// Owns the line that a proxy sends before what a client says, in version 2 of the PROXY protocol: written and read. Never
// decides which peers may send one.

import { addressBytes, addressText } from './address-bytes.ts';

/** What the handshake of TLS found out about a client. */
export interface ProxiedTls {
  /** Such as `TLSv1.3`. */
  readonly protocol: string;
  readonly cipher: string;
  /** The client's certificate (DER), verified; null when it showed none, or one that is refused. */
  readonly certificate: Buffer | null;
  /** Why the client may not log in; null when it may. */
  readonly refusal: string | null;
}

/** A client of a proxy. */
export interface ProxiedPeer {
  readonly peerHost: string;
  readonly peerPort: number;
  /** Where the proxy took it. */
  readonly host: string;
  readonly port: number;
  readonly tls: ProxiedTls | null;
}

/** What the first octets of a connection come to. */
export type ProxyLine =
  /** There are too few of them so far. */
  | { readonly is: 'unfinished' }
  /** They are no line, or not one that tells of a client. */
  | { readonly is: 'wrong' }
  /** A line of so many octets. */
  | { readonly is: 'line'; readonly bytes: number; readonly peer: ProxiedPeer };

/*
 *   12 octets signature | u8 version and command | u8 family | u16 length of the rest
 *   peer's address | address | u16 peer's port | u16 port      4 or 16 octets an address
 *   u8 type | u16 length | value   ...
 *
 * The value of SSL is u8 flags | u32 0 where the certificate is verified | more of these; the rest is named as the protocol
 * names it, but for the reason of a refusal, which is of Leveret's own.
 */
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const HEAD_BYTES = SIGNATURE.length + 4;
const PROXY_2 = 0x21;
const TCP4 = 0x11;
const TCP6 = 0x21;
const SSL = 0x20;
const SSL_HEAD_BYTES = 5;
const VERSION = 0x21;
const CIPHER = 0x23;
const CERTIFICATE = 0x28;
const REFUSAL = 0xe0;
const FLAG_TLS = 1;
const FLAG_CERTIFICATE = 2;

/** A longer certificate does not fit into a line beside the rest. */
const CERTIFICATE_BYTES_MAX = 48 * 1024;
const REFUSAL_CHARS_MAX = 1000;

const UNFINISHED: ProxyLine = { is: 'unfinished' };
const WRONG: ProxyLine = { is: 'wrong' };

/** The line that tells of a client; null: its addresses are none, as those of a socket that is gone. */
export function writeProxyLine({
  peerHost,
  peerPort,
  host,
  port,
  tls,
}: ProxiedPeer): Buffer | null {
  const from = addressBytes(peerHost);
  const to = addressBytes(host);
  if (from === null || to === null) return null;
  const isFour = from.length === 4 && to.length === 4;
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(peerPort);
  ports.writeUInt16BE(port, 2);
  const ends = isFour ? [from, to, ports] : [mapped(from), mapped(to), ports];
  const rest = Buffer.concat(tls === null ? ends : [...ends, tlsField(tls)]);
  const head = Buffer.alloc(HEAD_BYTES);
  SIGNATURE.copy(head);
  head.writeUInt8(PROXY_2, 12);
  head.writeUInt8(isFour ? TCP4 : TCP6, 13);
  head.writeUInt16BE(rest.length, 14);
  return Buffer.concat([head, rest]);
}

function tlsField(tls: ProxiedTls): Buffer {
  const { protocol, cipher } = tls;
  const isLong = tls.certificate !== null && tls.certificate.length > CERTIFICATE_BYTES_MAX;
  const certificate = isLong ? null : tls.certificate;
  const refusal = isLong ? 'the certificate is too long for a proxied connection' : tls.refusal;
  const head = Buffer.alloc(SSL_HEAD_BYTES);
  head.writeUInt8(FLAG_TLS | (certificate === null ? 0 : FLAG_CERTIFICATE));
  head.writeUInt32BE(refusal === null ? 0 : 1, 1);
  const fields = [head, field(VERSION, Buffer.from(protocol)), field(CIPHER, Buffer.from(cipher))];
  if (certificate !== null) fields.push(field(CERTIFICATE, certificate));
  if (refusal !== null) {
    fields.push(field(REFUSAL, Buffer.from(refusal.slice(0, REFUSAL_CHARS_MAX))));
  }
  return field(SSL, Buffer.concat(fields));
}

function field(type: number, value: Buffer): Buffer {
  const head = Buffer.alloc(3);
  head.writeUInt8(type);
  head.writeUInt16BE(value.length, 1);
  return Buffer.concat([head, value]);
}

/** An address of IPv4 as one of IPv6. */
function mapped(address: Buffer): Buffer {
  if (address.length === 16) return address;
  return Buffer.concat([Buffer.alloc(10), Buffer.from([0xff, 0xff]), address]);
}

/**
 * Reads the line at the beginning of a connection, which has 64 KiB and 16 octets at most: more is never unfinished. Whatever
 * it holds, this does not throw.
 */
export function readProxyLine(bytes: Buffer): ProxyLine {
  const begun = bytes.subarray(0, SIGNATURE.length);
  if (!begun.equals(SIGNATURE.subarray(0, begun.length))) return WRONG;
  if (bytes.length < HEAD_BYTES) return UNFINISHED;
  const family = bytes.readUInt8(13);
  if (bytes.readUInt8(12) !== PROXY_2 || (family !== TCP4 && family !== TCP6)) return WRONG;
  const end = HEAD_BYTES + bytes.readUInt16BE(14);
  if (bytes.length < end) return UNFINISHED;
  const rest = bytes.subarray(HEAD_BYTES, end);
  const width = family === TCP4 ? 4 : 16;
  if (rest.length < 2 * width + 4) return WRONG;
  const tls = readTls(rest.subarray(2 * width + 4));
  if (tls === undefined) return WRONG;
  const peer = {
    peerHost: addressText(rest.subarray(0, width)),
    peerPort: rest.readUInt16BE(2 * width),
    host: addressText(rest.subarray(width, 2 * width)),
    port: rest.readUInt16BE(2 * width + 2),
    tls,
  };
  return { is: 'line', bytes: end, peer };
}

/** What is told of TLS; null: there was none, undefined: it cannot be read. */
function readTls(bytes: Buffer): ProxiedTls | null | undefined {
  const fields = readFields(bytes);
  const value = fields?.get(SSL);
  if (fields === null) return undefined;
  if (value === undefined) return null;
  if (value.length < SSL_HEAD_BYTES) return undefined;
  const isVerified = value.readUInt32BE(1) === 0;
  const inner = readFields(value.subarray(SSL_HEAD_BYTES));
  if (inner === null) return undefined;
  const text = (type: number): string => inner.get(type)?.toString() ?? '';
  const refusal = isVerified ? null : text(REFUSAL) || 'the certificate of the client is refused';
  const certificate = inner.get(CERTIFICATE);
  return {
    protocol: text(VERSION),
    cipher: text(CIPHER),
    // A copy: the rest of what came with it may be used for other things.
    certificate: certificate === undefined || !isVerified ? null : Buffer.from(certificate),
    refusal,
  };
}

/** Fields by their types; null: they do not end where they should. */
function readFields(bytes: Buffer): Map<number, Buffer> | null {
  const fields = new Map<number, Buffer>();
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < 3) return null;
    const end = at + 3 + bytes.readUInt16BE(at + 1);
    if (end > bytes.length) return null;
    fields.set(bytes.readUInt8(at), bytes.subarray(at + 3, end));
    at = end;
  }
  return fields;
}
