// Owns the tests of when a server of NATS is tried again.
import { expect, test } from 'vitest';
import { Tries } from '../../../../src/store/replicated/nats/tries.ts';

class Clock {
  ms = 5000.5;
  wallMs(): number {
    return 0;
  }
  monotonicMs(): number {
    return this.ms;
  }
}

const [A, B] = [{ listen: 'a:4222' }, { listen: 'b:4222' }];

test('a server is tried at once, and again a while after it was', () => {
  const clock = new Clock();
  const tries = new Tries(clock);
  expect(tries.next([A, B])).toEqual({ server: A, delay: 0 });
  expect(tries.next([B, A])).toEqual({ server: B, delay: 0 });
  clock.ms += 100;
  expect(tries.next([A, B])).toEqual({ server: A, delay: 150 });
  // It waits for the try that is announced, and not for the one before.
  clock.ms += 150;
  expect(tries.next([A, B])).toEqual({ server: A, delay: 250 });
  clock.ms += 10_000;
  expect(tries.next([B, A])).toEqual({ server: B, delay: 0 });
});

test('what is no longer in the pool is forgotten, and an empty pool has none to try', () => {
  const tries = new Tries(new Clock());
  expect(tries.next([])).toBeNull();
  tries.next([A, B]);
  tries.next([B]);
  expect(tries.next([A, B])).toEqual({ server: A, delay: 0 });
});
