// Owns the errors for arguments of queues and consumers that are not allowed. Never knows which values are: the tables
// of arguments do.

import { AmqpError } from '../../../amqp/errors.ts';
import { describeFieldType } from '../../../amqp/field-equality.ts';
import type { Field, FieldTable } from '../../../amqp/field-table.ts';
import { queueIn } from '../../names-in-texts.ts';
import { QUEUE_TYPE, queueTypeOf } from '../types/registry.ts';
import type { ArgumentValue } from './argument-values.ts';
import { ALL_CONSUMER_ARGUMENTS } from './consumer-arguments.ts';
import { queueArgument } from './queue-arguments.ts';

/** Throws PRECONDITION_FAILED for the first argument whose type or value is not allowed. */
export function checkQueueArguments(queue: string, vhost: string, args: FieldTable): void {
  const where = queueIn(vhost, queue);
  // A type that is not there is the cause of all else that is wrong, as with arguments of streams.
  const type = args.get(QUEUE_TYPE);
  const typeArgument = queueArgument(QUEUE_TYPE);
  if (type !== undefined && typeArgument !== undefined) {
    refuseValue(QUEUE_TYPE, typeArgument, type, args, where);
  }
  for (const [name, field] of args) {
    const argument = queueArgument(name);
    if (argument === undefined) continue;
    refuseForType(name, argument, where, args);
    if (name === 'x-dead-letter-exchange' && field.type !== 'S') {
      const type = describeFieldType(field);
      const text = `invalid type '${type}' for arg '${name}' in ${where}`;
      throw new AmqpError('PRECONDITION_FAILED', text);
    }
    refuseValue(name, argument, field, args, where);
  }
}

/** Throws PRECONDITION_FAILED for an argument of a consumer that is not allowed for its queue. */
export function checkConsumerArguments(
  queue: string,
  vhost: string,
  queueArguments: FieldTable,
  args: FieldTable,
): void {
  const where = queueIn(vhost, queue);
  for (const argument of ALL_CONSUMER_ARGUMENTS) {
    const field = args.get(argument.name);
    if (field === undefined) continue;
    refuseForType(argument.name, argument, where, queueArguments);
    refuseValue(argument.name, argument, field, args, where);
  }
}

/** Refuses an argument that queues of this type do not know, while others do. */
function refuseForType(
  name: string,
  { onlyFor }: ArgumentValue,
  where: string,
  queueArguments: FieldTable,
): void {
  if (onlyFor === null) return;
  const type = queueTypeOf(queueArguments).name;
  if (onlyFor.includes(type)) return;
  const text = `invalid arg '${name}' for ${where} of queue type rabbit_${type}_queue`;
  throw new AmqpError('PRECONDITION_FAILED', text);
}

function refuseValue(
  name: string,
  { check }: ArgumentValue,
  field: Field,
  args: FieldTable,
  where: string,
): void {
  const wrong = check(field, args);
  if (wrong === null) return;
  throw new AmqpError('PRECONDITION_FAILED', `invalid arg '${name}' for ${where}: ${wrong}`);
}
