// Owns making and changing a user as the HTTP API has it. Never lets a password wait on the event loop.

import type { JsonObject, JsonValue } from '../../util/json/json.ts';
import type { Broker } from '../broker.ts';
import { importDefinitions } from '../definitions/import.ts';
import { Refusal } from '../errors.ts';

/**
 * Makes a user, or changes all of it: `tags`, and `password`, or `password_hash` with
 * `hashing_algorithm`, or neither for one that has no password. Rejects with a Refusal.
 */
export async function putUser(broker: Broker, name: string, json: JsonObject): Promise<void> {
  const tags = readTags(json['tags']);
  const { password } = json;
  checkPassword(json);
  if (typeof password === 'string' && password !== '') {
    await broker.access.putUser({ name, tags }, password);
    return;
  }
  for (const key of ['password_hash', 'hashing_algorithm']) {
    // An import takes null for what is not said; of a body it is refused as any other that is no text.
    if (json[key] === null) throw new Refusal('invalid', `${key} must be a text, not null`);
  }
  const given = json['password_hash'] === undefined ? { password_hash: '' } : json;
  importDefinitions(broker, { users: [{ ...given, name, tags }] });
}

/** Throws a Refusal for a password that is none: it would make a user without one, or take it from one that has it. */
function checkPassword(json: JsonObject): void {
  const { password, password_hash: hash } = json;
  if (password === undefined) return;
  if (typeof password !== 'string') throw new Refusal('invalid', 'password must be a text');
  if (hash === undefined) return;
  throw new Refusal('invalid', 'password and password_hash exclude each other: give one of them');
}

/** Tags as a list, or as a text with commas as old tools send it. */
export function readTags(json: JsonValue | undefined): string[] {
  const list = typeof json === 'string' ? json.split(',').map((tag) => tag.trim()) : json;
  const fine = Array.isArray(list) && list.every((tag) => typeof tag === 'string');
  if (!fine) throw new Refusal('invalid', 'tags must be a list of texts, or a text with commas');
  return (list as string[]).filter((tag) => tag !== '');
}
