// Owns the table of the arguments of `basic.consume`. Never acts on one: consumer.ts and the queue do.

import { READING_ARGUMENTS } from '../stream/reading/reading-spec.ts';
import { type ArgumentValue, count, flag, integer, oneOf, onlyFor } from './argument-values.ts';
import { TIMEOUT_ACTIONS } from './queue-arguments.ts';
import { QUEUES } from './queue-setting.ts';
import { streamFilter, streamGroup, streamOffset, streamUntil } from './stream-values.ts';

/** One argument that consumers know. */
export interface ConsumerArgument extends ArgumentValue {
  readonly name: string;
  /** What it does, for people. */
  readonly about: string;
}

const ofStreams = (name: string, value: ArgumentValue, about: string): ConsumerArgument => ({
  ...onlyFor(value, 'stream'),
  name,
  about,
});

/** Every argument that consumers know. Others are kept. */
export const CONSUMER_ARGUMENTS: readonly ConsumerArgument[] = [
  ofStreams(
    READING_ARGUMENTS.offset,
    streamOffset,
    'Where the consumer begins to read: at the next message if it is left out. No value is the same, and the tag, if the client chose it, is the group.',
  ),
  ofStreams(
    READING_ARGUMENTS.until,
    streamUntil,
    'Where it ends, as the first that it is not given: what comes from now on, an offset, or what came at that time or later. Then the broker cancels the consumer.',
  ),
  ofStreams(
    READING_ARGUMENTS.group,
    streamGroup,
    'The group that it belongs to: the broker remembers the place below which all is acked, and one consumer of the group is active. `x-stream-offset` is for the first time.',
  ),
  ofStreams(
    READING_ARGUMENTS.tracking,
    flag,
    'Whether the tag of the consumer, which the client has to choose, is its group.',
  ),
  ofStreams(
    READING_ARGUMENTS.filter,
    streamFilter,
    'It is given only messages whose header `x-stream-filter-value` is one of these.',
  ),
  ofStreams(
    READING_ARGUMENTS.matchUnfiltered,
    flag,
    'Whether it is given, beside these, messages without such a header.',
  ),
  {
    name: 'x-priority',
    ...onlyFor(integer, ...QUEUES),
    about: 'Consumers of a higher priority are served first, as long as they can take messages.',
  },
  {
    name: 'x-consumer-timeout',
    ...count,
    about: 'How long a delivery to this consumer may stay unacked, in milliseconds.',
  },
  {
    name: 'x-consumer-timeout-action',
    ...oneOf(TIMEOUT_ACTIONS, () => 'invalid_consumer_timeout_action'),
    about: 'What becomes of one that does so for longer: see the argument of queues.',
  },
  {
    name: 'x-cancel-on-ha-failover',
    ...onlyFor(flag, ...QUEUES),
    about: 'Taken for the sake of clients; without effect, as there are no mirrors.',
  },
];

const BY_NAME = new Map(CONSUMER_ARGUMENTS.map((each) => [each.name, each]));

/** The row of an argument; undefined: consumers do not know it. */
export function consumerArgument(name: string): ConsumerArgument | undefined {
  return BY_NAME.get(name);
}
