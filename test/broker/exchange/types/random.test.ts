import { expect, test } from 'vitest';
import { RandomRouter } from '../../../../src/broker/exchange/types/random.ts';
import { bind, routed } from '../support.ts';

test('a message goes over the binding that the number falls on', () => {
  const numbers = [0, 0.33, 0.34, 0.66, 0.67, 0.999999];
  const router = new RandomRouter<string>(() => numbers.shift() ?? 0);
  for (const name of ['q1', 'q2', 'q3']) router.add(bind(name));
  const places = Array.from({ length: 6 }, () => routed(router, 'same')[0]);
  expect(places).toEqual(['q1', 'q1', 'q2', 'q2', 'q3', 'q3']);
});

test('bindings that are gone are not drawn, and without any a message goes nowhere', () => {
  let number = 0;
  const router = new RandomRouter<string>(() => number);
  const bindings = ['q1', 'q2', 'q3'].map((name) => bind(name));
  for (const binding of bindings) router.add(binding);
  router.remove(bindings[0] as (typeof bindings)[0]);
  expect(routed(router, '')).toEqual(['q3']);
  number = 0.5;
  expect(routed(router, '')).toEqual(['q2']);
  for (const binding of bindings.slice(1)) router.remove(binding);
  expect(routed(router, '')).toEqual([]);
  expect(router.size).toBe(0);
});
