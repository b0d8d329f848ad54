// Owns reading the arguments of queues as a person writes them. Never knows which there are.

import type { Field, FieldTable } from '../amqp/field-table.ts';
import { UserError } from '../util/user-error.ts';

/** A JSON object of texts, whole numbers and booleans as a table. Throws a UserError. */
export function argumentsFromText(text: string): FieldTable {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new UserError(`the arguments are no JSON: ${(error as Error).message}`);
  }
  const entries = Object.entries((json ?? {}) as Record<string, unknown>);
  return new Map(entries.map(([key, value]): [string, Field] => [key, fieldOf(key, value)]));
}

function fieldOf(key: string, value: unknown): Field {
  if (typeof value === 'string') return { type: 'S', value };
  if (typeof value === 'boolean') return { type: 't', value };
  if (typeof value === 'number' && Number.isSafeInteger(value)) return { type: 'l', value };
  throw new UserError(`the argument ${key} must be a text, a whole number, true or false`);
}
