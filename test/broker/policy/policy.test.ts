import { expect, test } from 'vitest';
import { Refusal } from '../../../src/broker/errors.ts';
import {
  type PolicyInput,
  type PolicyLayer,
  readPolicy,
} from '../../../src/broker/policy/policy.ts';
import { POLICY_KEYS } from '../../../src/broker/policy/policy-keys.ts';
import { QUEUE_ARGUMENTS } from '../../../src/broker/queue/arguments/queue-arguments.ts';

const WORDS = "'queues', 'classic_queues', 'quorum_queues', 'streams', 'exchanges', or 'all'";

function refusalOf(input: PolicyInput, layer: PolicyLayer = 'policy'): string {
  try {
    readPolicy(layer, 'p', input);
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
  throw new Error('it was not refused');
}

const definition = { 'max-length': 1 };

test.each<[PolicyInput, string]>([
  [{ pattern: 'a', definition: {} }, 'no policy provided'],
  [{ pattern: 'a', definition: [] }, 'no policy provided'],
  [{ pattern: 'a', definition: 'x' }, 'definition must be a dictionary: <<"x">>'],
  [{ pattern: 'a' }, 'Key "definition" not found'],
  [{ definition }, 'Key "pattern" not found'],
  [{ pattern: 5, definition }, 'pattern should be a binary but was 5'],
  [
    { pattern: 'a', definition, priority: '5' },
    'priority should be a number, actually was <<"5">>',
  ],
  [
    { pattern: 'a', definition, applyTo: 'zork' },
    `apply-to 'zork' unrecognised; should be one of: ${WORDS}`,
  ],
  [
    { pattern: 'a', definition: { nope: 1, 'max-length': 2, zork: 'x' } },
    '[{<<"nope">>,1},{<<"zork">>,<<"x">>}] are not recognised policy settings',
  ],
])('refuses %j in the words of RabbitMQ', (input, text) => {
  expect(refusalOf(input)).toBe(`Validation failed\n\n${text}\n`);
});

test.each<[string, PolicyInput['definition'], string]>([
  ['max-length', -1, '-1 is not a valid maximum length'],
  ['max-length', 'x', '<<"x">> is not a valid maximum length'],
  ['max-length', 1.5, '1.5 is not a valid maximum length'],
  ['max-length', true, 'true is not a valid maximum length'],
  ['max-length', null, 'null is not a valid maximum length'],
  ['max-length', { a: 1 }, '#{<<"a">> => 1} is not a valid maximum length'],
  ['max-length', [1, 'a'], '[1,<<"a">>] is not a valid maximum length'],
  ['expires', 0, '0 is not a valid queue expiry'],
  ['message-ttl', -1, '-1 is not a valid message TTL'],
  ['overflow', 'x', '<<"x">> is not a valid overflow value'],
  ['deliver-after-commit', 1, '1 is not a valid deliver after commit value'],
  ['queue-version', 3, '3 is not a valid queue-version value'],
  ['queue-master-locator', 'x', '<<"x">> invalid queue-master-locator value'],
  ['alternate-exchange', 1, '1 is not a valid alternate exchange name'],
  ['dead-letter-exchange', 1, '1 is not a valid dead letter exchange name'],
])('refuses %s of %j', (key, value, text) => {
  const input = { pattern: 'a', definition: { [key]: value as string } };
  expect(refusalOf(input)).toBe(`Validation failed\n\n${text}\n`);
});

test('refuses a pattern that is no regular expression', () => {
  expect(refusalOf({ pattern: '(', definition })).toContain(
    'pattern should be regular expression but is invalid: ',
  );
});

test('lets operators set limits, and nothing that changes where messages go', () => {
  const keys = { 'delivery-limit': 1, 'message-ttl': 1, expires: 1, 'max-length-bytes': 1 };
  const { rules } = readPolicy('operator_policy', 'o', { pattern: '', definition: keys });
  expect(Object.fromEntries(rules)).toEqual(keys);
  for (const key of ['dead-letter-exchange', 'overflow', 'alternate-exchange']) {
    expect(refusalOf({ pattern: '', definition: { [key]: 'x' } }, 'operator_policy')).toBe(
      `Validation failed\n\n[{<<"${key}">>,<<"x">>}] are not recognised policy settings\n`,
    );
  }
});

test('fills in the priority and what it is for', () => {
  const policy = readPolicy('policy', 'p', { pattern: '^a', definition });
  expect(policy).toMatchObject({ name: 'p', priority: 0, applyTo: 'all', definition });
});

test('takes a definition as pairs, as rabbitmqctl exports it', () => {
  const pairs = [
    ['expires', 1000],
    ['message-ttl', 5],
  ];
  const policy = readPolicy('operator_policy', 'p', { pattern: 'a', definition: pairs });
  expect(policy.definition).toEqual({ expires: 1000, 'message-ttl': 5 });
});

test('knows every policy key that queue arguments name', () => {
  const keys = QUEUE_ARGUMENTS.flatMap(({ policyKey }) => policyKey ?? []);
  expect(keys.length).toBeGreaterThan(10);
  expect(POLICY_KEYS.map(({ key }) => key)).toEqual(expect.arrayContaining(keys));
});
