// Owns the tests of dead letters that go to very many queues: in steps, in order, and in one batch with the
// end of the message that died.

import { expect, test } from 'vitest';
import type { Field } from '../../src/amqp/field-table.ts';
import { ALL_RIGHTS } from '../../src/broker/access/grants.ts';
import type { Queue } from '../../src/broker/queue/queue.ts';
import { wrongReferences } from './inspect.ts';
import { SmallBroker } from './small-broker.ts';

const text = (value: string): Field => ({ type: 'S', value });
const number = (value: number): Field => ({ type: 'l', value });

/** More than are given a dead letter in one step, several times over. */
const TARGETS = 700;
const TO_ALL = { 'x-dead-letter-exchange': text('all') };
const REFUSING = { 'x-max-length': number(0), 'x-overflow': text('reject-publish-dlx') };
const PERSISTENT = { deliveryMode: 2 };

/**
 * Queues that all get what is published to `all` with the key 'wide', and the last of them also what has the key
 * 'narrow'. Each push to one of them takes a tenth of a millisecond.
 */
function declareTargets(small: SmallBroker, args: Record<string, Field> = {}): Queue[] {
  const { vhost } = small;
  const declaration = { durable: true, autoDelete: false, internal: false, arguments: new Map() };
  vhost.as(ALL_RIGHTS).declareExchange({ name: 'all', type: 'direct', ...declaration });
  const all = vhost.exchange('all');
  return Array.from({ length: TARGETS }, (_each, i) => {
    const target = small.declare(`target${i}`, true, args);
    vhost.bindings.bind(all, target, 'wide', new Map());
    if (i === TARGETS - 1) vhost.bindings.bind(all, target, 'narrow', new Map());
    const push = target.push.bind(target);
    target.push = (...message) => {
      small.nowMs += 0.1;
      return push(...message);
    };
    return target;
  });
}

/** A queue that messages with these keys are in. */
function declareSource(small: SmallBroker, args: Record<string, Field>, keys: string[]): Queue {
  const { vhost } = small;
  const queue = small.declare('source', true, args);
  for (const key of new Set(keys))
    vhost.bindings.bind(vhost.exchange('amq.direct'), queue, key, new Map());
  send(small, keys);
  return queue;
}

function send(small: SmallBroker, keys: string[]): void {
  for (const [i, routingKey] of keys.entries()) {
    const sent = { exchange: 'amq.direct', routingKey, properties: PERSISTENT };
    small.publish(sent, Buffer.from(`${i}`));
  }
}

function rejectAll(small: SmallBroker, queue: Queue): void {
  const given = small.consume(queue);
  turnsUntilQuiet(small);
  for (const { seq } of given) queue.reject(seq);
}

const wrong = (small: SmallBroker): string | null =>
  wrongReferences(small.broker, small.vhost.everyQueue());

function turnsUntilQuiet(small: SmallBroker): number {
  for (let turns = 1; turns < 10_000; turns++) {
    const more = small.broker.core.deliver();
    const { sealable } = small.broker.core;
    if (sealable) small.commit();
    if (!more && !sealable && !small.broker.core.slices.any) return turns;
  }
  throw new Error('it never ends');
}

/** What is in a queue, in order. */
function bodiesIn(small: SmallBroker, queue: Queue): string[] {
  const given = small.consume(queue);
  turnsUntilQuiet(small);
  return given.map(({ position }) => small.bodyAt(position));
}

test('a dead letter to very many queues takes several turns, and none is sealed until its last', () => {
  const small = new SmallBroker();
  const targets = declareTargets(small);
  const source = declareSource(small, TO_ALL, ['wide']);
  small.commit();
  rejectAll(small, source);
  let turns = 0;
  for (; source.unackedCount > 0; turns++) {
    expect(small.broker.core.sealable).toBe(false);
    small.broker.core.deliver();
  }
  expect(turns).toBeGreaterThan(3);
  expect(small.broker.core.sealable).toBe(true);
  expect(targets.every(({ readyCount }) => readyCount === 1)).toBe(true);
  expect(small.broker.core.counts.deaths.ofType('classic').of('at_most_once', 'rejected')).toBe(1);
  expect(wrong(small)).toBeNull();
});

test('whenever the power goes, the message is in its queue or its dead letter in all of theirs', () => {
  const small = new SmallBroker();
  declareTargets(small);
  const source = declareSource(small, TO_ALL, ['wide', 'wide']);
  small.commit();
  rejectAll(small, source);
  const seen = new Set<number>();
  while (small.broker.core.slices.any) {
    small.broker.core.deliver();
    if (small.broker.core.sealable) small.commit();
    const after = small.crashed();
    const left = after.queue('source').readyCount;
    seen.add(left);
    for (let i = 0; i < TARGETS; i++) expect(after.queue(`target${i}`).readyCount).toBe(2 - left);
  }
  expect([...seen]).toEqual([2, 1, 0]);
});

test('what dies behind a dead letter to very many queues is handed on in order', () => {
  const small = new SmallBroker();
  const targets = declareTargets(small);
  rejectAll(
    small,
    declareSource(small, TO_ALL, ['wide', 'narrow', 'lost', 'narrow', 'wide', 'narrow']),
  );
  turnsUntilQuiet(small);
  expect(bodiesIn(small, targets.at(-1) as Queue)).toEqual(['0', '1', '3', '4', '5']);
  expect(bodiesIn(small, targets[0] as Queue)).toEqual(['0', '4']);
  expect(small.queue('source').unackedCount).toBe(0);
  expect(wrong(small)).toBeNull();
});

