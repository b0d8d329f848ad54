// Owns reading what a client proves itself with: PLAIN and AMQPLAIN. Never decides whether it is
// right: broker/access.ts does.

import { AmqpError } from '../amqp/errors.ts';
import { decodeTable, type Field } from '../amqp/field-table.ts';

/** Who a client says it is. */
export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** The mechanisms offered, in the order of preference. */
export const SASL_MECHANISMS = 'PLAIN AMQPLAIN';

/** Reads the response of a mechanism. Throws a hard AmqpError when it cannot be one. */
export function readCredentials(mechanism: string, response: Buffer): Credentials {
  switch (mechanism) {
    case 'PLAIN':
      return readPlain(response);
    case 'AMQPLAIN':
      return readAmqplain(response);
    default:
      throw new AmqpError('COMMAND_INVALID', `unknown authentication mechanism '${mechanism}'`);
  }
}

/** RFC 4616: authorization id, user and password with a zero byte before each of the latter. */
function readPlain(response: Buffer): Credentials {
  const parts = response.toString('utf8').split('\0');
  const [, user, password] = parts;
  if (parts.length !== 3 || user === undefined || password === undefined) {
    throw new AmqpError('SYNTAX_ERROR', 'the response of mechanism PLAIN is malformed');
  }
  return { user, password };
}

/** A field table without its length, with the entries LOGIN and PASSWORD. */
function readAmqplain(response: Buffer): Credentials {
  const table = Buffer.alloc(response.length + 4);
  table.writeUInt32BE(response.length);
  response.copy(table, 4);
  const fields = decodeTable(table, 0, table.length).table;
  const user = textOf(fields.get('LOGIN'));
  const password = textOf(fields.get('PASSWORD'));
  if (user === null || password === null) {
    throw new AmqpError(
      'SYNTAX_ERROR',
      'the response of mechanism AMQPLAIN lacks LOGIN or PASSWORD',
    );
  }
  return { user, password };
}

function textOf(field: Field | undefined): string | null {
  return field?.type === 'S' ? field.value.toString() : null;
}
