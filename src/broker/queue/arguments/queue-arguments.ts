// Owns the table of what can be said of a queue, as an argument of its declaration, in a policy, or in both. Never acts
// on it: rules.ts merges it, and the file that owns the behaviour reads it from there.

import { QUEUE_TYPES } from '../types/registry.ts';
import {
  type ArgumentValue,
  burst,
  count,
  expiry,
  flag,
  groupHeader,
  limit,
  oneOf,
  part,
  positive,
  positiveExpiry,
  rate,
  shortText,
  shortTextWith,
  upTo,
} from './argument-values.ts';
import { KEPT_SETTINGS } from './kept-settings.ts';
import {
  aBurst,
  aFlag,
  anIntegerFrom,
  anyOf,
  aPart,
  aRate,
  aShortString,
  OPERATOR,
  type PolicyValue,
} from './policy-values.ts';
import { MS, QUORUMS, type QueueSetting, row, rowForAll } from './queue-setting.ts';
import { STREAM_SETTINGS } from './stream-settings.ts';

/** What becomes of a message that a full queue has no place for. */
export type Overflow = (typeof OVERFLOWS)[number];

/** Which messages that came back wait before they go out again, in RabbitMQ 4.3's words. */
export type RetryType = (typeof RETRY_TYPES)[number];

/** What becomes of a delivery that stays unacked for longer than it may. */
export type TimeoutAction = (typeof TIMEOUT_ACTIONS)[number];

const PRIORITY_MAX = 255;
export const TIMEOUT_ACTIONS = ['close', 'cancel', 'requeue'] as const;
const RELEASES = ['ttl', 'ack'];
const RETRY_TYPES = ['disabled', 'all', 'failed', 'returned'] as const;
const OVERFLOWS = ['drop-head', 'reject-publish', 'reject-publish-dlx'] as const;
const STRATEGIES = ['at-most-once', 'at-least-once'];
const TYPES = [...QUEUE_TYPES.values()];

