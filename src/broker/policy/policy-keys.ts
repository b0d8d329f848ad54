// Owns the table of what a policy may set: key, value, whether operators may set it too, and which
// queues know it. Never acts on a key: queue/rules.ts and the exchange do.

import { describeTerm, type JsonValue } from '../../util/json/json.ts';
import { isShort, SHORT_BYTES_MAX } from '../../util/limits.ts';

/** The kinds of queue that some keys leave alone. */
export type QueueKind = 'classic' | 'quorum';

/** One key of a policy's definition. */
export interface PolicyKey {
  readonly key: string;
  /** The values it takes, for people. */
  readonly expects: string;
  /** What it does, for people. */
  readonly about: string;
  /** Whether an operator policy may set it. */
  readonly operator: boolean;
  /** A policy with this key leaves queues of these kinds alone, wholly. */
  readonly notFor: readonly QueueKind[];
  /** Says what is wrong with a value in RabbitMQ's words, or null when nothing is. */
  check(value: JsonValue): string | null;
}

/** How a kind of value is told, what its refusal says, and how people are told of it. */
interface Value {
  readonly expects: string;
  readonly allows: (value: JsonValue) => boolean;
}

const integerFrom = (min: number): Value => ({
  expects: `an integer from ${min} on`,
  // JSON has numbers without an end; one that is no integer of 64 bits is none.
  allows: (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= 2 ** 63,
});
const text: Value = { expects: 'a string', allows: (value) => typeof value === 'string' };
/** A text that goes onto the wire as a short string, or names what does. */
const shortText: Value = {
  expects: `a string of at most ${SHORT_BYTES_MAX} bytes`,
  allows: (value) => typeof value === 'string' && isShort(value),
};
const anything: Value = { expects: 'anything', allows: () => true };
const oneOf = (...words: readonly (string | number)[]): Value => ({
  expects: words.map((word) => `\`${word}\``).join(' or '),
  allows: (value) => words.some((word) => word === value),
});

interface Options {
  readonly operator?: true;
  readonly notFor?: readonly QueueKind[];
}

/** `refusal` follows the value: `-1 is not a valid maximum length`. */
function row(
  key: string,
  value: Value,
  refusal: string,
  about: string,
  { operator, notFor }: Options = {},
): PolicyKey {
  return {
    key,
    expects: value.expects,
    about,
    operator: operator === true,
    notFor: notFor ?? [],
    check: (given) => (value.allows(given) ? null : `${describeTerm(given)} ${refusal}`),
  };
}

const NO_EFFECT = 'Taken and kept; without effect.';
const OPERATOR = { operator: true } as const;
const MIRRORED: Options = { operator: true, notFor: ['quorum'] };
/** Streams alone know these, and there are none. */
const STREAMS: Options = { notFor: ['classic', 'quorum'] };

/** Every key that a policy may hold. Another is refused. */
export const POLICY_KEYS: readonly PolicyKey[] = [
  row(
    'alternate-exchange',
    shortText,
    'is not a valid alternate exchange name',
    'Where an exchange sends what matches none of its bindings.',
  ),
  row(
    'dead-letter-exchange',
    shortText,
    'is not a valid dead letter exchange name',
    'Where messages go that are rejected, expire, exceed a length limit or come back too often.',
  ),
  row(
    'dead-letter-routing-key',
    shortText,
    'is not a valid dead letter routing key',
    'The routing key of dead letters instead of their own.',
  ),
  row(
    'message-ttl',
    integerFrom(0),
    'is not a valid message TTL',
    'How long a message may wait in the queue, in milliseconds.',
    OPERATOR,
  ),
  row(
    'expires',
    integerFrom(1),
    'is not a valid queue expiry',
    'How long the queue may go unused before it is deleted, in milliseconds.',
    OPERATOR,
  ),
  row(
    'max-length',
    integerFrom(0),
    'is not a valid maximum length',
    'How many ready messages the queue holds at most.',
    OPERATOR,
  ),
  row(
    'max-length-bytes',
    integerFrom(0),
    'is not a valid maximum length in bytes',
    'How many bytes the bodies of ready messages have at most.',
    OPERATOR,
  ),
  row(
    'overflow',
    oneOf('drop-head', 'reject-publish', 'reject-publish-dlx'),
    'is not a valid overflow value',
    'What a queue at its length limit does.',
  ),
  row(
    'delivery-limit',
    integerFrom(0),
    'is not a valid delivery limit',
    'How often a message may come back to the queue; the next time it is dead-lettered.',
    OPERATOR,
  ),
  row(
    'consumer-timeout',
    integerFrom(0),
    'is not a valid consumer timeout',
    'How long a delivery may stay unacked, in milliseconds.',
  ),
  row(
    'dead-letter-strategy',
    oneOf('at-most-once', 'at-least-once'),
    'is not a valid dead letter strategy',
    NO_EFFECT,
    { notFor: ['classic'] },
  ),
  ...['max-in-memory-length', 'max-in-memory-bytes'].map((key) =>
    row(key, integerFrom(0), 'is not a valid maximum memory in bytes', NO_EFFECT, OPERATOR),
  ),
  row('queue-mode', oneOf('default', 'lazy'), 'is not a valid queue-mode value', NO_EFFECT, {
    notFor: ['quorum'],
  }),
  row('queue-version', oneOf(1, 2), 'is not a valid queue-version value', NO_EFFECT, OPERATOR),
  row(
    'queue-master-locator',
    oneOf('client-local', 'min-masters', 'random'),
    'invalid queue-master-locator value',
    NO_EFFECT,
    MIRRORED,
  ),
  row(
    'queue-leader-locator',
    oneOf('client-local', 'balanced', 'random', 'least-leaders'),
    'is not a valid queue leader locator value',
    NO_EFFECT,
    { notFor: ['classic'] },
  ),
  row('initial-cluster-size', integerFrom(0), 'is not a valid cluster size', NO_EFFECT, STREAMS),
  row('target-group-size', integerFrom(1), 'is not a valid qq target count value', NO_EFFECT, {
    operator: true,
    notFor: ['classic'],
  }),
  row('max-age', text, 'is not a valid max age', NO_EFFECT, STREAMS),
  row(
    'stream-max-segment-size-bytes',
    integerFrom(0),
    'is not a valid segment size',
    NO_EFFECT,
    STREAMS,
  ),
  row(
    'stream-filter-size-bytes',
    integerFrom(16),
    'is not a valid filter size',
    NO_EFFECT,
    STREAMS,
  ),
  row(
    'ha-mode',
    oneOf('all', 'exactly', 'nodes'),
    'is not a valid ha-mode value',
    NO_EFFECT,
    MIRRORED,
  ),
  row('ha-params', anything, '', NO_EFFECT, MIRRORED),
  row(
    'ha-sync-mode',
    oneOf('automatic', 'manual'),
    'is not a valid ha-sync-mode value',
    NO_EFFECT,
    MIRRORED,
  ),
  ...['ha-sync-batch-size', 'ha-promote-on-shutdown', 'ha-promote-on-failure'].map((key) =>
    row(key, anything, '', NO_EFFECT, { notFor: ['quorum'] }),
  ),
  ...['federation-upstream', 'federation-upstream-set', 'federation-upstream-pattern'].map((key) =>
    row(key, text, 'is not a valid federation upstream', NO_EFFECT),
  ),
  row(
    'shards-per-node',
    integerFrom(0),
    'is not a valid shards-per-node value',
    NO_EFFECT,
    STREAMS,
  ),
  row('routing-key', text, 'is not a valid routing key', NO_EFFECT, STREAMS),
];

const BY_KEY: ReadonlyMap<string, PolicyKey> = new Map(POLICY_KEYS.map((each) => [each.key, each]));

/** The row of a key; undefined: there is no such key. */
export function policyKey(key: string): PolicyKey | undefined {
  return BY_KEY.get(key);
}
