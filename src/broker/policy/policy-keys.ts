// Owns the table of what a policy may set: the keys of queues, which queue/arguments/ has, and those of exchanges and
// of what is not here. Never acts on a key: queue/rules.ts and the exchange do.

import {
  anIntegerFrom,
  anyOf,
  aShortString,
  aString,
  type PolicyValue,
} from '../queue/arguments/policy-values.ts';
import { QUEUE_POLICY_KEYS } from '../queue/arguments/queue-arguments.ts';
import { NO_EFFECT } from '../queue/arguments/queue-setting.ts';

/** One key of a policy's definition. */
export interface PolicyKey extends PolicyValue {
  readonly key: string;
  /** What it does, for people. */
  readonly about: string;
}

/** A policy with such a key leaves all queues alone. */
const NO_QUEUES = { onlyFor: [] } as const;

/** Keys that RabbitMQ's plugin for duplicates has with the prefix of an argument. */
const PREFIX = 'x-';
const PLUGIN_KEYS = new Set(['message-deduplication', 'cache-size', 'cache-ttl']);

const row = (key: string, value: PolicyValue, about: string): PolicyKey => ({
  ...value,
  key,
  about,
});

/** Every key that a policy may hold. Another is refused. */
export const POLICY_KEYS: readonly PolicyKey[] = [
  row(
    'alternate-exchange',
    aShortString('is not a valid alternate exchange name'),
    'Where an exchange sends what matches none of its bindings.',
  ),
  ...QUEUE_POLICY_KEYS,
  ...QUEUE_POLICY_KEYS.filter(({ key }) => PLUGIN_KEYS.has(key)).map((each) =>
    row(`${PREFIX}${each.key}`, each, `As \`${each.key}\`: RabbitMQ's plugin has this name.`),
  ),
  row(
    `${PREFIX}cache-persistence`,
    anyOf(['disk', 'memory'], "must be either 'disk' or 'memory'"),
    NO_EFFECT,
  ),
  ...['federation-upstream', 'federation-upstream-set', 'federation-upstream-pattern'].map((key) =>
    row(key, aString('is not a valid federation upstream'), NO_EFFECT),
  ),
  row(
    'shards-per-node',
    anIntegerFrom(0, 'is not a valid shards-per-node value', NO_QUEUES),
    NO_EFFECT,
  ),
  row('routing-key', aString('is not a valid routing key', NO_QUEUES), NO_EFFECT),
];

const BY_KEY: ReadonlyMap<string, PolicyKey> = new Map(POLICY_KEYS.map((each) => [each.key, each]));

/** Whether policies may have a key that changes nothing here. */
export function isWithoutEffect(key: string): boolean {
  return BY_KEY.get(key)?.about === NO_EFFECT;
}

/** The key that is meant by one that a policy holds. */
export function plainKey(key: string): string {
  return key.startsWith(PREFIX) ? key.slice(PREFIX.length) : key;
}

/** The row of a key; undefined: there is no such key. */
export function policyKey(key: string): PolicyKey | undefined {
  return BY_KEY.get(key);
}
