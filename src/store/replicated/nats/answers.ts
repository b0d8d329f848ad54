// Owns reading what NATS answers. Never asks.

import { parseAnswer } from '../../../util/json/json-input.ts';
import { UnansweredError } from '../log-client.ts';

/** An object of JSON. */
export type Fields = Readonly<Record<string, unknown>>;

/** What the servers say of a request that they do not carry out. */
export class NatsError extends Error {
  override readonly name = 'NatsError';
  /** As in HTTP. */
  readonly status: number;
  /** The number that NATS has for this very reason. */
  readonly code: number;

  constructor(status: number, code: number, description: string) {
    super(`${description} (NATS error ${code})`);
    this.status = status;
    this.code = code;
  }
}

/** Reasons that the client knows. */
export const STREAM_NOT_FOUND = 10059;
export const STREAM_NAME_IN_USE = 10058;
export const NO_MESSAGE = 10037;
/** No servers for as many replicas. */
export const NO_PEERS = 10005;
export const STORE_FAILED = 10077;
/** The stream's last sequence is another one; the second is for servers that do not say which. */
export const WRONG_LAST_SEQUENCE: ReadonlySet<number> = new Set([10071, 10164]);

/** The object that an answer holds. Throws a NatsError where it says that nothing was done, an UnansweredError for no answer. */
export function readFields(data: Uint8Array): Fields {
  let value: unknown;
  try {
    value = parseAnswer(Buffer.from(data.buffer, data.byteOffset, data.length).toString('utf8'));
  } catch (cause) {
    throw new UnansweredError('the servers of the log answered with what is no JSON', { cause });
  }
  const fields = fieldsOf(value);
  const { error } = fields;
  if (error === undefined) return fields;
  const { code, err_code: number, description } = fieldsOf(error);
  throw new NatsError(numberOf(code), numberOf(number), String(description));
}

/** A value as an object: an empty one where it is none. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : {};
}

/** A value as a list: an empty one where it is none. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A value as a number: 0 where it is none. */
export function numberOf(value: unknown): number {
  return typeof value === 'bigint' || typeof value === 'number' ? Number(value) : 0;
}

/** A value as a text: an empty one where it is none. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
