// Owns the rules for names that are no queue's and no exchange's, and the refusals that name them. Never
// keeps any.

import { DESCRIPTION_BYTES_MAX, isShort, SHORT_BYTES_MAX } from '../../util/limits.ts';
import { Refusal } from '../errors.ts';

/** What has a name of its own, in the words of refusals. */
export type Named =
  | 'user'
  | 'vhost'
  | 'exchange'
  | 'policy'
  | 'operator policy'
  | 'parameter'
  | 'component'
  | 'schedule'
  | 'group';

/** The error for a user that is not there. */
export function noUser(name: string): Refusal {
  return new Refusal('not-found', `there is no user '${name}'`);
}

/** The error for a vhost that is not there. */
export function noVhost(name: string): Refusal {
  return new Refusal('not-found', `there is no vhost '${name}'`);
}

/** Refuses names that cannot be one. */
export function checkNewName(what: Named, name: string): void {
  if (name === '') throw new Refusal('invalid', `the name of a ${what} must not be empty`);
  if (isShort(name)) return;
  const limit = `the name of a ${what} must not be longer than ${SHORT_BYTES_MAX} bytes`;
  throw new Refusal('invalid', limit);
}

/** Refuses a description that is a file. */
export function checkDescription(text: string): void {
  if (Buffer.byteLength(text) <= DESCRIPTION_BYTES_MAX) return;
  const limit = `a description must not be longer than ${DESCRIPTION_BYTES_MAX} bytes`;
  throw new Refusal('invalid', limit);
}

/** Refuses tags that a list with commas could not hold. */
export function checkTags(tags: readonly string[]): void {
  for (const tag of tags) {
    if (tag === '' || tag.includes(',')) {
      throw new Refusal('invalid', `'${tag}' is no tag: one must not be empty or hold a comma`);
    }
    if (isShort(tag)) continue;
    throw new Refusal('invalid', `a tag must not be longer than ${SHORT_BYTES_MAX} bytes`);
  }
}