test.each([
  ['are too many', { 'x-max-length': number(1) }, ['2']],
  ['expire', { 'x-message-ttl': number(20) }, []],
] as const)(
  'messages that %s wait behind such a dead letter where they are',
  (_why, args, left) => {
    const small = new SmallBroker();
    const target = declareTargets(small).at(-1) as Queue;
    const source = declareSource(small, { ...TO_ALL, ...args }, ['wide', 'wide', 'wide']);
    small.nowMs += 21;
    small.broker.core.tick();
    turnsUntilQuiet(small);
    expect(source.unackedCount).toBe(0);
    expect(source.readyCount).toBe(left.length);
    expect(bodiesIn(small, target)).toEqual(
      ['0', '1', '2'].filter((body) => !left.includes(body as never)),
    );
    expect(wrong(small)).toBeNull();
  },
);

test('a consumer is given nothing that expired while such a dead letter is under way', () => {
  const small = new SmallBroker();
  declareTargets(small);
  const source = declareSource(small, { ...TO_ALL, 'x-message-ttl': number(20) }, ['wide', 'wide']);
  small.nowMs += 21;
  small.broker.core.tick();
  small.broker.core.deliver();
  expect(source.readyCount).toBe(1);
  const given = small.consume(source);
  expect(source.get()).toBeNull();
  turnsUntilQuiet(small);
  expect(given).toEqual([]);
});

test('queues that are deleted meanwhile, its own or theirs, leave nothing behind', () => {
  for (const name of ['source', 'target600']) {
    const small = new SmallBroker();
    const target = declareTargets(small).at(-1) as Queue;
    const source = declareSource(small, TO_ALL, ['wide', 'narrow', 'wide']);
    rejectAll(small, source);
    small.broker.core.deliver();
    small.vhost.removeQueue(small.queue(name));
    turnsUntilQuiet(small);
    expect(wrong(small)).toBeNull();
    // What waited goes with its queue.
    expect(target.readyCount).toBe(name === 'source' ? 1 : 3);
  }
});

test('at a stop the letter under way is ended, and what waits behind it stays for the next start', () => {
  const small = new SmallBroker();
  declareTargets(small);
  const source = declareSource(small, TO_ALL, ['wide', 'wide', 'narrow']);
  rejectAll(small, source);
  const after = small.restarted();
  expect(after.queue('source').readyCount).toBe(2);
  for (let i = 0; i < TARGETS; i++) expect(after.queue(`target${i}`).readyCount).toBe(1);
});

test('one that waits and cannot be looked at is set aside, and those behind it go on', () => {
  const small = new SmallBroker();
  const target = declareTargets(small).at(-1) as Queue;
  const source = declareSource(small, TO_ALL, ['wide', 'narrow', 'narrow']);
  const { vhost } = small;
  const deadLetter = vhost.deadLetter.bind(vhost);
  let letters = 0;
  vhost.deadLetter = (...args) => {
    letters += 1;
    if (letters === 2) throw new Error('it cannot be read');
    return deadLetter(...args);
  };
  rejectAll(small, source);
  turnsUntilQuiet(small);
  expect(bodiesIn(small, target)).toEqual(['0', '2']);
  expect(small.broker.core.setAside.count).toBe(1);
  expect(source.unackedCount).toBe(0);
});

test('messages that a full queue refuses go to very many queues in order, with what follows', () => {
  const small = new SmallBroker();
  const onward = { 'x-dead-letter-exchange': text(''), 'x-dead-letter-routing-key': text('end') };
  declareTargets(small, { ...REFUSING, ...onward });
  const end = small.declare('end');
  const { vhost } = small;
  const deadLetter = vhost.deadLetter.bind(vhost);
  const refusing: string[] = [];
  vhost.deadLetter = (queue, ...args) => {
    refusing.push(queue.name);
    return deadLetter(queue, ...args);
  };
  declareSource(small, { ...TO_ALL, ...REFUSING }, ['wide', 'narrow', 'wide']);
  expect(small.broker.core.sealable).toBe(false);
  expect(turnsUntilQuiet(small)).toBeGreaterThan(10);
  const expected = ['0', '1', '2'].flatMap((body) =>
    Array.from({ length: body === '1' ? 1 : TARGETS }, () => body),
  );
  expect(bodiesIn(small, end)).toEqual(expected);
  const all = Array.from({ length: TARGETS }, (_each, i) => `target${i}`);
  const last = all.at(-1);
  expect(refusing).toEqual(['source', ...all, 'source', last, 'source', ...all]);
  expect(small.broker.core.overflowDeadLetters.count).toBe(0);
  expect(wrong(small)).toBeNull();
});

test('more refusals than may wait are handed on at once, and none is lost', () => {
  const small = new SmallBroker();
  const target = declareTargets(small).at(-1) as Queue;
  const keys = ['wide', ...Array.from({ length: 1500 }, () => 'narrow'), 'wide'];
  declareSource(small, { ...TO_ALL, ...REFUSING }, keys);
  expect(small.broker.core.overflowDeadLetters.count).toBeLessThan(1100);
  turnsUntilQuiet(small);
  expect(bodiesIn(small, target)).toEqual(keys.map((_key, i) => `${i}`));
  expect(wrong(small)).toBeNull();
});
