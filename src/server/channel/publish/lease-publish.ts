// Owns what a publish to `amq.leases` says: which delivery of its channel may stay unacked for how much longer. Never
// keeps the time: the channel does.

import { AmqpError } from '../../../amqp/errors.ts';
import { integerOf } from '../../../amqp/field-integers.ts';
import type { Field } from '../../../amqp/field-table.ts';
import { LEASES_EXCHANGE } from '../../../broker/exchange/predeclared.ts';
import { EXPIRY_MAX_MS } from '../../../broker/queue/arguments/argument-values.ts';
import { ACK_TAGS_HEADER } from '../../../broker/routing/header-signs.ts';
import { RECORD_HEAD_BYTES, recordRoutingKey } from '../../../message/record.ts';
import { headersIn } from './publish-properties.ts';

const HEADER = 'x-consumer-timeout';

/** The deliveries of a channel, as a publish may speak of them. */
export interface LeasedDeliveries {
  /**
   * From now on a delivery may stay unacked for so many ms; with 0 it goes back to its queue. False: it is not
   * outstanding any more. Throws for a tag that no delivery had.
   */
  prolong(tag: number, timeoutMs: number): boolean;
}

/** Whether a record is published to the exchange for leases. */
export function isLeasePublish(bytes: Buffer, start: number): boolean {
  const at = start + RECORD_HEAD_BYTES;
  if (bytes[at] !== LEASES_EXCHANGE.length) return false;
  return bytes.toString('latin1', at + 1, at + 1 + LEASES_EXCHANGE.length) === LEASES_EXCHANGE;
}

/** Does what such a record says; returns whether the delivery is outstanding still. Throws for what makes no sense. */
export function prolongLease(
  leases: LeasedDeliveries | null,
  bytes: Buffer,
  start: number,
  flagsAt: number,
): boolean {
  if (leases === null) {
    throw refusal('is for clients: a delivery is prolonged on the channel that it came on');
  }
  const key = recordRoutingKey(bytes, start);
  if (!/^[1-9]\d{0,15}$/.test(key))
    throw refusal(`the routing key is a delivery tag, not '${key}'`);
  return leases.prolong(Number(key), timeoutIn(headersIn(bytes, flagsAt).get(HEADER)));
}

/** The error for a publish that would ack deliveries as well. */
export function acksNothing(): AmqpError {
  return refusal(`acks nothing: leave the header ${ACK_TAGS_HEADER} out`);
}

/** The error for a publish that names no time, or none that can be. */
export function noTime(): AmqpError {
  return refusal(`the header ${HEADER} is milliseconds from now, from 0 to ${EXPIRY_MAX_MS}`);
}

function timeoutIn(field: Field | undefined): number {
  const value = field?.type === 'S' ? digitsIn(String(field.value)) : integerOf(field);
  const timeoutMs = value === null ? -1 : Number(value);
  if (timeoutMs < 0 || timeoutMs > EXPIRY_MAX_MS) throw noTime();
  return timeoutMs;
}

function digitsIn(text: string): number | null {
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

function refusal(wrong: string): AmqpError {
  return new AmqpError('PRECONDITION_FAILED', `exchange '${LEASES_EXCHANGE}': ${wrong}`);
}
