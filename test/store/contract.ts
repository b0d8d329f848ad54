// Owns the behaviour every storage engine must show. Never knows which engine it is looking at.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../src/store/port.ts';

const T = 7;
const NEXT = 8;
const LOW: Buffer = Buffer.alloc(0);
const HIGH: Buffer = Buffer.alloc(8, 0xff);

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

const number = (value: number): Buffer => {
  const key = Buffer.alloc(4);
  key.writeUInt32BE(value);
  return key;
};

const textOf = (store: Store, key: string, table = T): string | null =>
  store.get(table, bytes(key))?.toString('latin1') ?? null;

const keysOf = (store: Store, from = LOW, to = HIGH, table = T): string[] =>
  [...store.keys(table, from, to)].map((key) => key.toString('latin1'));

/** Resolves when the store has reported the batch as durable. Sets the store's listener. */
export function durable(store: Store, batch: number): Promise<void> {
  return new Promise((resolve, reject) => {
    store.onFailure(reject);
    store.onDurable((upTo) => {
      if (upTo >= batch) resolve();
    });
  });
}

/** Seals the batch being gathered and waits until it is durable. */
export function commit(store: Store): Promise<void> {
  const done = durable(store, store.batch);
  store.seal();
  return done;
}

/** The whole behaviour of the port; `open` must give an empty store each time. */
export function storeContract(name: string, open: () => Promise<Store>): void {
  describe(`${name}, as a store`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(() => store.close().catch(() => undefined));

    describe('reading and writing', () => {
      it('gives back what was put, and null for what was not', async () => {
        store.put(T, bytes('a'), bytes('one'));
        store.put(NEXT, bytes('a'), bytes('other table'));
        await commit(store);
        expect(textOf(store, 'a')).toBe('one');
        expect(textOf(store, 'a', NEXT)).toBe('other table');
        expect(store.get(T, bytes('b'))).toBeNull();
        expect(store.get(9, bytes('a'))).toBeNull();
      });

      it('keeps values of every size whole, the empty one included', async () => {
        const sizes = [0, 1, 200, 1500, 2048, 4096, 32_767, 32_769, 65_536, 1_000_000, 8 << 20];
        const values = sizes.map((size, i) => Buffer.alloc(size, i + 1));
        values.forEach((value, i) => {
          store.put(T, number(i), value);
        });
        await commit(store);
        values.forEach((value, i) => {
          expect(store.get(T, number(i))?.equals(value)).toBe(true);
        });
        const rows = [...store.range(T, LOW, HIGH)];
        expect(rows.map((row) => row.value.length)).toEqual(sizes);
        expect(rows.every((row, i) => row.value.equals(values[i] as Buffer))).toBe(true);
      });

      it('takes keys from no byte to 1,024 bytes', async () => {
        const keys = [LOW, Buffer.alloc(1), Buffer.alloc(2), Buffer.alloc(1024, 1)];
        keys.forEach((key, i) => {
          store.put(T, key, number(i));
        });
        await commit(store);
        keys.forEach((key, i) => {
          expect(store.get(T, key)).toEqual(number(i));
        });
        expect([...store.keys(T, LOW, HIGH)]).toEqual(keys);
        expect(() => store.put(T, Buffer.alloc(1025), LOW)).toThrow('too long');
        expect(() => store.put(0, LOW, LOW)).toThrow('table');
        expect(() => store.put(256, LOW, LOW)).toThrow('table');
      });

      it('hands out copies of its own', async () => {
        for (const size of [100, 40_000]) {
          const key = number(size);
          store.put(T, key, Buffer.alloc(size, 1));
          await commit(store);
          store.get(T, key)?.fill(9);
          const first = store.get(T, key) as Buffer;
          expect(first.equals(Buffer.alloc(size, 1))).toBe(true);
          for (const row of store.range(T, key, HIGH)) row.value.fill(9);
          store.put(T, key, Buffer.alloc(size, 2));
          await commit(store);
          expect(store.get(T, key)?.equals(Buffer.alloc(size, 2))).toBe(true);
          expect(first.equals(Buffer.alloc(size, 1))).toBe(true);
        }
      });

      it('does not need the buffers it was given once their batch is readable', async () => {
        const key = bytes('a');
        const value = bytes('one');
        store.put(T, key, value);
        const told: string[] = [];
        store.onDurable((upTo) => told.push(`durable ${upTo}`));
        await new Promise<void>((resolve) => {
          store.onReadable((upTo) => {
            told.push(`readable ${upTo}`);
            resolve();
          });
          store.seal();
        });
        expect(told).toEqual(['durable 1', 'readable 1']);
        key.fill(0);
        value.fill(0);
        expect(textOf(store, 'a')).toBe('one');
        expect(keysOf(store)).toEqual(['a']);
      });

      it('takes no harm from removing a key that is not there', async () => {
        store.put(T, bytes('a'), bytes('one'));
        store.remove(T, bytes('nobody'));
        await commit(store);
        expect(keysOf(store)).toEqual(['a']);
      });

      it('lets the last change of a key within a batch win', async () => {
        store.put(T, bytes('a'), bytes('1'));
        store.put(T, bytes('a'), bytes('2'));
        store.put(T, bytes('b'), bytes('1'));
        store.remove(T, bytes('b'));
        store.remove(T, bytes('c'));
        store.put(T, bytes('c'), bytes('1'));
        await commit(store);
        expect(textOf(store, 'a')).toBe('2');
        expect(keysOf(store)).toEqual(['a', 'c']);
      });
    });

    describe('ranges', () => {
      it('are in the order of unsigned bytes, from included, to excluded', async () => {
        const names = [
          '\x00',
          '\x00\x00',
          '\x01',
          'a',
          'ab',
          'b',
          '\x7f',
          '\x80',
          '\xff',
          '\xff\xff',
        ];
        for (const name of [...names].reverse()) store.put(T, bytes(name), bytes(name));
        store.put(NEXT, bytes('a'), LOW);
        store.put(T - 1, bytes('z'), LOW);
        await commit(store);
        expect(keysOf(store)).toEqual(names);
        expect(keysOf(store, bytes('a'), bytes('b'))).toEqual(['a', 'ab']);
        expect(keysOf(store, bytes('aa'), bytes('\x80'))).toEqual(['ab', 'b', '\x7f']);
        expect(keysOf(store, bytes('b'), bytes('a'))).toEqual([]);
        expect(keysOf(store, bytes('a'), bytes('a'))).toEqual([]);
        const rows = [...store.range(T, bytes('a'), bytes('\x80'))];
        expect(rows.map((row) => row.key.toString('latin1'))).toEqual(['a', 'ab', 'b', '\x7f']);
        expect(rows.map((row) => row.value.toString('latin1'))).toEqual(['a', 'ab', 'b', '\x7f']);
      });

      it('reach over many steps of reading and may be left early', async () => {
        for (let i = 0; i < 2500; i += 1) store.put(T, number(i), number(i));
        await commit(store);
        const keys = [...store.keys(T, number(3), HIGH)];
        expect(keys.length).toBe(2497);
        expect(keys.every((key, i) => key.readUInt32BE() === i + 3)).toBe(true);
        const rows = [...store.range(T, LOW, number(1600))];
        expect(rows.length).toBe(1600);
        expect(rows.every((row, i) => row.value.readUInt32BE() === i)).toBe(true);
        for (const row of store.range(T, LOW, HIGH)) {
          if (row.key.readUInt32BE() === 20) break;
        }
        expect([...store.keys(T, number(2499), HIGH)].length).toBe(1);
      });

      it('can be read while other tables are read and the store is written', async () => {
        for (let i = 0; i < 1200; i += 1) {
          store.put(T, number(i), number(i));
          store.put(NEXT, number(i), number(i + 1));
        }
        await commit(store);
        let seen = 0;
        for (const row of store.range(T, LOW, HIGH)) {
          expect(row.key.readUInt32BE()).toBe(seen);
          expect(store.get(NEXT, row.key)?.readUInt32BE()).toBe(seen + 1);
          seen += 1;
          if (seen % 400 === 0 && seen < 1200) {
            store.remove(T, number(seen - 1));
            store.remove(T, number(seen));
            store.put(T, number(seen), number(seen));
            await commit(store);
          }
        }
        expect(seen).toBe(1200);
      });
    });

    describe('removing ranges', () => {
      it('removes what is durable within, and nothing beside', async () => {
        for (let i = 0; i < 1500; i += 1) store.put(T, number(i), LOW);
        store.put(NEXT, number(700), LOW);
        await commit(store);
        store.removeRange(T, number(100), number(1400));
        await commit(store);
        expect([...store.keys(T, LOW, HIGH)].length).toBe(200);
        expect(store.get(T, number(99))).not.toBeNull();
        expect(store.get(T, number(100))).toBeNull();
        expect(store.get(T, number(1400))).not.toBeNull();
        expect(store.get(NEXT, number(700))).not.toBeNull();
      });

      it('removes what the same batch put before, and keeps what it puts after', async () => {
        store.put(T, bytes('b'), bytes('durable'));
        await commit(store);
        store.put(T, bytes('a'), bytes('outside'));
        store.put(T, bytes('c'), bytes('before'));
        store.put(T, bytes('d'), bytes('before'));
        store.put(NEXT, bytes('c'), bytes('other table'));
        store.removeRange(T, bytes('b'), bytes('x'));
        store.put(T, bytes('d'), bytes('after'));
        store.put(T, bytes('e'), bytes('after'));
        await commit(store);
        expect(keysOf(store)).toEqual(['a', 'd', 'e']);
        expect(textOf(store, 'd')).toBe('after');
        expect(keysOf(store, LOW, HIGH, NEXT)).toEqual(['c']);
      });

      it('removes what earlier, unfinished batches put', async () => {
        store.put(T, bytes('a'), LOW);
        store.seal();
        store.put(T, bytes('b'), LOW);
        store.seal();
        store.put(T, bytes('c'), LOW);
        store.removeRange(T, bytes('a'), bytes('z'));
        store.put(T, bytes('d'), LOW);
        store.seal();
        store.put(T, bytes('e'), LOW);
        await commit(store);
        expect(keysOf(store)).toEqual(['d', 'e']);
      });

      it('holds for several ranges among other changes of one batch', async () => {
        for (const name of ['a1', 'b1', 'c1']) store.put(T, bytes(name), LOW);
        await commit(store);
        store.put(T, bytes('a2'), LOW);
        store.removeRange(T, bytes('a'), bytes('b'));
        store.put(T, bytes('a3'), LOW);
        store.put(T, bytes('b2'), LOW);
        store.removeRange(T, bytes('b'), bytes('c'));
        store.removeRange(T, bytes('a3'), bytes('a4'));
        store.put(T, bytes('b3'), LOW);
        store.remove(T, bytes('c1'));
        await commit(store);
        expect(keysOf(store)).toEqual(['b3']);
      });
    });

    describe('batches', () => {
      it('are numbered from one, and tell whether they hold a change', async () => {
        expect(store.batch).toBe(1);
        expect(store.dirty).toBe(false);
        expect(store.busy).toBe(false);
        store.remove(T, bytes('a'));
        expect(store.dirty).toBe(true);
        const done = durable(store, 1);
        expect(store.seal()).toBe(1);
        expect(store.batch).toBe(2);
        expect(store.dirty).toBe(false);
        expect(store.busy).toBe(true);
        await done;
        expect(store.busy).toBe(false);
        store.removeRange(T, bytes('a'), bytes('b'));
        expect(store.dirty).toBe(true);
      });

      it('are read only when they are durable', async () => {
        store.put(T, bytes('a'), bytes('1'));
        expect(store.get(T, bytes('a'))).toBeNull();
        const done = durable(store, 1);
        store.seal();
        expect(store.get(T, bytes('a'))).toBeNull();
        expect(keysOf(store)).toEqual([]);
        await done;
        expect(textOf(store, 'a')).toBe('1');
      });

      it('become durable in order, each reported once, never within a call', async () => {
        const reports: number[] = [];
        let inside = false;
        let insideReports = 0;
        const all = new Promise<void>((resolve) => {
          store.onDurable((upTo) => {
            if (inside) insideReports += 1;
            reports.push(upTo);
            for (let i = 1; i <= upTo; i += 1) expect(store.get(T, number(i))).not.toBeNull();
            if (upTo === 40) resolve();
          });
        });
        for (let i = 1; i <= 40; i += 1) {
          inside = true;
          store.put(T, number(i), Buffer.alloc(5000, i));
          expect(store.seal()).toBe(i);
          store.get(T, number(i));
          inside = false;
          if (i % 7 === 0) await new Promise(setImmediate);
        }
        await all;
        expect(insideReports).toBe(0);
        expect(reports).toEqual([...new Set(reports)].sort((a, b) => a - b));
        expect(store.busy).toBe(false);
      });

      it('become durable without a change too, after all before them', async () => {
        let reported = 0;
        store.onDurable((upTo) => {
          reported = upTo;
        });
        store.seal();
        expect(reported).toBe(0);
        expect(store.busy).toBe(true);
        await durable(store, 1);
        store.put(T, bytes('a'), LOW);
        store.seal();
        store.seal();
        const done = durable(store, 4);
        store.seal();
        await done;
        expect(store.get(T, bytes('a'))).not.toBeNull();
        expect(store.busy).toBe(false);
      });

      it('can be sealed by the listener, from within a report', async () => {
        const last = new Promise<void>((resolve) => {
          store.onDurable((upTo) => {
            if (upTo >= 30) {
              resolve();
              return;
            }
            store.put(T, bytes('n'), number(upTo));
            store.seal();
          });
        });
        store.seal();
        await last;
        expect(store.get(T, bytes('n'))).toEqual(number(29));
      });

      it('hold thousands of changes', async () => {
        for (let i = 0; i < 20_000; i += 1) store.put(T, number(i), number(i));
        await commit(store);
        for (let i = 0; i < 20_000; i += 2) store.remove(T, number(i));
        await commit(store);
        const keys = [...store.keys(T, LOW, HIGH)];
        expect(keys.length).toBe(10_000);
        expect(keys.every((key, i) => key.readUInt32BE() === 2 * i + 1)).toBe(true);
      });

      it('agree with a simple model through seeded random changes', async () => {
        const seed = Math.floor(Math.random() * 2 ** 31);
        await compareWithModel(store, seed).catch((cause: unknown) => {
          throw new Error(`the store differs from the model with seed ${seed}`, { cause });
        });
      });
    });

    describe('closing', () => {
      it('seals what is gathered and waits until it is durable', async () => {
        let reported = 0;
        store.onDurable((upTo) => {
          reported = upTo;
        });
        store.put(T, bytes('a'), LOW);
        store.seal();
        store.put(T, bytes('b'), LOW);
        await Promise.all([store.close(), store.close()]);
        expect(reported).toBe(2);
      });

      it('forgets what is gathered when that is not to be kept, and finishes what is sealed', async () => {
        let reported = 0;
        store.onDurable((upTo) => {
          reported = upTo;
        });
        store.put(T, bytes('a'), LOW);
        store.seal();
        store.put(T, bytes('b'), LOW);
        await store.close(false);
        expect(reported).toBe(1);
        expect(store.dirty).toBe(false);
      });

      it('takes no changes afterwards, and may be repeated', async () => {
        await store.close();
        await store.close();
        expect(() => store.put(T, LOW, LOW)).toThrow('closed');
        expect(() => store.seal()).toThrow('closed');
        expect(() => store.removeRange(T, LOW, HIGH)).toThrow('closed');
      });
    });
  });
}

/** Makes random changes in random batches, and compares store and model after each group of them. */
async function compareWithModel(store: Store, seed: number): Promise<void> {
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
  const model = new Map<number, number>();
  for (let round = 0; round < 40; round += 1) {
    for (let batches = random(5); batches >= 0; batches -= 1) {
      for (let changes = random(30); changes > 0; changes -= 1) {
        const key = random(200);
        const kind = random(10);
        if (kind < 6) {
          const value = random(1000);
          model.set(key, value);
          store.put(T, number(key), number(value));
        } else if (kind < 9) {
          model.delete(key);
          store.remove(T, number(key));
        } else {
          const end = key + random(30);
          for (let i = key; i < end; i += 1) model.delete(i);
          store.removeRange(T, number(key), number(end));
        }
      }
      if (batches > 0) store.seal();
    }
    await commit(store);
    const rows = [...store.range(T, LOW, HIGH)];
    const got = rows.map((row) => [row.key.readUInt32BE(), row.value.readUInt32BE()]);
    expect(got).toEqual([...model].sort((a, b) => a[0] - b[0]));
  }
}
