// Owns how a node gets in at the servers of NATS: its login and its certificates, read anew for each connection, so that new ones
// need no restart. Never connects, and never shows a secret.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import {
  checkServerIdentity,
  createSecureContext,
  type PeerCertificate,
  type SecureContextOptions,
} from 'node:tls';
import {
  type Authenticator,
  credsAuthenticator,
  type NodeConnectionOptions,
  nkeyAuthenticator,
  type TlsOptions,
} from '@nats-io/transport-node';
import { parseAnswer } from '../../../util/json/json-input.ts';
import { causeText, StoreError } from '../../errors.ts';
import { fieldsOf, numberOf } from './answers.ts';
import type { NatsPlace, NatsTls } from './place.ts';

/** What the client of NATS is given. Rejects with a StoreError where a file is no good. */
export async function accessOptions(place: NatsPlace): Promise<NodeConnectionOptions> {
  const { tls, login } = place;
  // The client of NATS would try again and again with one that is no good.
  await readTls(place);
  const { credentials } = login;
  const ofLogin = loginOptions(credentials === null ? null : credentialsOf(credentials), place);
  if (tls === null) return ofLogin;
  // What is read with the files goes to Node with them.
  const ofTls = { ...filesOf(tls), checkServerIdentity: identify };
  return { ...ofLogin, tls: ofTls };
}

function loginOptions(
  authenticator: Authenticator | null,
  { login: { user, password, token } }: NatsPlace,
): NodeConnectionOptions {
  if (authenticator !== null) return { authenticator };
  if (user !== null) return { user, pass: password ?? '' };
  return token === null ? {} : { token };
}

/** Certificates as they are in their files. */
export type TlsMaterial = Pick<SecureContextOptions, 'ca' | 'cert' | 'key'>;

/** Reads the certificates and the key, and sees that they are what they should be. Rejects with a StoreError. */
export async function readTls({ tls }: NatsPlace): Promise<TlsMaterial> {
  if (tls === null) return {};
  const { ca, cert, key } = tls;
  const material: TlsMaterial = {};
  if (ca !== null) {
    material.ca = await readChecked('cluster.nats.tls.ca', ca, (pem) => new X509Certificate(pem));
  }
  if (cert !== null && key !== null) {
    material.cert = await readChecked(
      'cluster.nats.tls.cert',
      cert,
      (pem) => new X509Certificate(pem),
    );
    const own = material.cert;
    material.key = await readChecked('cluster.nats.tls.key', key, (pem) => {
      createPrivateKey(pem);
      createSecureContext({ cert: own, key: pem });
    });
  }
  return material;
}

async function readChecked(
  key: string,
  path: string,
  check: (pem: Buffer) => unknown,
): Promise<Buffer> {
  try {
    const pem = await readFile(path);
    check(pem);
    return pem;
  } catch (cause) {
    const what = `${path}, which is for the connection to NATS, is no good: ${causeText(cause)}`;
    throw new StoreError(what, `see ${key}`, { cause });
  }
}

/**
 * Whether the certificate of a server is for it. One that is named by its address is looked up by that: the client of NATS names
 * none then, and Node would take it for `localhost`.
 */
export function identify(
  this: { readonly servername?: string; readonly socket?: { readonly remoteAddress?: string } },
  host: string,
  certificate: PeerCertificate,
): Error | undefined {
  const name = this.servername;
  const isNamed = name !== undefined && name !== '';
  return checkServerIdentity(isNamed ? host : (this.socket?.remoteAddress ?? host), certificate);
}

function filesOf({ ca, cert, key }: NatsTls): TlsOptions {
  const files = { caFile: ca, certFile: cert, keyFile: key };
  return Object.fromEntries(Object.entries(files).filter(([, file]) => file !== null));
}

/** Logs in by what a file says each time; where it is no good for a moment, by what it has said last. Throws a StoreError. */
function credentialsOf(path: string): Authenticator {
  let last = read(path);
  return (nonce) => {
    try {
      last = read(path);
    } catch {
      // What is there still may be valid, and the servers say so where it is not.
    }
    return last(nonce);
  };
}

function read(path: string): Authenticator {
  try {
    const bytes = readFileSync(path);
    const seed = /^\s*(SU[A-Z2-7]+)\s*$/.exec(bytes.toString('latin1'))?.[1];
    const authenticator =
      seed === undefined ? credsAuthenticator(bytes) : nkeyAuthenticator(Buffer.from(seed));
    // It reads them no sooner than it has to sign something.
    authenticator('nonce');
    return authenticator;
  } catch (cause) {
    // The cause may hold what stands in the file.
    const isRead = (cause as NodeJS.ErrnoException).code === undefined;
    const why = isRead ? 'it holds no credentials of NATS' : causeText(cause);
    throw new StoreError(
      `cannot log in to NATS by ${path}: ${why}`,
      'see cluster.nats.credentials',
    );
  }
}

/** When the credentials in a file end, ms; null: they do not, or it cannot be read. */
export function credentialsEnd(path: string): number | null {
  try {
    const [, claims] = /^[\w-]+\.([\w-]+)\.[\w-]+\s*$/m.exec(readFileSync(path, 'latin1')) ?? [];
    const text = Buffer.from(claims ?? '', 'base64url').toString('utf8');
    const seconds = numberOf(fieldsOf(parseAnswer(text))['exp']);
    return seconds > 0 ? seconds * 1000 : null;
  } catch {
    return null;
  }
}
