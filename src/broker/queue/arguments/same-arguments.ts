// Owns whether two declarations have the same arguments, and RabbitMQ's words where they differ. Never knows what an
// argument may hold: the tables of arguments do.

import { AmqpError } from '../../../amqp/errors.ts';
import { describeFieldType, describeFieldValue, sameField } from '../../../amqp/field-equality.ts';
import type { Field, FieldTable } from '../../../amqp/field-table.ts';
import { queueIn } from '../../names-in-texts.ts';
import { DEFAULT_TYPE, QUEUE_TYPE } from '../types/registry.ts';
import { QUEUE_ARGUMENTS } from './queue-arguments.ts';

/** Throws PRECONDITION_FAILED unless the arguments that queues know are the same in both tables. */
export function checkSameQueueArguments(
  queue: string,
  vhost: string,
  current: FieldTable,
  received: FieldTable,
): void {
  for (const { name } of QUEUE_ARGUMENTS) {
    checkSameArgument(name, queueIn(vhost, queue), current, received);
  }
}

/** Throws RabbitMQ's PRECONDITION_FAILED when one argument differs between declarations. */
export function checkSameArgument(
  name: string,
  where: string,
  current: FieldTable,
  received: FieldTable,
): void {
  const ours = meaningful(name, current);
  const theirs = meaningful(name, received);
  if (ours === undefined && theirs === undefined) return;
  if (ours !== undefined && theirs !== undefined && sameField(ours, theirs)) return;
  const difference = describeDifference(received.get(name), current.get(name));
  const text = `inequivalent arg '${name}' for ${where}: ${difference}`;
  throw new AmqpError('PRECONDITION_FAILED', text, { reason: 'inequivalent' });
}

/** To name the default type of queues says no more than to name none. */
function meaningful(name: string, args: FieldTable): Field | undefined {
  const field = args.get(name);
  if (name === QUEUE_TYPE && field?.value === DEFAULT_TYPE.name) return undefined;
  return field;
}

/** RabbitMQ names the type only where one side has no value. */
function describeDifference(received: Field | undefined, current: Field | undefined): string {
  if (received === undefined) return `received none but current is ${withType(current)}`;
  if (current === undefined) return `received ${withType(received)} but current is none`;
  const values = [describeFieldValue(received), describeFieldValue(current)];
  return `received '${values[0]}' but current is '${values[1]}'`;
}

function withType(field: Field | undefined): string {
  if (field === undefined) return 'none';
  return `the value '${describeFieldValue(field)}' of type '${describeFieldType(field)}'`;
}
