// Owns the rules for names of users and vhosts, and the refusals that name them. Never keeps any.

import { Refusal } from '../refusal.ts';

/** What a short string of AMQP holds, and a key of the store. */
const NAME_BYTES_MAX = 255;

/** The error for a user that is not there. */
export function noUser(name: string): Refusal {
  return new Refusal('not-found', `there is no user '${name}'`);
}

/** The error for a vhost that is not there. */
export function noVhost(name: string): Refusal {
  return new Refusal('not-found', `there is no vhost '${name}'`);
}

/** Refuses names of users and vhosts that cannot be one. */
export function checkNewName(what: 'user' | 'vhost' | 'exchange', name: string): void {
  if (name === '') throw new Refusal('invalid', `the name of a ${what} must not be empty`);
  if (Buffer.byteLength(name) <= NAME_BYTES_MAX) return;
  const limit = `the name of a ${what} must not be longer than ${NAME_BYTES_MAX} bytes`;
  throw new Refusal('invalid', limit);
}

/** Refuses tags that a list with commas could not hold. */
export function checkTags(tags: readonly string[]): void {
  for (const tag of tags) {
    if (tag !== '' && !tag.includes(',')) continue;
    throw new Refusal('invalid', `'${tag}' is no tag: one must not be empty or hold a comma`);
  }
}
