import { expect, test } from 'vitest';
import { DirectRouter } from '../../../../src/broker/exchange/types/direct.ts';
import { bind, routed } from '../support.ts';

test('a message goes to every destination bound with its key and to no other', () => {
  const router = new DirectRouter<string>();
  router.add(bind('q1', 'red'));
  router.add(bind('q2', 'red'));
  router.add(bind('q3', 'blue'));
  router.add(bind('q4', ''));
  expect(routed(router, 'red')).toEqual(['q1', 'q2']);
  expect(routed(router, 'blue')).toEqual(['q3']);
  expect(routed(router, '')).toEqual(['q4']);
  expect(routed(router, 'green')).toEqual([]);
});

test('wildcards mean nothing to a direct exchange', () => {
  const router = new DirectRouter<string>();
  router.add(bind('q1', '#'));
  expect(routed(router, 'red')).toEqual([]);
  expect(routed(router, '#')).toEqual(['q1']);
});

test('a destination bound twice with one key stays until both bindings are gone', () => {
  const router = new DirectRouter<string>();
  const first = bind('q1', 'red');
  const second = bind('q1', 'red');
  router.add(first);
  router.add(second);
  expect(routed(router, 'red')).toEqual(['q1']);
  router.remove(first);
  expect(routed(router, 'red')).toEqual(['q1']);
  router.remove(second);
  expect(routed(router, 'red')).toEqual([]);
  expect(router.size).toBe(0);
});

test('removing a binding that was never added is a bug', () => {
  const router = new DirectRouter<string>();
  router.add(bind('q1', 'red'));
  expect(() => router.remove(bind('q2', 'red'))).toThrow(/as often as it was added/);
  expect(() => router.remove(bind('q1', 'blue'))).toThrow(/was added before/);
});
