import { expect, test } from 'vitest';
import { InFlight } from '../../../../../src/broker/queue/stream/reading/in-flight.ts';
import { seeded } from '../../../exchange/random.ts';

test('the first that is out is the first, whatever behind it is settled', () => {
  const inFlight = new InFlight();
  for (const offset of [3, 5, 9]) inFlight.add(offset);
  expect([inFlight.settle(5), inFlight.first]).toEqual([false, 3]);
  expect([inFlight.settle(3), inFlight.first]).toEqual([true, 9]);
  expect([inFlight.settle(9), inFlight.first, inFlight.length]).toEqual([true, -1, 0]);
});

test('what is not out, or is settled twice, changes nothing', () => {
  const inFlight = new InFlight();
  expect(inFlight.settle(0)).toBe(false);
  for (const offset of [3, 5, 9]) inFlight.add(offset);
  for (const offset of [2, 4, 10, 9, 9]) expect(inFlight.settle(offset)).toBe(false);
  expect([inFlight.first, inFlight.length]).toEqual([3, 3]);
});

test('it is as a list of what is out, in any order of settling and of any length', () => {
  const random = seeded();
  for (let run = 0; run < 40; run++) {
    const inFlight = new InFlight();
    let out: number[] = [];
    let next = random.below(2) === 0 ? 0 : 2 ** 43;
    const most = 1 + random.below(100);
    for (let step = 0; step < 500; step++) {
      if (out.length < most && random.below(2) === 0) {
        next += 1 + random.below(3);
        inFlight.add(next);
        out.push(next);
      } else if (out.length > 0) {
        const offset = random.below(3) === 0 ? (out[0] as number) : random.pick(out);
        expect(inFlight.settle(offset)).toBe(offset === out[0]);
        out = out.filter((each) => each !== offset);
      }
      expect(inFlight.first).toBe(out[0] ?? -1);
      expect(inFlight.length === 0).toBe(out.length === 0);
    }
  }
});
