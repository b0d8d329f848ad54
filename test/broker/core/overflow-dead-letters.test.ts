// Owns the tests of dead letters that lead to further ones: however many they are, the stack and the turn
// stay short, and none is lost.

import { expect, test } from 'vitest';
import type { Field } from '../../../src/amqp/field-table.ts';
import { ALL_RIGHTS } from '../../../src/broker/access/grants.ts';
import { wrongReferences } from '../inspect.ts';
import { SmallBroker } from '../small-broker.ts';

const text = (value: string): Field => ({ type: 'S', value });
const number = (value: number): Field => ({ type: 'l', value });

const FULL = { 'x-max-length': number(0), 'x-overflow': text('reject-publish-dlx') };

/** Lets each dead letter take a millisecond; tells of the deepest stack and how many there were. */
function watchLetters(small: SmallBroker): { deepest: number; letters: number } {
  const seen = { deepest: 0, letters: 0 };
  const { vhost } = small;
  const deadLetter = vhost.deadLetter.bind(vhost);
  vhost.deadLetter = (...args) => {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 100_000;
    const depth = (new Error().stack ?? '').split('\n').length;
    Error.stackTraceLimit = stackTraceLimit;
    seen.deepest = Math.max(seen.deepest, depth);
    seen.letters += 1;
    small.nowMs += 1;
    return deadLetter(...args);
  };
  return seen;
}

/** Declares queues that hand their dead letters to all of them. */
function declareBomb(small: SmallBroker, count: number, args: Record<string, Field>): void {
  const { vhost } = small;
  const declaration = { durable: false, autoDelete: false, internal: false, arguments: new Map() };
  vhost.as(ALL_RIGHTS).declareExchange({ name: 'bomb', type: 'fanout', ...declaration });
  const bomb = vhost.exchange('bomb');
  for (let i = 0; i < count; i++) {
    const queue = small.declare(`q${i}`, true, { ...args, 'x-dead-letter-exchange': text('bomb') });
    vhost.bindings.bind(bomb, queue, '', new Map());
  }
}

const wrong = (small: SmallBroker): string | null =>
  wrongReferences(small.broker, small.vhost.everyQueue());

function turnsUntilQuiet(small: SmallBroker): number {
  for (let turns = 1; turns < 10_000; turns++) if (!small.broker.core.deliver()) return turns;
  throw new Error('it never ends');
}

test('a message that full queues refuse one after the other takes no more stack for each', () => {
  const small = new SmallBroker();
  for (let i = 0; i < 40; i++) {
    const next = text(i < 39 ? `full${i + 1}` : 'end');
    const letters = { 'x-dead-letter-exchange': text(''), 'x-dead-letter-routing-key': next };
    small.declare(`full${i}`, true, { ...FULL, ...letters });
  }
  const end = small.declare('end');
  const seen = watchLetters(small);
  small.publish({ routingKey: 'full0', properties: { deliveryMode: 2 } });
  turnsUntilQuiet(small);
  expect(seen.letters).toBe(40);
  expect(seen.deepest).toBeLessThan(60);
  expect(end.readyCount).toBe(1);
  expect(small.broker.core.overflowDeadLetters.count).toBe(0);
  expect(wrong(small)).toBeNull();
});

test('messages that a queue refuses over several turns reach its dead-letter exchange in order', () => {
  const small = new SmallBroker();
  const letters = { 'x-dead-letter-exchange': text(''), 'x-dead-letter-routing-key': text('end') };
  small.declare('full', true, { ...FULL, ...letters });
  const end = small.declare('end');
  watchLetters(small);
  for (let i = 0; i < 50; i++) small.publish({ routingKey: 'full' }, Buffer.from(`${i}`));
  expect(small.broker.core.overflowDeadLetters.count).toBeGreaterThan(0);
  expect(turnsUntilQuiet(small)).toBeGreaterThan(1);
  const given = small.consume(end);
  turnsUntilQuiet(small);
  const bodies = given.map(({ position }) => small.bodyAt(position));
  expect(bodies).toEqual(Array.from({ length: 50 }, (_each, i) => `${i}`));
  expect(wrong(small)).toBeNull();
});

test.each([
  ['are too many', { 'x-max-length': number(1) }, 0],
  ['expire', { 'x-message-ttl': number(20) }, 21],
  ['are refused', FULL, 0],
] as const)(
  'dead letters that lead to ever more, since they %s, never make a turn long',
  (_why, args, laterMs) => {
    const small = new SmallBroker();
    declareBomb(small, 12, args);
    const seen = watchLetters(small);
    for (let i = 0; i < 3; i++) small.publish({ exchange: 'bomb', routingKey: '' });
    for (let turn = 0; turn < 60; turn++) {
      small.nowMs += laterMs;
      small.broker.core.tick();
      const before = seen.letters;
      small.broker.core.deliver();
      expect(seen.letters - before).toBeLessThan(20);
    }
    expect(seen.letters).toBeGreaterThan(100);
    expect(seen.deepest).toBeLessThan(60);
    expect(wrong(small)).toBeNull();
  },
);

test('a queue that is deleted ends what its dead letters would have led to', () => {
  const small = new SmallBroker();
  declareBomb(small, 12, FULL);
  watchLetters(small);
  small.publish({ exchange: 'bomb', routingKey: '' });
  for (let i = 0; i < 12; i++) small.vhost.removeQueue(small.queue(`q${i}`));
  turnsUntilQuiet(small);
  expect(small.broker.core.overflowDeadLetters.count).toBe(0);
  expect(wrong(small)).toBeNull();
});
