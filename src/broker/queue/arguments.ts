// Owns the table of queue arguments: name, type, range, and which of them redeclaration compares.
// Never acts on an argument: the file that owns the behaviour reads it from the queue.

import { AmqpError } from '../../amqp/errors.ts';
import { describeFieldType, describeFieldValue, sameField } from '../../amqp/field-equality.ts';
import type { Field, FieldTable } from '../../amqp/field-table.ts';

/** Says what is wrong with a value in RabbitMQ's words, or null when nothing is. */
type Check = (field: Field, args: FieldTable) => string | null;

const INTEGER_TYPES = new Set(['b', 'B', 's', 'u', 'I', 'i', 'l']);

const nonNegative: Check = (field) => {
  if (!INTEGER_TYPES.has(field.type)) return `"expected integer, got ${describeFieldType(field)}"`;
  return Number(field.value) < 0 ? `{value_negative,${field.value}}` : null;
};

const positive: Check = (field, args) =>
  nonNegative(field, args) ?? (Number(field.value) === 0 ? '{value_zero,0}' : null);

const atMost =
  (max: number): Check =>
  (field, args) =>
    nonNegative(field, args) ??
    (Number(field.value) > max ? `{max_value_exceeded,${field.value}}` : null);

const text: Check = (field) =>
  field.type === 'S' ? null : `{unacceptable_type,${describeFieldType(field)}}`;

const flag: Check = (field) =>
  field.type === 't' ? null : `{unacceptable_type,${describeFieldType(field)}}`;

const oneOf =
  (words: readonly string[], refusal: (word: string) => string): Check =>
  (field, args) => {
    const wrong = text(field, args);
    if (wrong !== null) return wrong;
    const word = String(field.value);
    return words.includes(word) ? null : refusal(word);
  };

const needsDeadLetterExchange: Check = (field, args) =>
  text(field, args) ??
  (args.has('x-dead-letter-exchange') ? null : 'routing_key_but_no_dlx_defined');

const queueVersion: Check = (field, args) =>
  nonNegative(field, args) ??
  (Number(field.value) === 1 || Number(field.value) === 2
    ? null
    : `"unsupported queue version '${field.value}'"`);

/** Every argument that queues know. Others are kept, and never looked at. */
const QUEUE_ARGUMENTS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['x-dead-letter-exchange', text],
  ['x-dead-letter-routing-key', needsDeadLetterExchange],
  ['x-expires', positive],
  ['x-max-length', nonNegative],
  ['x-max-length-bytes', nonNegative],
  ['x-max-priority', atMost(255)],
  ['x-message-ttl', nonNegative],
  [
    'x-overflow',
    oneOf(['drop-head', 'reject-publish', 'reject-publish-dlx'], () => 'invalid_overflow'),
  ],
  ['x-queue-mode', oneOf(['default', 'lazy'], (word) => `"unsupported queue mode '${word}'"`)],
  ['x-queue-type', oneOf(['classic', 'quorum'], (word) => `"unsupported queue type '${word}'"`)],
  ['x-queue-version', queueVersion],
  ['x-single-active-consumer', flag],
]);

/** Throws PRECONDITION_FAILED for the first argument whose type or value is not allowed. */
export function checkQueueArguments(queue: string, vhost: string, args: FieldTable): void {
  for (const [name, field] of args) {
    const wrong = QUEUE_ARGUMENTS.get(name)?.(field, args) ?? null;
    if (wrong === null) continue;
    const where = `queue '${queue}' in vhost '${vhost}'`;
    if (name === 'x-dead-letter-exchange') {
      const type = describeFieldType(field);
      throw new AmqpError(
        'PRECONDITION_FAILED',
        `invalid type '${type}' for arg '${name}' in ${where}`,
      );
    }
    throw new AmqpError('PRECONDITION_FAILED', `invalid arg '${name}' for ${where}: ${wrong}`);
  }
}

/** Throws PRECONDITION_FAILED unless the arguments that queues know are the same in both tables. */
export function checkSameQueueArguments(
  queue: string,
  vhost: string,
  current: FieldTable,
  received: FieldTable,
): void {
  for (const name of QUEUE_ARGUMENTS.keys()) {
    checkSameArgument(name, `queue '${queue}' in vhost '${vhost}'`, current, received);
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
  throw new AmqpError(
    'PRECONDITION_FAILED',
    `inequivalent arg '${name}' for ${where}: ${describeDifference(theirs, ours)}`,
  );
}

/** A queue type of classic says no more than no queue type. */
function meaningful(name: string, args: FieldTable): Field | undefined {
  const field = args.get(name);
  if (name === 'x-queue-type' && field?.value === 'classic') return undefined;
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
