import { expect, test } from 'vitest';
import { MatchSet } from '../../../src/broker/exchange/match-set.ts';
import { TopicRouter } from '../../../src/broker/exchange/types/topic.ts';
import { sealed } from './support.ts';

const queue = (name: string) => ({ name, visitMark: 0 });

test('a destination is in the list once, and not any more after clear', () => {
  const list = new MatchSet();
  const [q1, q2] = [queue('q1'), queue('q2')];
  expect(list.has(q1)).toBe(false);
  for (const q of [q1, q2, q1]) list.add(q);
  expect(list.items).toEqual([q1, q2]);
  expect(list.has(q1)).toBe(true);
  list.clear();
  expect(list.length).toBe(0);
  expect(list.has(q1)).toBe(false);
  list.add(q1);
  expect(list.items).toEqual([q1]);
});

test('what one list found is new to the next', () => {
  const [first, second] = [new MatchSet(), new MatchSet()];
  const q1 = queue('q1');
  first.add(q1);
  second.add(q1);
  expect(second.items).toEqual([q1]);
  first.clear();
  first.add(q1);
  expect(first.items).toEqual([q1]);
});

test('a router writes into it as it would into a Set', () => {
  const router = new TopicRouter<{ visitMark: number }>();
  const q1 = queue('q1');
  for (const bindingKey of ['a.*', '#']) {
    router.add({ destination: q1, bindingKey, arguments: new Map() });
  }
  const list = new MatchSet();
  for (let i = 0; i < 2; i++) {
    list.clear();
    router.route('a.b', sealed, list);
    expect(list.items).toEqual([q1]);
  }
});
