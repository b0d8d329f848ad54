// Owns checks of what bodies say twice. Never reads anything else of them.

import { type JsonObject, wordOf } from '../util/json/json.ts';
import { badRequest } from './http-error.ts';

/** Refuses a body that names another thing than its path. */
export function requireSameName(body: JsonObject, key: string, name: string): void {
  const given = body[key];
  if (given === undefined || given === null || given === name) return;
  throw badRequest(`the body is about '${wordOf(given)}' and the path about '${name}'`);
}
