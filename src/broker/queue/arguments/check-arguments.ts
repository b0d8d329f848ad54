// Owns the errors for arguments of queues and consumers that are not allowed. Never knows which values are: the tables
// of arguments do.

import { AmqpError } from '../../../amqp/errors.ts';
import { describeFieldType } from '../../../amqp/field-equality.ts';
import type { Field, FieldTable } from '../../../amqp/field-table.ts';
import { queueIn } from '../../names-in-texts.ts';
import { QUEUE_TYPE, queueTypeOf } from '../types/registry.ts';
import type { ArgumentValue } from './argument-values.ts';
import { CONSUMER_ARGUMENTS, consumerArgument } from './consumer-arguments.ts';
import { queueArgument } from './queue-arguments.ts';
import { wrongStreamSize } from './stream-values.ts';

/**
 * Throws PRECONDITION_FAILED for the first argument whose type or value is not allowed, or else for the first that
 * queues of this type do not know while others do, as RabbitMQ does.
 */
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
    if (name === 'x-dead-letter-exchange' && field.type !== 'S') {
      const type = describeFieldType(field);
      const text = `invalid type '${type}' for arg '${name}' in ${where}`;
      throw new AmqpError('PRECONDITION_FAILED', text);
    }
    if (isFor(argument, args)) refuseValue(name, argument, field, args, where);
  }
  for (const name of args.keys()) refuseForType(name, queueArgument(name), where, args);
}

/** Throws PRECONDITION_FAILED for a size in the arguments of a stream, checked before, that is out of bounds. */
export function checkStreamSizes(args: FieldTable): void {
  const wrong = wrongStreamSize(args);
  if (wrong !== null) throw new AmqpError('PRECONDITION_FAILED', wrong);
}

/** Throws PRECONDITION_FAILED for an argument of a consumer that is not allowed for its queue. */
export function checkConsumerArguments(
  queue: string,
  vhost: string,
  queueArguments: FieldTable,
  args: FieldTable,
): void {
  const where = queueIn(vhost, queue);
  for (const argument of CONSUMER_ARGUMENTS) {
    const field = args.get(argument.name);
    if (field === undefined || !isFor(argument, queueArguments)) continue;
    refuseValue(argument.name, argument, field, args, where);
  }
  for (const name of args.keys()) {
    refuseForType(name, consumerArgument(name), where, queueArguments);
  }
}

/** Refuses an argument that queues of this type do not know, while others do. */
function refuseForType(
  name: string,
  argument: ArgumentValue | undefined,
  where: string,
  queueArguments: FieldTable,
): void {
  if (argument === undefined || isFor(argument, queueArguments)) return;
  const type = queueTypeOf(queueArguments).name;
  const text = `invalid arg '${name}' for ${where} of queue type rabbit_${type}_queue`;
  throw new AmqpError('PRECONDITION_FAILED', text);
}

function isFor({ onlyFor }: ArgumentValue, queueArguments: FieldTable): boolean {
  return onlyFor === null || onlyFor.includes(queueTypeOf(queueArguments).name);
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
