// Owns which users may use the HTTP API, and how much of it, by RabbitMQ's user tags. Never knows
// passwords: the window checks them.

import type { IncomingMessage } from 'node:http';
import type { View } from '../broker/view.ts';
import { isLocal } from './http/control-socket.ts';
import { HttpError } from './http-error.ts';

/** The user that sent a request. */
export interface Principal {
  readonly name: string;
  readonly tags: readonly string[];
  /** Came over the control socket: it is no user of the broker, and may do everything in every vhost. */
  readonly local?: true;
}

/** What the log calls the operator at the control socket. */
const LOCAL_OPERATOR: Principal = {
  name: 'local operator',
  tags: ['administrator'],
  local: true,
};

/** How much a user may do; each level has the rights of all levels that it is listed with in LEVELS. */
export type AccessLevel = 'management' | 'policymaker' | 'monitoring' | 'administrator';

/** For each level the tags that give it. */
const LEVELS: Readonly<Record<AccessLevel, readonly string[]>> = {
  management: ['management', 'policymaker', 'monitoring', 'administrator'],
  policymaker: ['policymaker', 'administrator'],
  monitoring: ['monitoring', 'administrator'],
  administrator: ['administrator'],
};

/** What RabbitMQ says to users without that level. */
export const REFUSALS: Readonly<Record<AccessLevel, string>> = {
  management: 'Not management user',
  policymaker: 'User not authorised to access object',
  monitoring: 'Not monitor user',
  administrator: 'Not administrator user',
};

/** Whether tags give a level. */
export function reaches(tags: readonly string[], level: AccessLevel): boolean {
  return LEVELS[level].some((tag) => tags.includes(tag));
}

/** Name and password of an Authorization header of Basic authentication, RFC 7617; null: it is none. */
function readBasic(header: string | undefined): { name: string; password: string } | null {
  const encoded = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return null;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? null : { name: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** Attempts to log in, as `GET /api/auth/attempts` counts them. */
export class Attempts {
  succeeded = 0;
  failed = 0;
}

type Socket = IncomingMessage['socket'];

/** The address of a client at the control socket, to users that may log in on this machine only. */
const LOOPBACK = '127.0.0.1';

/** The sockets whose end is waited for, to take their logins out of the line. */
const watched = new WeakSet<Socket>();

/**
 * The user that an Authorization header stands for; over the control socket, the operator where there is no such
 * header. Null: none. Throws 429 when too many others wait.
 */
export async function authenticate(
  view: View,
  header: string | undefined,
  address: string,
  socket: Socket,
  attempts: Attempts,
): Promise<Principal | null> {
  const local = isLocal(socket);
  if (local && header === undefined) return LOCAL_OPERATOR;
  const given = readBasic(header);
  if (given === null) return null;
  if (!watched.has(socket)) {
    watched.add(socket);
    socket.once('close', () => view.abandonLogins(socket));
  }
  const principal = await view.login(
    given.name,
    given.password,
    local ? LOOPBACK : address,
    socket,
  );
  if (principal === 'busy') {
    const reason = 'too many logins wait for their check: try again later';
    throw new HttpError(429, 'too_many_requests', reason);
  }
  if (principal !== null) attempts.succeeded += 1;
  else attempts.failed += 1;
  return principal;
}
