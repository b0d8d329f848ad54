// Owns the tests of keys in memory: finding them among many that come and go, and how many bytes each takes.

import { expect, test } from 'vitest';
import { KeyRows } from '../../../../src/broker/queue/duplicates/key-rows.ts';
import { SeenKeys } from '../../../../src/broker/queue/duplicates/seen-keys.ts';
import { withSeed } from '../../../amqp/random.ts';
import { ControlledStore, Disk } from '../../controlled-store.ts';

/** Keys that last until a time, which the test sets. */
function keysOf(keysMax: number): { keys: SeenKeys; time: { nowMs: number } } {
  const time = { nowMs: 0 };
  const owner = {
    ...({ keysId: 1, keysLast: 'time', keysMax } as const),
    get nowMs() {
      return time.nowMs;
    },
    lasts: (_lane: number, value: number) => value > time.nowMs,
    keysDirty: () => {},
    keysLeftBehind: () => {},
  };
  return { keys: new SeenKeys(owner, new KeyRows(new ControlledStore(new Disk()))), time };
}

/** Has the key of a number at hand. */
function at(keys: SeenKeys, n: number): SeenKeys {
  keys.key.read({ type: 'l', value: n });
  return keys;
}

test('whatever comes and goes, what is there is found, and nothing else', () => {
  withSeed((random) => {
    const { keys } = keysOf(Infinity);
    const there = new Set<number>();
    const most = 20_000;
    // It grows, is emptied in another order, and grows again.
    for (const chance of [0.9, 0.1, 0.9, 0.1]) {
      for (let n = 0; n < 30_000; n++) {
        const key = random.below(most);
        if (at(keys, key).has() !== there.has(key)) throw new Error(`key ${key} after ${n}`);
        if (random.next() < chance && !there.has(key)) {
          keys.add(0, Infinity, false);
          there.add(key);
        } else if (random.next() > chance && there.delete(key)) keys.forget(false);
      }
      expect(keys.count).toBe(there.size);
    }
    for (let key = 0; key < most; key++) expect(at(keys, key).has()).toBe(there.has(key));
    for (const key of there) at(keys, key).forget(false);
    expect(keys.count).toBe(0);
  });
});

/** The bytes of all typed arrays that an object holds. */
function bytesHeld(root: object): number {
  const seen = new Set<unknown>([root]);
  const todo: object[] = [root];
  let bytes = 0;
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    if (ArrayBuffer.isView(next)) {
      if (!seen.has(next.buffer)) bytes += next.buffer.byteLength;
      seen.add(next.buffer);
      continue;
    }
    for (const value of next instanceof Map ? next.values() : Object.values(next)) {
      if (typeof value !== 'object' || value === null || seen.has(value)) continue;
      seen.add(value);
      todo.push(value);
    }
  }
  return bytes;
}

test('a key takes less than 26 bytes, whatever there is of it', () => {
  const { keys } = keysOf(Infinity);
  let next = 0;
  // Parts are about to be divided, then they have been, and a little later.
  for (const count of [240_000, 300_000, 400_000]) {
    for (; next < count; next++) at(keys, next).add(0, 1e9, false);
    // 250 MiB are 26.2 bytes for each of ten million.
    expect(bytesHeld(keys) / count).toBeLessThan(26);
    expect(keys.count).toBe(count);
    expect(at(keys, count - 1).has()).toBe(true);
  }
});

test('with a size, there are never more keys, however long they last', () => {
  const { keys, time } = keysOf(5_000);
  for (let n = 0; n < 50_000; n++) {
    time.nowMs += 1;
    at(keys, n).add(0, time.nowMs + (n % 7 === 0 ? 1e9 : 1_000), false);
  }
  expect(keys.count).toBeLessThanOrEqual(5_000);
});
