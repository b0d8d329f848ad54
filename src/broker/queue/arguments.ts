// Owns the table of queue arguments: name, type, range, and which of them redeclaration compares.
// Never acts on an argument: the file that owns the behaviour reads it from the queue.

import { AmqpError } from '../../amqp/errors.ts';
import { describeFieldType, describeFieldValue, sameField } from '../../amqp/field-equality.ts';
import { isIntegerField } from '../../amqp/field-integers.ts';
import type { Field, FieldTable } from '../../amqp/field-table.ts';
import { isShort, SHORT_BYTES_MAX } from '../../util/limits.ts';

/** Says what is wrong with a value in RabbitMQ's words, or null when nothing is. */
type Check = (field: Field, args: FieldTable) => string | null;

/** One argument that queues know. */
export interface QueueArgument {
  readonly name: string;
  /** The values it takes, for people. */
  readonly expects: string;
  /** The key that sets the same in the definition of a policy, if one can. */
  readonly policyKey: string | null;
  /** What it does, for people. */
  readonly about: string;
  readonly check: Check;
}

/** Ten years, the longest time that RabbitMQ takes for a message or a queue. */
export const EXPIRY_MAX_MS = 315_360_000_000;
export const PRIORITY_MAX = 255;

const integer: Check = (field) =>
  isIntegerField(field) ? null : `"expected integer, got ${describeFieldType(field)}"`;

const nonNegative: Check = (field, args) =>
  integer(field, args) ?? (Number(field.value) < 0 ? `{value_negative,${field.value}}` : null);

const positive: Check = (field, args) =>
  nonNegative(field, args) ?? (Number(field.value) === 0 ? '{value_zero,0}' : null);

const expiry: Check = (field, args) =>
  nonNegative(field, args) ??
  (Number(field.value) > EXPIRY_MAX_MS ? `{value_too_large,${field.value}}` : null);

const positiveExpiry: Check = (field, args) => positive(field, args) ?? expiry(field, args);

const atMost =
  (max: number): Check =>
  (field, args) =>
    nonNegative(field, args) ??
    (Number(field.value) > max ? `{max_value_exceeded,${field.value}}` : null);

/** -1 stands for no limit. */
const limit: Check = (field, args) =>
  integer(field, args) ?? (Number(field.value) < -1 ? `{value_negative,${field.value}}` : null);

const text: Check = (field) =>
  field.type === 'S' ? null : `{unacceptable_type,${describeFieldType(field)}}`;

/** A text that goes onto the wire as a short string. */
const shortText: Check = (field, args) => {
  const wrong = text(field, args);
  if (wrong !== null || isShort(field.value as string | Buffer)) return wrong;
  return `"longer than ${SHORT_BYTES_MAX} bytes"`;
};

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
  shortText(field, args) ??
  (args.has('x-dead-letter-exchange') ? null : 'routing_key_but_no_dlx_defined');

const queueVersion: Check = (field, args) =>
  nonNegative(field, args) ??
  (Number(field.value) === 1 || Number(field.value) === 2
    ? null
    : `"unsupported queue version '${field.value}'"`);

/** Arguments of stream queues, which there are not: refused as RabbitMQ does for other queues. */
const STREAM_ARGUMENTS = new Set([
  'x-max-age',
  'x-stream-max-segment-size-bytes',
  'x-stream-filter-size-bytes',
]);

const row = (
  name: string,
  expects: string,
  policyKey: string | null,
  check: Check,
  about: string,
): QueueArgument => ({ name, expects, policyKey, check, about });

const MS = 'an integer from 0 to 315360000000, in milliseconds';
const COUNT = 'an integer from 0 on';

