import { expect, test } from 'vitest';
import { browse, fitsPattern } from '../../../../src/broker/view/browse/browse.ts';
import { QueueWalk } from '../../../../src/broker/view/browse/queue-walk.ts';
import { SmallBroker } from '../../small-broker.ts';

const CLOCK = { wallMs: () => 0, monotonicMs: () => 0 };
const ALL = { routingKey: null, header: null };

test('a star stands for any characters, and patterns take no longer than they are', () => {
  const fits: readonly (readonly [pattern: string, text: string, fits: boolean])[] = [
    ['a.b', 'a.b', true],
    ['a.b', 'a.bc', false],
    ['a.*', 'a.b.c', true],
    ['*.c', 'a.b.c', true],
    ['a*c', 'ac', true],
    ['a*a', 'a', false],
    ['*b*', 'abc', true],
    ['*b*d*', 'abcd', true],
    ['*d*b*', 'abcd', false],
    ['*', '', true],
  ];
  for (const [pattern, text, wanted] of fits) {
    expect(`${pattern} ${text} ${fitsPattern(pattern, text)}`).toBe(`${pattern} ${text} ${wanted}`);
  }
  expect(fitsPattern('*a'.repeat(2000), 'a'.repeat(1999))).toBe(false);
});

test('a walk goes on where it stopped, whatever was taken out meanwhile', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  for (let n = 0; n < 700; n++) {
    small.publish({ routingKey: 'q', properties: { deliveryMode: 2 } }, Buffer.from(`${n}`));
  }
  small.commit();
  const { log, time } = small.broker.core;
  const request = { filter: ALL, encoding: 'auto', truncate: 100 } as const;
  const first = browse(queue, log, CLOCK, time, { ...request, cursor: '', count: 300 });
  expect(first.messages.map(({ payload }) => Number(payload))).toEqual(
    Array.from({ length: 300 }, (_, n) => n),
  );
  // All of the first page and more is consumed; so is one that was not looked at yet.
  const given = small.consume(queue, 310);
  small.run();
  for (const { seq } of given.slice(0, 305)) queue.settle(seq);
  const rest = browse(queue, log, CLOCK, time, {
    ...request,
    cursor: first.next_cursor ?? '',
    count: 999,
  });
  expect(rest.messages.map(({ seq }) => seq)).toEqual(
    Array.from({ length: 395 }, (_, n) => 305 + n),
  );
  const states = rest.messages.map(({ state }) => state);
  expect(states.filter((state) => state === 'unacked').length).toBeGreaterThan(0);
  expect(states[394]).toBe('ready');
  expect(rest.next_cursor).toBeNull();
});

test('one call looks at so many messages at most', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  for (let n = 0; n < 2500; n++) small.publish({ routingKey: 'q' });
  const walk = new QueueWalk(queue, small.broker.core.log, CLOCK, '');
  walk.run(() => true);
  expect(walk.scanned).toBe(2000);
  const next = new QueueWalk(queue, small.broker.core.log, CLOCK, walk.cursor ?? '');
  next.run(() => true);
  expect([next.scanned, next.cursor]).toEqual([500, null]);
  let ms = 0;
  const slow = new QueueWalk(
    queue,
    small.broker.core.log,
    { wallMs: () => 0, monotonicMs: () => ms },
    '',
  );
  slow.run(() => {
    ms += 4;
    return true;
  });
  expect(slow.scanned).toBe(3);
});
