// Owns the tests of what a queue says of messages that come back.

import { expect, test } from 'vitest';
import type { Field } from '../../../../src/amqp/field-table.ts';
import { rulesOf } from '../../../../src/broker/queue/rules.ts';
import { retryWords } from '../../../../src/broker/view/delayed/retry-words.ts';

function words(args: Record<string, number | string>): string {
  const fields = Object.entries(args).map(([key, value]): [string, Field] => [
    `x-${key}`,
    typeof value === 'string' ? { type: 'S', value: Buffer.from(value) } : { type: 'd', value },
  ]);
  return retryWords(rulesOf(new Map(fields), null, null));
}

test('a queue says what it does with what comes back, as its rules have it', () => {
  const back = 'What comes back';
  const min = 'delayed-retry-min';
  const multiplier = 'delayed-retry-multiplier';
  const limit = 'delivery-limit';
  const dead = { 'dead-letter-exchange': 'failed' };
  const table: readonly (readonly [Record<string, number | string>, string])[] = [
    [{}, `${back} is ready again at once, as often as it comes back.`],
    [{ [limit]: 2 }, `${back} is ready again at once, up to 3 attempts; then it is dropped.`],
    [{ [limit]: 0, ...dead }, `${back} does not go out again: it is dead-lettered to failed.`],
    [
      { [min]: 3_000, [multiplier]: 2, [limit]: 4, ...dead },
      `${back} waits 3 s, then 6 s, 12 s, 24 s, up to 5 attempts; then it is dead-lettered to failed.`,
    ],
    [
      { [min]: 500, [limit]: 1, 'dead-letter-exchange': '', 'dead-letter-routing-key': 'k' },
      `${back} waits 500 ms, up to 2 attempts; then it is dead-lettered to the default exchange with the key k.`,
    ],
    [
      { [min]: 1_500 },
      `${back} waits 1.5 s, then 3 s, 4.5 s ... and in the end 30 s, up to 21 attempts; then it is dropped.`,
    ],
    [
      { [min]: 5_400_000, [multiplier]: 1, [limit]: -1 },
      `${back} waits 1 h 30 min each time, as often as it comes back.`,
    ],
    [
      { [min]: 1_000, [multiplier]: 3, 'delayed-retry-max': 60_000, [limit]: 9 },
      `${back} waits 1 s, then 3 s, 9 s ... at most 1 min, up to 10 attempts; then it is dropped.`,
    ],
    [
      { [min]: 1_000, [multiplier]: 1, 'delayed-retry-jitter': 0.25, [limit]: 2 },
      `${back} waits 1 s each time (less up to 25 % of it, by chance), up to 3 attempts; then it is dropped.`,
    ],
    [
      { [min]: 1_000, [limit]: 1, 'delayed-retry-type': 'returned' },
      `${back} by basic.nack waits 1 s, up to 2 attempts; then it is dropped. What is rejected, or comes back as a channel or a lease ends, is ready again at once, and counts.`,
    ],
    [
      { [min]: 1_000, [limit]: 1, 'delayed-retry-type': 'failed' },
      'What is rejected, or comes back as a channel or a lease ends, waits 1 s, up to 2 attempts; then it is dropped. What comes back by basic.nack is ready again at once, and counts.',
    ],
    [
      { [min]: 1_000, [limit]: 2, 'delayed-retry-type': 'disabled' },
      `${back} is ready again at once, up to 3 attempts; then it is dropped.`,
    ],
  ];
  for (const [args, text] of table) expect(words(args)).toBe(text);
});
