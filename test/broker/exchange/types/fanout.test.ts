import { expect, test } from 'vitest';
import { FanoutRouter } from '../../../../src/broker/exchange/types/fanout.ts';
import { bind, routed } from '../support.ts';

test('a message goes to every destination whatever the keys', () => {
  const router = new FanoutRouter<string>();
  router.add(bind('q1', 'red'));
  router.add(bind('q2'));
  expect(routed(router, 'blue')).toEqual(['q1', 'q2']);
});

test('a destination bound with two keys stays until both bindings are gone', () => {
  const router = new FanoutRouter<string>();
  const red = bind('q1', 'red');
  const blue = bind('q1', 'blue');
  router.add(red);
  router.add(blue);
  router.remove(red);
  expect(routed(router, '')).toEqual(['q1']);
  router.remove(blue);
  expect(routed(router, '')).toEqual([]);
  expect(router.size).toBe(0);
});
