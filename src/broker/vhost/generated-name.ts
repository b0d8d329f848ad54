// Owns names that the broker makes up: of queues and consumers. Never keeps one.

import { randomBytes } from 'node:crypto';

/** A name made by the broker: the prefix and 22 characters of randomness. */
export function generateName(prefix: string): string {
  return prefix + randomBytes(16).toString('base64url');
}
