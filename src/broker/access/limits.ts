// Owns the limits that a user or a vhost may have: their names and what a value means. Never counts
// anything: the code that opens a connection or declares a queue does.

import { Refusal } from '../errors.ts';

/** RabbitMQ's names of the limits of a user, and of a vhost. */
export const USER_LIMITS = ['max-connections', 'max-channels'] as const;
export const VHOST_LIMITS = ['max-connections', 'max-queues'] as const;

/** Limits by name; one that is not there, or is negative, limits nothing. */
export type UserLimits = { readonly [name in (typeof USER_LIMITS)[number]]?: number };
export type VhostLimits = { readonly [name in (typeof VHOST_LIMITS)[number]]?: number };

/** Checks limits that come from outside. Throws an Refusal for a wrong name or value. */
export function checkLimits<N extends string>(
  names: readonly N[],
  given: Readonly<Record<string, unknown>>,
): { readonly [name in N]?: number } {
  const limits: { [name in N]?: number } = {};
  for (const [name, value] of Object.entries(given)) {
    const known = names.find((each) => each === name);
    if (known === undefined) {
      throw new Refusal('invalid', `'${name}' is no limit: expected ${names.join(' or ')}`);
    }
    if (!Number.isSafeInteger(value)) {
      throw new Refusal('invalid', `the limit ${name} must be a whole number of at most 53 bits`);
    }
    limits[known] = value as number;
  }
  return limits;
}

/** A limit as a number to compare with; Infinity when there is none. */
export function limitOf(value: number | undefined): number {
  return value === undefined || value < 0 ? Number.POSITIVE_INFINITY : value;
}
