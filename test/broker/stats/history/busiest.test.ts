import { expect, test } from 'vitest';
import {
  type Active,
  type Activity,
  Busiest,
} from '../../../../src/broker/stats/history/busiest.ts';
import {
  BROKER_FIELDS,
  QUEUE_FIELDS,
  QUEUES_KEPT,
  VHOST_FIELDS,
  VHOSTS_KEPT,
} from '../../../../src/broker/stats/history/history.ts';
import { Series } from '../../../../src/broker/stats/history/series.ts';

interface Thing extends Active {
  readonly pace: number;
  done: number;
}

const FIELDS = [{ name: 'done', counter: true }];
const START = 1_795_910_400_000;

class Rounds {
  readonly busiest: Busiest;
  private ms = START;

  constructor(max: number) {
    this.busiest = new Busiest(FIELDS, max);
  }

  /** Shows these things in so many rounds, in which they work at their pace. */
  go(things: readonly Thing[], rounds: number): void {
    for (let n = 0; n < rounds; n++) {
      this.busiest.begin(this.ms);
      for (const thing of things) {
        thing.done += thing.pace;
        this.busiest.take(thing, thing.done, [thing.done]);
      }
      this.busiest.end();
      this.ms += 5000;
    }
  }

  past(thing: Thing): number[] | null {
    return thing.activity?.series?.points(['done'], this.ms - 20_000, this.ms - 5000, 5000) ?? null;
  }
}

const thing = (pace: number, done = 0): Thing => ({ pace, done, activity: null });

const isKept = ({ activity }: Thing): boolean => (activity?.series ?? null) !== null;

test('what is new has a past from nothing on, what was there before from what it had', () => {
  const rounds = new Rounds(10);
  const old = thing(1, 100);
  rounds.go([old], 2);
  const young = thing(5);
  rounds.go([old, young], 1);
  expect(rounds.past(old)).toEqual([103, 102, 101, 101]);
  expect(rounds.past(young)).toEqual([5, 0, 0, 0]);
});

test('a busier thing takes the place of the quietest, and one burst does not', () => {
  const rounds = new Rounds(2);
  const [quiet, busy] = [thing(1), thing(100)];
  rounds.go([quiet, busy], 200);
  const burst = thing(0, 40);
  rounds.go([quiet, busy, burst], 20);
  expect([quiet, busy, burst].map((each) => isKept(each))).toEqual([true, true, false]);
  const busier = thing(50);
  rounds.go([quiet, busy, burst, busier], 20);
  expect([quiet, busy, busier].map((each) => isKept(each))).toEqual([false, true, true]);
  // What comes in late knows nothing of before, and does not pretend.
  expect(rounds.past(busier)).toEqual([
    busier.done,
    busier.done - 50,
    busier.done - 100,
    busier.done - 150,
  ]);
});

test('things of the same pace do not change places', () => {
  const rounds = new Rounds(3);
  const things = Array.from({ length: 9 }, () => thing(10));
  rounds.go(things, 300);
  expect(things.map((each) => isKept(each))).toEqual(things.map((_, i) => i < 3));
});

test('what is gone makes room', () => {
  const rounds = new Rounds(1);
  const [first, second] = [thing(10), thing(1)];
  rounds.go([first, second], 5);
  rounds.go([second], 2);
  expect([isKept(first), rounds.busiest.count]).toEqual([false, 1]);
  expect(isKept(second)).toBe(true);
});

test('where all that is kept grew busier in a round, it is looked through once, not for each of the others', () => {
  const rounds = new Rounds(3);
  const kept = Array.from({ length: 3 }, () => thing(10));
  const others = Array.from({ length: 100 }, () => thing(12));
  rounds.go([...kept, ...others], 200);
  expect(kept.every(isKept)).toBe(true);
  for (const each of kept) each.done += 100_000;
  for (const each of others) each.done += 1000;
  const activity = (kept[0] as Thing).activity as Activity;
  let { pace } = activity;
  let looks = 0;
  Object.defineProperty(activity, 'pace', {
    get: () => {
      looks += 1;
      return pace;
    },
    set: (value: number) => {
      pace = value;
    },
  });
  rounds.go([...kept, ...others], 1);
  expect(kept.every(isKept)).toBe(true);
  // Its own turn, one look for the others, and the end of the round.
  expect(looks).toBeLessThan(10);
});

test('the memory has a bound, which is what docs/http-api.md says', () => {
  const all = (fields: typeof QUEUE_FIELDS, wide: boolean): number => {
    const series = new Series(
      fields,
      fields.map(() => 0),
      wide,
    );
    series.take(
      START,
      fields.map(() => 1),
    );
    return series.bytes;
  };
  expect({
    queue: all(QUEUE_FIELDS, false),
    queues: QUEUES_KEPT * all(QUEUE_FIELDS, false),
    vhosts: VHOSTS_KEPT * all(VHOST_FIELDS, false),
    broker: all(BROKER_FIELDS, true),
  }).toMatchInlineSnapshot(`
    {
      "broker": 709136,
      "queue": 138368,
      "queues": 69184000,
      "vhosts": 9080400,
    }
  `);
});
