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

/** Says whether a user may log in from an address. Takes the same time for any wrong password. */
export function mayLogIn(
  rules: AccessRules,
  user: string,
  password: string,
  remoteAddress: string,
): boolean {
  const known = sameText(user, rules.user);
  const proven = sameText(password, rules.password);
  if (!known || !proven) return false;
  return !rules.loopbackUsers.includes(user) || isLoopback(remoteAddress);
}

function sameText(a: string, b: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}
