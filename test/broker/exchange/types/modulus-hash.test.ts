import { expect, test } from 'vitest';
import { ModulusHashRouter } from '../../../../src/broker/exchange/types/modulus-hash.ts';
import { bind, routed } from '../support.ts';

const KEYS = Array.from({ length: 6_000 }, (_, i) => `k${i}`);

function countsOf(router: ModulusHashRouter<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of KEYS) {
    const [name, ...others] = routed(router, key);
    if (name === undefined || others.length > 0) throw new Error(`${key} goes to no one`);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

const routerOf = (...names: string[]): ModulusHashRouter<string> => {
  const router = new ModulusHashRouter<string>((name) => name);
  for (const name of names) router.add(bind(name, ''));
  return router;
};

test('each key goes to one destination, evenly', () => {
  const counts = countsOf(routerOf('q1', 'q2', 'q3'));
  for (const name of ['q1', 'q2', 'q3']) {
    expect(Math.abs((counts.get(name) ?? 0) - 2_000)).toBeLessThan(6 * Math.sqrt(6_000 * (2 / 9)));
  }
});

test('a destination with two bindings gets two shares, whatever the binding keys say', () => {
  const router = routerOf('q1', 'q2');
  const again = bind('q1', '9');
  router.add(again);
  expect((countsOf(router).get('q1') ?? 0) / KEYS.length).toBeCloseTo(2 / 3, 1);
  router.remove(again);
  expect(countsOf(router)).toEqual(countsOf(routerOf('q1', 'q2')));
});

test('the mapping does not depend on the order of binding', () => {
  const [one, other] = [routerOf('q1', 'q2', 'q3'), routerOf('q3', 'q1', 'q2')];
  for (const key of KEYS) expect(routed(other, key)).toEqual(routed(one, key));
});

test('without bindings a message goes nowhere', () => {
  const router = routerOf();
  const only = bind('q1');
  router.add(only);
  expect(routed(router, 'k')).toEqual(['q1']);
  router.remove(only);
  expect(routed(router, 'k')).toEqual([]);
  expect(router.size).toBe(0);
});
