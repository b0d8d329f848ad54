// Owns the tests of which publishes may be confirmed.

import { expect, test } from 'vitest';
import { Confirms } from '../../../../src/server/channel/publish/confirms.ts';
import { type Random, withSeed } from '../../../amqp/random.ts';

test('a publish that needs no batch is safe at once', () => {
  const confirms = new Confirms();
  confirms.addSafe();
  expect(confirms.due).toBe(true);
  expect(confirms.take()).toBe(1);
  expect(confirms.single).toBe(true);
  expect(confirms.due).toBe(false);
});

test('a publish that needs no batch waits for those before it', () => {
  const confirms = new Confirms();
  confirms.addWaiting(4);
  confirms.addSafe();
  expect(confirms.due).toBe(false);
  confirms.durable(3);
  expect(confirms.due).toBe(false);
  confirms.durable(4);
  expect(confirms.take()).toBe(2);
  expect(confirms.single).toBe(false);
  expect(confirms.waiting).toBe(false);
});

test('a refused publish is nacked at once and never acked by itself', () => {
  const confirms = new Confirms();
  confirms.addRefused();
  expect(confirms.due).toBe(true);
  expect(confirms.takeNack()).toBe(1);
  expect(confirms.takeNack()).toBe(0);
  expect(confirms.take()).toBe(0);
  expect(confirms.due).toBe(false);
  confirms.addWaiting(3);
  confirms.addRefused();
  expect(confirms.takeNack()).toBe(3);
  expect(confirms.due).toBe(false);
  confirms.durable(3);
  expect(confirms.take()).toBe(2);
  expect(confirms.single).toBe(true);
});

test('confirms are what a list of publishes and their batches says', () => {
  withSeed((random: Random) => {
    const confirms = new Confirms();
    /** The batch that each publish waits for; 0: none. */
    const batches: number[] = [];
    let batch = 1;
    let durable = 0;
    let sent = 0;
    const refused = new Set<number>();
    let nacks = 0;
    for (let n = 0; n < 3_000; n++) {
      const dice = random.below(10);
      if (dice < 3) {
        const refuse = random.below(3) === 0;
        if (refuse) refused.add(batches.length + 1);
        if (refuse) confirms.addRefused();
        else confirms.addSafe();
        // It is confirmed with the batch before it, which is the last that is not durable.
        const last = batches.at(-1) ?? 0;
        batches.push(last > durable ? last : 0);
      } else if (dice < 6) {
        confirms.addWaiting(batch);
        batches.push(batch);
      } else if (dice < 8) {
        batch += 1;
      } else {
        // Nothing waits for longer than the store allows; once in a while all becomes durable.
        durable = random.below(30) === 0 ? batch - 1 : durable + random.below(batch - durable);
        confirms.durable(durable);
      }
      let safe = sent;
      while (safe < batches.length && (batches[safe] as number) <= durable) safe += 1;
      expect(confirms.published).toBe(batches.length);
      expect(confirms.due).toBe(safe > sent || nacks < refused.size);
      expect(confirms.waiting).toBe(safe < batches.length);
      if (random.below(3) === 0 && confirms.due) {
        for (let tag = confirms.takeNack(); tag !== 0; tag = confirms.takeNack()) {
          expect([...refused][nacks]).toBe(tag);
          nacks += 1;
        }
        let upTo = safe;
        while (refused.has(upTo)) upTo -= 1;
        expect(confirms.take()).toBe(upTo > sent ? upTo : 0);
        if (upTo > sent) expect(confirms.single).toBe(upTo === sent + 1);
        sent = safe;
      }
    }
  });
});