/** Every argument that queues know. Others are kept, and never looked at. */
export const QUEUE_ARGUMENTS: readonly QueueArgument[] = [
  row(
    'x-dead-letter-exchange',
    'a string of at most 255 bytes',
    'dead-letter-exchange',
    shortText,
    'Where messages go that are rejected, expire, exceed a length limit or come back too often. An exchange that is not there drops them.',
  ),
  row(
    'x-dead-letter-routing-key',
    'a string of at most 255 bytes; needs `x-dead-letter-exchange`',
    'dead-letter-routing-key',
    needsDeadLetterExchange,
    'The routing key of dead letters instead of their own.',
  ),
  row(
    'x-dead-letter-strategy',
    '`at-most-once` or `at-least-once`',
    'dead-letter-strategy',
    oneOf(['at-most-once', 'at-least-once'], () => 'invalid_dlx_strategy'),
    'Without effect: every dead-letter move is one atomic step here.',
  ),
  row(
    'x-delivery-limit',
    'an integer from -1 on; -1 sets no limit',
    'delivery-limit',
    limit,
    'How often a message may come back to the queue; the next time it is dead-lettered.',
  ),
  row(
    'x-expires',
    'an integer from 1 to 315360000000, in milliseconds',
    'expires',
    positiveExpiry,
    'The queue is deleted once it has had no consumer, no redeclaration and no basic.get for so long.',
  ),
  row(
    'x-max-length',
    COUNT,
    'max-length',
    nonNegative,
    'How many ready messages the queue holds at most.',
  ),
  row(
    'x-max-length-bytes',
    COUNT,
    'max-length-bytes',
    nonNegative,
    'How many bytes the bodies of ready messages have at most.',
  ),
  row(
    'x-max-priority',
    'an integer from 0 to 255',
    null,
    atMost(PRIORITY_MAX),
    'The highest priority that the queue tells apart: higher ones go out first.',
  ),
  row(
    'x-message-ttl',
    MS,
    'message-ttl',
    expiry,
    'How long a message may wait in the queue; 0 is for messages that can be delivered at once.',
  ),
  row(
    'x-overflow',
    '`drop-head`, `reject-publish` or `reject-publish-dlx`',
    'overflow',
    oneOf(['drop-head', 'reject-publish', 'reject-publish-dlx'], () => 'invalid_overflow'),
    'What a queue at its length limit does: drop its oldest message, or refuse the new one, with or without dead-lettering it.',
  ),
  row(
    'x-queue-type',
    '`classic` or `quorum`',
    null,
    oneOf(['classic', 'quorum'], (word) => `"unsupported queue type '${word}'"`),
    'A quorum queue is durable, counts returns of each message, and knows 32 priorities.',
  ),
  row(
    'x-single-active-consumer',
    'a boolean',
    null,
    flag,
    'Only one consumer is given messages; the next takes over when it leaves.',
  ),
  row(
    'x-consumer-timeout',
    COUNT,
    'consumer-timeout',
    nonNegative,
    'How long a delivery may stay unacked, in milliseconds.',
  ),
  ...[
    row(
      'x-queue-mode',
      '`default` or `lazy`',
      'queue-mode',
      oneOf(['default', 'lazy'], (word) => `"unsupported queue mode '${word}'"`),
      '',
    ),
    row('x-queue-version', '1 or 2', 'queue-version', queueVersion, ''),
    row('x-queue-master-locator', 'a string', 'queue-master-locator', text, ''),
    row(
      'x-queue-leader-locator',
      '`client-local`, `balanced`, `random` or `least-leaders`',
      'queue-leader-locator',
      oneOf(
        ['client-local', 'balanced', 'random', 'least-leaders'],
        () => 'invalid_queue_locator_arg',
      ),
      '',
    ),
    row('x-quorum-initial-group-size', 'an integer from 1 on', null, positive, ''),
    row('x-initial-cluster-size', 'an integer from 1 on', null, positive, ''),
    row('x-max-in-memory-length', COUNT, 'max-in-memory-length', nonNegative, ''),
    row('x-max-in-memory-bytes', COUNT, 'max-in-memory-bytes', nonNegative, ''),
  ].map((each) => ({ ...each, about: 'Taken for the sake of clients; without effect.' })),
];

