// Owns who may use the HTTP API, and how much of it, by RabbitMQ's user tags. Never knows passwords:
// the window checks them.

import type { View } from '../broker/view.ts';

/** Who asks. */
export interface Person {
  readonly name: string;
  readonly tags: readonly string[];
}

/** How much somebody may do; each level has the rights of those it is listed with in LEVELS. */
export type Level = 'management' | 'policymaker' | 'monitoring' | 'administrator';

/** For each level the tags that give it. */
const LEVELS: Readonly<Record<Level, readonly string[]>> = {
  management: ['management', 'policymaker', 'monitoring', 'administrator'],
  policymaker: ['policymaker', 'administrator'],
  monitoring: ['monitoring', 'administrator'],
  administrator: ['administrator'],
};

/** What RabbitMQ says to those who may not. */
export const REFUSALS: Readonly<Record<Level, string>> = {
  management: 'Not management user',
  policymaker: 'User not authorised to access object',
  monitoring: 'Not monitor user',
  administrator: 'Not administrator user',
};

/** Whether tags give a level. */
export function reaches(tags: readonly string[], level: Level): boolean {
  return LEVELS[level].some((tag) => tags.includes(tag));
}

/** Name and password of an Authorization header of Basic authentication, RFC 7617; null: it is none. */
export function readBasic(header: string | undefined): { name: string; password: string } | null {
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

/** Who an Authorization header stands for; null: nobody. */
export async function authenticate(
  view: View,
  header: string | undefined,
  address: string,
  attempts: Attempts,
): Promise<Person | null> {
  const given = readBasic(header);
  const person = given === null ? null : await view.login(given.name, given.password, address);
  if (person !== null) attempts.succeeded += 1;
  else if (given !== null) attempts.failed += 1;
  return person;
}
