// Owns the table of the arguments of `basic.consume`. Never acts on one: consumer.ts and the queue do.

import {
  type ArgumentValue,
  count,
  flag,
  integer,
  isOffered,
  oneOf,
  onlyFor,
  text,
} from './argument-values.ts';
import { TIMEOUT_ACTIONS } from './queue-arguments.ts';

/** One argument that consumers know. */
export interface ConsumerArgument extends ArgumentValue {
  readonly name: string;
  /** What it does, for people. */
  readonly about: string;
}

/** Every argument that consumers know; those that are for some types of queues come first. Others are kept. */
export const ALL_CONSUMER_ARGUMENTS: readonly ConsumerArgument[] = [
  {
    name: 'x-stream-offset',
    ...onlyFor(text, 'stream'),
    about: 'Where the consumer begins to read a stream.',
  },
  {
    name: 'x-priority',
    ...integer,
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
    ...flag,
    about: 'Taken for the sake of clients; without effect, as there are no mirrors.',
  },
];

/** Those for which there are queues. */
export const CONSUMER_ARGUMENTS = ALL_CONSUMER_ARGUMENTS.filter(isOffered);
