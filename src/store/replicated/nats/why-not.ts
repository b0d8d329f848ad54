// Owns finding out why no server of NATS lets a node in, in words that name what to change. Never lets it in.

import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { connect, type NodeConnectionOptions } from '@nats-io/transport-node';
import { systemClock } from '../../../util/clock.ts';
import { parseAnswer } from '../../../util/json/json-input.ts';
import { PreciseTimer } from '../../../util/timers.ts';
import { causeText, StoreError } from '../../errors.ts';
import { credentialsEnd, identify, readTls, type TlsMaterial } from './access.ts';
import { fieldsOf } from './answers.ts';
import type { NatsPlace } from './place.ts';

/** So long may a server take for its first line, and for what it says to a handshake, ms. */
const ANSWER_MS = 3000;
/** The first line is no longer, bytes. */
const LINE_BYTES_MAX = 64 * 1024;

/** Why no server lets this node in. */
export interface Refusal {
  readonly why: string;
  /** What to do. */
  readonly way: string;
}

const SEE_SERVERS = 'see that NATS runs there, and cluster.nats.servers';

/** Asks the servers one by one what is wrong; what connecting has failed with says it where they do not. */
export async function whyNot(
  place: NatsPlace,
  options: NodeConnectionOptions,
  failure: unknown,
): Promise<Refusal> {
  const told = loginRefusal(place, failure);
  if (told !== null) return told;
  let material: TlsMaterial;
  try {
    material = await readTls(place);
  } catch (error) {
    if (error instanceof StoreError) return { why: error.message, way: error.hint };
    throw error;
  }
  const asked = place.servers.map(async (server) => ({
    server,
    error: await ask(server, place, material),
  }));
  const answers = await Promise.all(asked);
  const open = answers.find(({ error }) => error === null);
  if (open !== undefined) {
    const error = await tryOnly(open.server, options);
    const refusal = loginRefusal(place, error ?? failure);
    return refusal ?? { why: causeText(error ?? failure), way: SEE_SERVERS };
  }
  const whys = answers.map(({ server, error }) => `${server}: ${causeText(error)}`);
  // What ways there are, the one that helps with TLS first: a server that is away may be so by intent.
  const ways = answers.map(({ error }) => wayOut(error, place));
  return { why: whys.join('; '), way: ways.find((way) => way !== SEE_SERVERS) ?? SEE_SERVERS };
}

/** Tries a server alone; what it fails with, or null: it lets this node in. */
async function tryOnly(server: string, options: NodeConnectionOptions): Promise<unknown> {
  try {
    // When servers are tried again is the business of the connection that goes on.
    const { reconnectToServer: _, ...own } = options;
    const connection = await connect({ ...own, servers: [server], reconnect: false });
    await connection.close();
    return null;
  } catch (error) {
    return error;
  }
}

/** What the servers have against the login; null: it is not that. */
export function loginRefusal({ login }: NatsPlace, error: unknown): Refusal | null {
  if (!(error instanceof Error) || !LOGIN_ERRORS.has(error.name)) return null;
  const { credentials, user, token } = login;
  const why = `the servers refuse the login (${error.message})`;
  if (credentials !== null) {
    const endMs = credentialsEnd(credentials);
    if (endMs !== null && endMs <= systemClock.wallMs()) {
      const when = new Date(endMs).toISOString();
      return {
        why: `the servers refuse the login: the credentials in ${credentials} have ended at ${when}`,
        way: 'write new ones into that file (cluster.nats.credentials), which needs no restart',
      };
    }
    return { why, way: `see that they know the user of ${credentials} (cluster.nats.credentials)` };
  }
  if (user !== null) return { why, way: 'see cluster.nats.user and cluster.nats.password' };
  if (token !== null) return { why, way: 'see cluster.nats.token' };
  const way =
    'set cluster.nats.credentials, cluster.nats.user with cluster.nats.password, or cluster.nats.token';
  return { why, way };
}

const LOGIN_ERRORS: ReadonlySet<string> = new Set([
  'AuthorizationError',
  'UserAuthenticationExpiredError',
]);

/** What to do about an error of the way there. */
function wayOut(error: unknown, { tls }: NatsPlace): string {
  const { code = '' } = error as NodeJS.ErrnoException;
  if (error instanceof NoTlsError)
    return 'leave out cluster.nats.tls.*, or have the servers speak TLS';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return 'name the servers in cluster.nats.servers as their certificates do';
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return 'give the servers new certificates, or see the clock of this machine';
  }
  if (/^(SELF_SIGNED|UNABLE_TO|DEPTH_ZERO|CERT_|INVALID_CA)/.test(code)) {
    return 'name the authority that signs their certificates in cluster.nats.tls.ca';
  }
  if (/ALERT/.test(code)) {
    return (tls?.cert ?? null) === null
      ? 'they ask for a certificate: set cluster.nats.tls.cert and cluster.nats.tls.key'
      : 'see that their authorities have signed cluster.nats.tls.cert, and that it has not expired';
  }
  return SEE_SERVERS;
}

/** The server speaks no TLS, and this node is set to. */
class NoTlsError extends Error {}

/** Goes as far as the login at a server; what it fails with, or null: it has come so far. */
async function ask(server: string, place: NatsPlace, material: TlsMaterial): Promise<unknown> {
  const { hostname, port } = new URL(server.includes('://') ? server : `nats://${server}`);
  const host = hostname.replace(/^\[|\]$/g, '');
  const socket = connectPlain({ host, port: Number(port) });
  // What waits for the socket hears of its end.
  const patience = new PreciseTimer(() => socket.destroy(new Error('it does not answer')));
  patience.set(ANSWER_MS);
  try {
    const info = fieldsOf(parseAnswer((await lineOf(socket)).replace(/^INFO /, '')));
    if (info['tls_required'] === true || info['tls_available'] === true) {
      await handshake(socket, host, material);
    } else if (place.tls !== null) {
      return new NoTlsError('it speaks no TLS');
    }
    return null;
  } catch (error) {
    return error;
  } finally {
    patience.clear();
    socket.destroy();
  }
}

/** The first line that comes. */
function lineOf(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('it has closed the connection')));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n');
      if (end === -1 && text.length <= LINE_BYTES_MAX) return;
      socket.removeAllListeners('data');
      socket.pause();
      resolve(text.slice(0, end));
    });
  });
}

/** Resolves once the server has said something behind the handshake: only then it has seen this node's certificate. */
function handshake(socket: Socket, host: string, material: TlsMaterial): Promise<void> {
  return new Promise((resolve, reject) => {
    const servername = isIP(host) === 0 ? host : '';
    const options = { ...material, socket, servername, checkServerIdentity: identify };
    const secure = connectTls(options);
    secure.on('error', reject);
    secure.on('close', () => reject(new Error('it has closed the connection')));
    secure.once('secureConnect', () => secure.write('CONNECT {"verbose":true}\r\n'));
    secure.once('data', () => resolve());
    socket.once('error', reject);
  });
}
