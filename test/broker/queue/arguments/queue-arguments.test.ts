// Owns the tests of the table of what can be said of a queue.

import { expect, test } from 'vitest';
import { POLICY_KEYS } from '../../../../src/broker/policy/policy-keys.ts';
import { checkQueueArguments } from '../../../../src/broker/queue/arguments/check-arguments.ts';
import {
  QUEUE_ARGUMENTS,
  QUEUE_POLICY_KEYS,
} from '../../../../src/broker/queue/arguments/queue-arguments.ts';

const WORDS = ['drop-head', 'reject-publish-dlx', 'at-least-once', 'lazy', 'balanced', 'first'];

test('an argument and the policy key beside it take the same words', () => {
  const keys = ['overflow', 'dead-letter-strategy', 'queue-mode', 'queue-leader-locator'];
  for (const key of keys) {
    const policy = POLICY_KEYS.find((row) => row.key === key);
    const args = (value: string) => new Map([[`x-${key}`, { type: 'S', value } as const]]);
    for (const word of WORDS) {
      const check = () => checkQueueArguments('q', '/', args(word));
      if (policy?.check(word) === null) expect(check, `${key} ${word}`).not.toThrow();
      else expect(check, `${key} ${word}`).toThrow();
    }
    expect(WORDS.filter((word) => policy?.check(word) === null).length).toBeGreaterThan(0);
  }
});

test('an argument that a policy can set as well names the key, which is its own name without x-', () => {
  const keys = new Set(QUEUE_POLICY_KEYS.map(({ key }) => key));
  for (const { name, policyKey } of QUEUE_ARGUMENTS) {
    const key = name.replace(/^x-/, '');
    expect(policyKey, name).toBe(keys.has(key) ? key : null);
  }
});
