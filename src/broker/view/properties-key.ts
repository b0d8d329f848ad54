// Owns the text that stands for a binding in the paths of the HTTP API, as RabbitMQ makes it.

import type { FieldTable } from '../../amqp/field-table.ts';
import { hashText } from '../../util/hash.ts';
import { wellFormed } from '../../util/json/json-input.ts';
import { argumentsToJson } from '../definitions/arguments-json.ts';

/** The binding key, escaped, `~` for an empty one; and with arguments `~` and a hash of these. */
export function propertiesKeyOf(bindingKey: string, args: FieldTable): string {
  const key = bindingKey === '' ? '~' : escapeKey(bindingKey);
  if (args.size === 0) return key;
  return `${key}~${hashText(JSON.stringify(argumentsToJson(args, true))).toString(36)}`;
}

/** As in a form: all but letters, digits, points, hyphens and underscores; a space is a plus. */
function escapeKey(text: string): string {
  // It refuses a text with half of a pair of surrogates.
  return encodeURIComponent(wellFormed(text))
    .replace(/[!'()*~]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}