const BY_NAME: ReadonlyMap<string, QueueArgument> = new Map(
  QUEUE_ARGUMENTS.map((argument) => [argument.name, argument]),
);

/** Throws PRECONDITION_FAILED for the first argument whose type or value is not allowed. */
export function checkQueueArguments(queue: string, vhost: string, args: FieldTable): void {
  const where = `queue '${queue}' in vhost '${vhost}'`;
  for (const [name, field] of args) {
    if (STREAM_ARGUMENTS.has(name)) throw streamArgument(name, queue, vhost, args);
    const wrong = BY_NAME.get(name)?.check(field, args) ?? null;
    if (wrong === null) continue;
    if (name === 'x-dead-letter-exchange' && field.type !== 'S') {
      const type = describeFieldType(field);
      throw new AmqpError(
        'PRECONDITION_FAILED',
        `invalid type '${type}' for arg '${name}' in ${where}`,
      );
    }
    throw new AmqpError('PRECONDITION_FAILED', `invalid arg '${name}' for ${where}: ${wrong}`);
  }
}

function streamArgument(name: string, queue: string, vhost: string, args: FieldTable): AmqpError {
  const type = isQuorum(args) ? 'quorum' : 'classic';
  const text = `invalid arg '${name}' for queue '${queue}' in vhost '${vhost}' of queue type rabbit_${type}_queue`;
  return new AmqpError('PRECONDITION_FAILED', text);
}

/** Where a consumer begins to read a stream: refused for other queues, as RabbitMQ does. */
const STREAM_OFFSET = 'x-stream-offset';

/** Every argument of `basic.consume`. */
export const CONSUMER_ARGUMENTS: readonly QueueArgument[] = [
  row(
    'x-priority',
    'an integer',
    null,
    integer,
    'Consumers of a higher priority are served first, as long as they can take messages.',
  ),
  row(
    'x-consumer-timeout',
    COUNT,
    null,
    nonNegative,
    'How long a delivery to this consumer may stay unacked, in milliseconds.',
  ),
  row(
    'x-cancel-on-ha-failover',
    'a boolean',
    null,
    flag,
    'Taken for the sake of clients; without effect, as there are no mirrors.',
  ),
];

/** Throws PRECONDITION_FAILED for an argument of a consumer that is not allowed for its queue. */
export function checkConsumerArguments(
  queue: string,
  vhost: string,
  queueArguments: FieldTable,
  args: FieldTable,
): void {
  if (args.has(STREAM_OFFSET)) throw streamArgument(STREAM_OFFSET, queue, vhost, queueArguments);
  for (const { name, check } of CONSUMER_ARGUMENTS) {
    const field = args.get(name);
    const wrong = field === undefined ? null : check(field, args);
    if (wrong === null) continue;
    const where = `queue '${queue}' in vhost '${vhost}'`;
    throw new AmqpError('PRECONDITION_FAILED', `invalid arg '${name}' for ${where}: ${wrong}`);
  }
}

/** Whether the arguments ask for a quorum queue. */
export function isQuorum(args: FieldTable): boolean {
  return args.get('x-queue-type')?.value === 'quorum';
}

/** A quorum queue is durable and belongs to no connection; throws RabbitMQ's PRECONDITION_FAILED otherwise. */
export function checkQuorumTraits(
  where: string,
  durable: boolean,
  exclusive: boolean,
  autoDelete: boolean,
): void {
  let wrong: string | null = null;
  if (autoDelete) wrong = 'auto-delete';
  if (exclusive) wrong = 'exclusive-owner';
  if (!durable) wrong = 'non-durable';
  if (wrong === null) return;
  throw new AmqpError('PRECONDITION_FAILED', `invalid property '${wrong}' for ${where}`);
}

/** Throws PRECONDITION_FAILED unless the arguments that queues know are the same in both tables. */
export function checkSameQueueArguments(
  queue: string,
  vhost: string,
  current: FieldTable,
  received: FieldTable,
): void {
  for (const { name } of QUEUE_ARGUMENTS) {
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
    { reason: 'inequivalent' },
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
