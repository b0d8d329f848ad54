// Owns the simulation of a group that reads a super stream while batches are under way, power fails, the broker restarts and
// retention comes by: a group goes on exactly where a durable batch has it. SEED=... plays one run again, SIMULATION_RUNS=...
// looks for longer.

import { expect, test } from 'vitest';
import { Random } from '../../amqp/random.ts';
import { TEST_TIMEOUT_MS } from '../../support/patience.ts';
import { runSimulation, runsMin, withSeed } from '../../support/simulation-runs.ts';
import { limitPages } from '../inspect.ts';
import { addPartition, GroupWorld } from './super-stream-world.ts';

const KEYS = Array.from({ length: 12 }, (_, n) => `user-${n}`);
const PAGE = 256;
const STEPS = 250;
const RUNS_MIN = runsMin(6);
const RUNS_MORE = 60;
const WORKERS_MAX = 4;

class CrashingGroup {
  readonly counts = { powerLosses: 0, restarts: 0, lost: 0, gone: 0, left: 0, given: 0 };
  private readonly world = new GroupWorld('g');
  private readonly random: Random;
  private readonly pagesMax: number;

  constructor(random: Random) {
    this.random = random;
    this.pagesMax = random.pick([1, 4_096]);
    const { world } = this;
    this.opened();
    const lengthMax = random.pick([Infinity, PAGE, PAGE + 90]);
    for (let number = 0; number < random.pick([1, 2, 5]); number++) {
      addPartition(world.small, number, lengthMax);
    }
    world.turn();
  }

  private opened(): void {
    limitPages(this.world.small.broker, this.pagesMax, 2);
  }

  step(): void {
    const { world, random, counts } = this;
    const worker = random.pick(world.workers);
    const dice = random.below(30);
    if (dice < 6) this.publish(random.below(5));
    else if (dice < 8) this.publish(random.below(300));
    else if (dice < 12) world.small.broker.core.deliver();
    else if (dice < 15) world.seal();
    else if (dice < 18) world.small.store.sync(random.below(3));
    else if (dice < 20) this.join();
    else if (dice === 28) this.powerLoss();
    else if (dice === 29 && random.below(3) === 0) this.restart();
    else if (worker === undefined) return;
    else if (dice < 25) {
      for (let n = random.below(worker.unacked.length + 1); n > 0; n--) {
        const at = random.below(random.pick([1, worker.unacked.length]));
        world.settle(worker, at, random.below(8) === 0 ? 'reject' : 'settle');
      }
    } else if (dice === 25) {
      world.leave(worker);
      counts.left += 1;
    } else if (dice === 26) world.crash(worker);
  }

  private publish(count: number): void {
    for (let n = 0; n < count; n++) this.world.publish(this.random.pick(KEYS));
  }

  private join(): void {
    if (this.world.workers.length < WORKERS_MAX) {
      this.world.join(this.random.pick([1, 3, 50, 400]));
    }
  }

  private get published(): number {
    return this.world.streams.reduce((sum, { entries }) => sum + entries.tail, 0);
  }

  private powerLoss(): void {
    this.checkOrder();
    const before = this.published;
    this.world.powerLoss();
    this.opened();
    this.counts.powerLosses += 1;
    this.counts.lost += before - this.published;
  }

  private restart(): void {
    this.checkOrder();
    this.world.restart();
    this.opened();
    this.counts.restarts += 1;
  }

  /** The messages of each key came in order. Those that retention took may be there again after a crash, and come then. */
  private checkOrder(): void {
    const { firsts } = this.world;
    for (const numbers of firsts.values()) {
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
    firsts.clear();
  }

  /** All that is kept comes to the group, in order for each key, and its places are at the end. */
  end(): void {
    const { world, counts } = this;
    world.drain();
    for (const { name, entries, places, unackedCount } of world.streams) {
      const settled = world.settledIn(name);
      for (let offset = entries.first; offset < entries.tail; offset++) {
        if (!settled.has(offset)) throw new Error(`${name} ${offset} never came`);
      }
      if (entries.tail > 0) expect(places.of('g')?.offset).toBe(entries.tail);
      expect(unackedCount).toBe(0);
      counts.gone += entries.first;
    }
    counts.given += world.deliveries;
    this.restart();
  }
}

function simulate(seed: number): Record<string, number> {
  let step = 0;
  const group = new CrashingGroup(new Random(seed));
  return withSeed(
    seed,
    () => step,
    () => {
      for (; step < STEPS; step++) group.step();
      group.end();
      return group.counts;
    },
  );
}

test(
  'a group goes on where a durable batch has it, and misses nothing that is kept',
  () => {
    runSimulation(RUNS_MIN, RUNS_MORE, simulate);
  },
  TEST_TIMEOUT_MS + RUNS_MIN * 2_000,
);
