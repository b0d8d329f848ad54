// Owns who may log in. Never speaks AMQP: the handshake turns its answer into a reply.

import { createHash, timingSafeEqual } from 'node:crypto';

/** The one user there is so far, with the vhost it may open. */
export interface AccessRules {
  readonly user: string;
  readonly password: string;
  readonly vhost: string;
  /** Users that may log in from this machine only. */
  readonly loopbackUsers: readonly string[];
}

/**
 * Says why a user may not log in from an address, for the log and never for the peer; null when it
 * may. A password of null stands for a user that is proven already. Takes the same time whichever part is wrong.
 */
export function loginRefusal(
  rules: AccessRules,
  user: string,
  password: string | null,
  remoteAddress: string,
): string | null {
  const known = sameText(user, rules.user);
  const proven = password === null || sameText(password, rules.password);
  if (!known) return 'there is no user of that name';
  if (!proven) return 'the password is wrong';
  if (!rules.loopbackUsers.includes(user) || isLoopback(remoteAddress)) return null;
  return 'the user may log in from this machine only, see the setting loopback_users';
}

function sameText(a: string, b: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}
