// Owns the shared secret of a cluster as TLS uses it: the key, the cipher suites, and what a failed handshake means. Never
// opens a socket.

import { scrypt } from 'node:crypto';
import type { ConnectionOptions, TlsOptions } from 'node:tls';
import { promisify } from 'node:util';
import { causeText } from '../../store/errors.ts';

const derive = promisify<string, string, number, Buffer>(scrypt);

const SALT = 'leveret cluster port 1';
const KEY_BYTES = 32;
/** Both sides name the key so; there is one. */
const IDENTITY = 'leveret';

/**
 * With the secret for both sides to prove, and keys of their own for each connection: what was recorded cannot be read by one
 * that learns the secret later. Node.js knows shared secrets up to TLS 1.2 only.
 */
const SUITES = {
  ciphers: 'ECDHE-PSK-CHACHA20-POLY1305:DHE-PSK-AES256-GCM-SHA384:DHE-PSK-CHACHA20-POLY1305',
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
} as const;

/** The key of a secret. That takes a while on purpose: a short secret is the harder to guess. */
export function peerKey(secret: string): Promise<Buffer> {
  return derive(secret, SALT, KEY_BYTES);
}

/** The options of a server that only peers with the key can speak to. */
export function serverTls(key: Buffer): TlsOptions {
  return {
    ...SUITES,
    dhparam: 'auto',
    pskCallback: (_socket, identity) => (identity === IDENTITY ? key : null),
  };
}

/** The options of a client that only speaks to a server with the key. */
export function clientTls(key: Buffer): ConnectionOptions {
  return {
    ...SUITES,
    pskCallback: () => ({ identity: IDENTITY, psk: key }),
    // There is no certificate: that the server has the key says that it is a node.
    checkServerIdentity: () => undefined,
  };
}

const OTHER_SECRET = 'it has another cluster.secret than this node';
const NO_NODE = 'it speaks no TLS with a shared secret: it is no node of a cluster';

const SERVER_CODES: ReadonlyMap<string, string> = new Map([
  ['ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC', OTHER_SECRET],
  ['ERR_SSL_CIPHER_OPERATION_FAILED', OTHER_SECRET],
  ['ERR_SSL_NO_SHARED_CIPHER', NO_NODE],
  ['ERR_SSL_UNSUPPORTED_PROTOCOL', NO_NODE],
  ['ERR_SSL_WRONG_VERSION_NUMBER', NO_NODE],
  ['ERR_SSL_HTTP_REQUEST', NO_NODE],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', NO_NODE],
  ['ERR_TLS_HANDSHAKE_TIMEOUT', 'the handshake took too long'],
  ['ECONNRESET', 'it hung up in the handshake'],
]);

/** Why a client could not come in, for the log of the server. */
export function serverReason(error: NodeJS.ErrnoException): string {
  return SERVER_CODES.get(error.code ?? '') ?? error.code ?? 'its handshake failed';
}

/** Why a server could not be reached, or did not answer. */
export function clientReason(error: unknown): string {
  const text = causeText(error);
  // OpenSSL tells of the alert in its text alone.
  if (/bad record mac/.test(text)) return OTHER_SECRET;
  if (/alert handshake failure|wrong version number|unsupported protocol/.test(text))
    return NO_NODE;
  // What Node.js calls a response that ends before it is whole.
  return text === 'aborted' ? 'it broke off its answer' : text;
}
