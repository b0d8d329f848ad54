// Owns the mechanisms of SASL: which are offered to a peer, and reading what it proves itself with.
// Never decides whether that is right: broker/access/login.ts does.

import { AmqpError } from '../../amqp/errors.ts';
import { decodeTable, type Field } from '../../amqp/field-table.ts';
import { WIRE_LIMITS } from '../../amqp/table-limits.ts';
import { decodeText } from '../../util/bytes.ts';
import { type CertificateLogin, userOfCertificate } from '../tls/names.ts';
import type { TlsPeer } from '../tls/peer.ts';

/** Ways to log in. */
export type Mechanism = 'PLAIN' | 'AMQPLAIN' | 'EXTERNAL' | 'ANONYMOUS';

/** The user that a client says it is. */
export interface Credentials {
  readonly mechanism: Mechanism;
  /** Empty when the mechanism gives no name: such a user is never there. */
  readonly user: string;
  /** Null when the user is proven already, so that it only has to exist. */
  readonly password: string | null;
}

/** The settings that logging in looks at. */
export interface SaslSettings extends CertificateLogin {
  readonly authMechanisms: ReadonlyMap<string, Mechanism>;
  readonly anonymousLoginUser: string | null;
}

/**
 * The mechanisms offered to a peer, in the order of preference. One that is refused sees all of them:
 * a client that misses its own complains of that, and never of the reason.
 */
export function offeredMechanisms(settings: SaslSettings, peer: TlsPeer | null): Mechanism[] {
  const verified = peer !== null && (peer.certificate !== null || peer.refusal !== null);
  return [...settings.authMechanisms.values()].filter((each) => each !== 'EXTERNAL' || verified);
}

/**
 * Reads the response of a mechanism. Throws a hard AmqpError when it cannot be one, or when the
 * mechanism was not offered.
 */
export function readCredentials(
  settings: SaslSettings,
  peer: TlsPeer | null,
  wanted: string,
  response: Buffer,
): Credentials {
  const mechanism = offeredMechanisms(settings, peer).find((each) => each === wanted);
  switch (mechanism) {
    case 'PLAIN':
      return { mechanism, ...readPlain(response) };
    case 'AMQPLAIN':
      return { mechanism, ...readAmqplain(response) };
    case 'EXTERNAL': {
      const certificate = peer?.certificate ?? null;
      const user = certificate === null ? null : userOfCertificate(certificate, settings);
      return { mechanism, user: user ?? '', password: null };
    }
    case 'ANONYMOUS':
      return { mechanism, user: settings.anonymousLoginUser ?? '', password: null };
    case undefined:
      throw new AmqpError('COMMAND_INVALID', `unknown authentication mechanism '${wanted}'`);
  }
}

/** The error for a login that failed: the log alone says why. */
export function loginRefused(mechanism: string): AmqpError {
  const text =
    `Login was refused using authentication mechanism ${mechanism}. ` +
    'For details see the broker logfile.';
  return new AmqpError('ACCESS_REFUSED', text, { hard: true, reason: 'login-refused' });
}

/** What PLAIN and AMQPLAIN carry. */
interface NameAndPassword {
  readonly user: string;
  readonly password: string;
}

/** What is read from bytes that are no text. With replacement characters, many of them would look like one password. */
const NO_USER: NameAndPassword = { user: '', password: '' };

/**
 * RFC 4616: authorization id, user and password with a zero byte before each of the latter. To act for
 * another user is not to be had, so that the first has to be empty, as in RabbitMQ.
 */
function readPlain(response: Buffer): NameAndPassword {
  const text = decodeText(response, 0, response.length);
  if (text === null) return NO_USER;
  const parts = text.split('\0');
  const [actsFor, user, password] = parts;
  if (parts.length === 3 && actsFor !== '') {
    throw new AmqpError('SYNTAX_ERROR', 'PLAIN with an authorization identity is not supported');
  }
  if (parts.length !== 3 || user === undefined || password === undefined) {
    throw new AmqpError('SYNTAX_ERROR', 'the response of mechanism PLAIN is malformed');
  }
  return { user, password };
}

/** A field table without its length, with the entries LOGIN and PASSWORD. */
function readAmqplain(response: Buffer): NameAndPassword {
  const table = Buffer.alloc(response.length + 4);
  table.writeUInt32BE(response.length);
  response.copy(table, 4);
  const fields = decodeTable(table, 0, table.length, WIRE_LIMITS).table;
  const [login, secret] = [fields.get('LOGIN'), fields.get('PASSWORD')];
  const user = textOf(login);
  const password = textOf(secret);
  if (user === null || password === null) {
    if (login?.type === 'S' && secret?.type === 'S') return NO_USER;
    throw new AmqpError(
      'SYNTAX_ERROR',
      'the response of mechanism AMQPLAIN lacks LOGIN or PASSWORD',
    );
  }
  return { user, password };
}

function textOf(field: Field | undefined): string | null {
  return field?.type === 'S' && typeof field.value === 'string' ? field.value : null;
}
