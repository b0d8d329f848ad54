// Owns the tests of what a queue says of how fast its messages go out.

import { expect, test } from 'vitest';
import type { Field } from '../../../../src/amqp/field-table.ts';
import { rulesOf } from '../../../../src/broker/queue/rules.ts';
import { paceWords } from '../../../../src/broker/view/delayed/pace-words.ts';

test('a queue says how fast its messages go out', () => {
  const words = (rate: string, burst?: number): string => {
    const args = new Map<string, Field>([['x-delivery-rate', { type: 'S', value: rate }]]);
    if (burst !== undefined) args.set('x-delivery-burst', { type: 'l', value: burst });
    return paceWords(rulesOf(args, null, null), true);
  };
  expect(words('50/60s')).toBe('50 in 60 s at most.');
  expect(words('1/h')).toBe('1 in 1 h at most.');
  expect(words('100/m', 1)).toBe('100 in 1 min at most, evenly spaced.');
  expect(words('10/s', 40)).toBe('10 in 1 s at most, and 40 at once after a quiet time.');
  expect(paceWords(rulesOf(new Map(), null, null), true)).toBe('');
  const grouped = new Map<string, Field>([['x-group-header', { type: 'S', value: 'tenant' }]]);
  const rate = new Map([['delivery-rate', '5/s']]);
  const groups = 'Groups by the header tenant in turns, 1 unacked at a time of each.';
  expect(paceWords(rulesOf(grouped, null, null), true)).toBe(groups);
  expect(paceWords(rulesOf(grouped, rate, null), true)).toBe(`5 in 1 s at most. ${groups}`);
  const bound = new Map([['group-concurrency', 10]]);
  expect(paceWords(rulesOf(new Map(), bound, null), true)).toBe('10 unacked at a time at most.');
  const disk = new Map([['deliver-after-commit', true]]);
  const onDisk = 'Persistent messages once the disk has them.';
  expect(paceWords(rulesOf(grouped, disk, null), true)).toBe(`${groups} ${onDisk}`);
  expect(paceWords(rulesOf(grouped, disk, null), false)).toBe(groups);
});