/** A row for each thing that can be said of a queue. Other arguments are kept and never looked at; other keys refused. */
const SETTINGS = [
  row(
    'dead-letter-exchange',
    shortText,
    aShortString('is not a valid dead letter exchange name'),
    'Where messages go that are rejected, expire, exceed a length limit or come back too often. An exchange that is not there drops them.',
  ),
  row(
    'dead-letter-routing-key',
    shortTextWith('x-dead-letter-exchange', 'routing_key_but_no_dlx_defined'),
    aShortString('is not a valid dead letter routing key'),
    'The routing key of dead letters instead of their own.',
  ),
  row(
    'dead-letter-strategy',
    oneOf(STRATEGIES, () => 'invalid_dlx_strategy'),
    anyOf(STRATEGIES, 'is not a valid dead letter strategy', QUORUMS),
    'Every dead-letter move is one atomic step here, whatever this says. Metrics count `at-least-once` by its name for quorum queues that refuse what is too much.',
  ),
  row(
    'delivery-limit',
    limit,
    anIntegerFrom(-1, 'is not a valid delivery limit', OPERATOR),
    'How often a message may come back to the queue; the next time it is dead-lettered. -1: without an end.',
  ),
  row(
    'expires',
    positiveExpiry,
    anIntegerFrom(1, 'is not a valid queue expiry', OPERATOR, MS),
    'The queue is deleted once it has had no consumer, no redeclaration and no basic.get for so long.',
  ),
  rowForAll(
    'max-length',
    count,
    anIntegerFrom(0, 'is not a valid maximum length', OPERATOR),
    'How many ready messages the queue holds at most; how many a stream keeps, in pages of 256.',
  ),
  rowForAll(
    'max-length-bytes',
    count,
    anIntegerFrom(0, 'is not a valid maximum length in bytes', OPERATOR),
    'How many bytes the bodies of ready messages have at most; those of a stream, in pages.',
  ),
  row(
    'max-priority',
    upTo(PRIORITY_MAX),
    null,
    'The highest priority that the queue tells apart: higher ones go out first.',
  ),
  row(
    'message-ttl',
    expiry,
    anIntegerFrom(0, 'is not a valid message TTL', OPERATOR, MS),
    'How long a message may wait in the queue; 0 is for messages that can be delivered at once.',
  ),
  row(
    'overflow',
    oneOf(OVERFLOWS, () => 'invalid_overflow'),
    anyOf(OVERFLOWS, 'is not a valid overflow value'),
    'What a queue at its length limit does: drop its oldest message, or refuse the new one, with or without dead-lettering it.',
  ),
  rowForAll(
    'queue-type',
    oneOf(
      TYPES.map(({ name }) => name),
      (word) => `"unsupported queue type '${word}'"`,
    ),
    null,
    TYPES.map(({ about }) => about).join(' '),
  ),
  row(
    'single-active-consumer',
    flag,
    null,
    'Only one consumer is given messages; the next takes over when it leaves.',
  ),
  row(
    'single-active-consumer-spread',
    flag,
    aFlag('is not a valid single active consumer spread'),
    'Whether the single active consumer hands over, once it has settled all that it was given, to one that comes with the same priority and whose connection is active on fewer queues, by two or more.',
  ),
  rowForAll(
    'consumer-timeout',
    count,
    anIntegerFrom(0, 'is not a valid consumer timeout'),
    'How long a delivery may stay unacked, in milliseconds.',
  ),
  rowForAll(
    'consumer-timeout-action',
    oneOf(TIMEOUT_ACTIONS, () => 'invalid_consumer_timeout_action'),
    anyOf(TIMEOUT_ACTIONS, 'is not a valid consumer timeout action'),
    'What becomes of a delivery that stays unacked for longer: its channel is closed, its consumer alone is cancelled, or its message goes back to the queue and the channel goes on. For streams `requeue` means `cancel`.',
  ),
  row(
    'message-delay',
    expiry,
    anIntegerFrom(0, 'is not a valid message delay', OPERATOR, MS),
    'How long each message waits before it is ready; its own header `x-delay` or `x-deliver-at` says another time.',
  ),
  row(
    'delayed-retry-type',
    oneOf(RETRY_TYPES, () => 'invalid_delayed_retry_type'),
    anyOf(RETRY_TYPES, 'is not a valid delayed retry type', OPERATOR),
    'Which messages wait before they go out again: all that come back, those that failed (rejected, or left by a consumer that went or was late), those that were returned (`basic.nack`), or none.',
  ),
  row(
    'delayed-retry-min',
    expiry,
    anIntegerFrom(0, 'is not a valid delayed retry minimum', OPERATOR, MS),
    'How long a message waits that came back for the first time. Alone, it switches retries on for `all`, with a delivery limit of 20 where none is set.',
  ),
  row(
    'delayed-retry-max',
    expiry,
    anIntegerFrom(0, 'is not a valid delayed retry maximum', OPERATOR, MS),
    'The longest time that a message waits before it goes out again.',
  ),
  row(
    'delayed-retry-multiplier',
    positive,
    anIntegerFrom(1, 'is not a valid delayed retry multiplier', OPERATOR),
    'How the time grows with each return: left out, by the minimum each time; 1: not at all; 2 and more: so many times.',
  ),
  row(
    'delayed-retry-jitter',
    part,
    aPart('is not a valid delayed retry jitter', OPERATOR),
    'The part of that time, from 0 to 1, that is left to chance and taken off.',
  ),
  row(
    'delivery-rate',
    rate,
    aRate('is not a valid delivery rate', OPERATOR),
    'How many messages go out in which time, those that came back included: a bucket of so many that is refilled evenly. What waits stays ready.',
  ),
  row(
    'delivery-burst',
    burst,
    aBurst('is not a valid delivery burst', OPERATOR),
    'How many of them may go out at once after a quiet time, instead of all: 1 spaces them evenly.',
  ),
  row(
    'message-deduplication',
    flag,
    aFlag('is not a valid message deduplication value'),
    'Whether a message is dropped, and confirmed, whose key the queue knows: the value of its header `x-deduplication-header`.',
  ),
  row(
    'cache-size',
    positive,
    anIntegerFrom(1, 'is not a valid cache size'),
    'How many keys are known at most; the oldest is forgotten first.',
  ),
  row(
    'cache-ttl',
    positiveExpiry,
    anIntegerFrom(1, 'is not a valid cache TTL', {}, MS),
    'How long a key is known; the header `x-cache-ttl` of a message says another time for its own.',
  ),
  row(
    'deduplication-header',
    shortText,
    aShortString('is not a valid deduplication header'),
    'The header that has the key, instead of `x-deduplication-header`.',
  ),
  row(
    'cache-release',
    oneOf(RELEASES, () => 'invalid_cache_release'),
    anyOf(RELEASES, 'is not a valid cache release value'),
    'When a key is forgotten: after `x-cache-ttl` (`ttl`), or as its message leaves the queue (`ack`), which is so where neither a size nor a time is given.',
  ),
  row(
    'group-header',
    groupHeader,
    null,
    'Names a header: messages with the same value of it are a group, and go out in order, so many at a time; the groups in turns. Not with `x-max-priority`; priorities mean nothing.',
  ),
  row(
    'group-concurrency',
    positive,
    anIntegerFrom(1, 'is not a valid group concurrency', OPERATOR),
    'How many messages of one group may be unacked at a time, 1 unless it is set. In a queue without `x-group-header`: how many of all its consumers together.',
  ),
  row(
    'deliver-after-commit',
    flag,
    aFlag('is not a valid deliver after commit value'),
    'Whether persistent messages go out only once the disk has them, with all that their publish put elsewhere, confirmed or not; each delivery then takes a commit. For durable queues; others have nothing to wait for.',
  ),
  ...STREAM_SETTINGS,
  ...KEPT_SETTINGS,
] as const;

/** The keys of the table; an argument is `x-` and one of them. */
export type QueueSettingKey = (typeof SETTINGS)[number]['key'];

/** One argument that queues know. */
export interface QueueArgument extends ArgumentValue {
  readonly name: string;
  /** The key that sets the same in the definition of a policy, if one can. */
  readonly policyKey: string | null;
  readonly about: string;
}

/** Every argument that queues can be declared with. */
export const QUEUE_ARGUMENTS: readonly QueueArgument[] = SETTINGS.flatMap(
  ({ key, argument, policy, about }) =>
    argument === null
      ? []
      : [
          {
            ...argument,
            name: `x-${key}`,
            policyKey: policy === null ? null : key,
            about,
          },
        ],
);

const BY_NAME = new Map(QUEUE_ARGUMENTS.map((argument) => [argument.name, argument]));

/** The row of an argument; undefined: queues do not know it. */
export function queueArgument(name: string): QueueArgument | undefined {
  return BY_NAME.get(name);
}

/** Every key that policies may set for queues. */
export const QUEUE_POLICY_KEYS: readonly (PolicyValue & Pick<QueueSetting, 'key' | 'about'>)[] =
  SETTINGS.flatMap(({ key, policy, about }) =>
    policy === null ? [] : [{ ...policy, key, about }],
  );
