// Owns the tests of the mark below which a restarted queue calls its messages redelivered.

import { expect, test } from 'vitest';
import { DeliveredMark } from '../../../../src/broker/queue/messages/delivered-mark.ts';
import { type Random, withSeed } from '../../../amqp/random.ts';

test('a message that no batch holds yet goes out at once', () => {
  const mark = new DeliveredMark(true);
  expect(mark.mayDeliver(0)).toBe(true);
  mark.seal(1, 0, 5, false);
  expect(mark.mayDeliver(5)).toBe(true);
});

test('a message that a batch holds waits until the mark above it is durable', () => {
  const mark = new DeliveredMark(true);
  mark.seal(1, 0, 5, false);
  expect(mark.mayDeliver(0)).toBe(false);
  mark.wanted = true;
  expect(mark.seal(2, 0, 5, false), 'the mark moves').toBe(true);
  expect(mark.mayDeliver(0), 'sealed, but not durable').toBe(false);
  expect(mark.durableUpTo(1)).toBe(false);
  expect(mark.durableUpTo(2), 'somebody waits').toBe(true);
  expect(mark.mayDeliver(0)).toBe(true);
});

test('messages that waited elsewhere go out batch by batch, as these become durable', () => {
  const mark = new DeliveredMark(true);
  mark.seal(1, 0, 5, false);
  mark.wanted = true;
  mark.seal(2, 0, 5, false);
  mark.durableUpTo(2);
  mark.waitUntilDurable(5);
  expect([4, 5, 6].map((seq) => mark.mayDeliver(seq))).toEqual([true, false, false]);
  mark.wanted = true;
  mark.seal(3, 5, 6, false);
  mark.waitUntilDurable(6);
  expect([5, 6].map((seq) => mark.mayDeliver(seq))).toEqual([false, false]);
  expect(mark.durableUpTo(3)).toBe(true);
  expect([5, 6].map((seq) => mark.mayDeliver(seq))).toEqual([true, false]);
  mark.wanted = true;
  mark.seal(4, 6, 7, false);
  mark.durableUpTo(4);
  expect([6, 7].map((seq) => mark.mayDeliver(seq))).toEqual([true, true]);
});

test('the batch that seals a delivered message marks it, unless nothing of it is left', () => {
  const gone = new DeliveredMark(true);
  expect(gone.seal(1, 3, 3, false)).toBe(false);
  const held = new DeliveredMark(true);
  expect(held.seal(1, 3, 3, true)).toBe(true);
  expect(held.sealed).toBeGreaterThanOrEqual(3);
});

test('the mark runs ahead of a backlog twice as far each time, and not past a bound', () => {
  const mark = new DeliveredMark(true);
  mark.seal(1, 0, 10_000_000, false);
  let cursor = 0;
  const steps: number[] = [];
  for (let batch = 2; batch < 40; batch++) {
    mark.wanted = true;
    mark.seal(batch, cursor, 10_000_000, true);
    mark.durableUpTo(batch);
    steps.push(mark.sealed - cursor);
    cursor = mark.sealed;
  }
  expect(steps.slice(0, 5)).toEqual([129, 257, 513, 1_025, 2_049]);
  expect(Math.max(...steps)).toBe(65_537);
});

test('a queue that no restart brings back has no mark', () => {
  const mark = new DeliveredMark(false);
  expect(mark.seal(1, 3, 5, true)).toBe(false);
  expect(mark.sealExact(3)).toBe(false);
});

test('a clean stop sets the mark to what was delivered, although somebody waited for more', () => {
  const mark = new DeliveredMark(true);
  mark.seal(1, 0, 100, false);
  mark.wanted = true;
  mark.seal(2, 0, 100, false);
  mark.durableUpTo(2);
  mark.wanted = true;
  expect(mark.sealExact(1)).toBe(true);
  expect(mark.seal(3, 1, 100, true), 'the last batch leaves it there').toBe(false);
  expect(mark.sealed).toBe(1);
});

test('a clean stop keeps what an earlier crash left in doubt', () => {
  const mark = new DeliveredMark(true);
  mark.recover(50);
  expect(mark.redeliveredBelow).toBe(50);
  mark.sealExact(10);
  expect(mark.sealed).toBe(50);
  mark.recover(50);
  mark.sealExact(70);
  expect(mark.sealed).toBe(70);
});

test('whatever is crashed when, a durable mark covers each stored message that went out', () => {
  withSeed((random: Random) => {
    for (let run = 0; run < 50; run++) {
      const mark = new DeliveredMark(true);
      /** The mark and the messages that the disk has after each batch. */
      const batches: { mark: number; tail: number }[] = [{ mark: 0, tail: 0 }];
      let durable = 0;
      let cursor = 0;
      let tail = 0;
      for (let n = 0; n < 300; n++) {
        const dice = random.below(10);
        if (dice < 3) tail += random.below(10);
        else if (dice < 7) {
          while (cursor < tail && random.below(10) > 0) {
            if (!mark.mayDeliver(cursor)) {
              mark.wanted = true;
              break;
            }
            cursor += 1;
          }
        } else if (dice < 9) {
          mark.seal(batches.length, cursor, tail, cursor > 0);
          batches.push({ mark: mark.sealed, tail });
        } else {
          durable = Math.min(batches.length - 1, durable + random.below(3));
          mark.durableUpTo(durable);
        }
        // Consumers left, and others come later.
        if (random.below(20) === 0) {
          mark.sealExact(cursor);
          batches.push({ mark: mark.sealed, tail: batches.at(-1)?.tail ?? 0 });
        }
        // A crash now brings back the messages of the last durable batch.
        const back = batches[durable] as { mark: number; tail: number };
        expect(back.mark).toBeGreaterThanOrEqual(Math.min(cursor, back.tail));
      }
    }
  });
});
