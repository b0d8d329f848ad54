// Owns the simulation of a vhost that moves: random publishes, deliveries, settlings, crashes, restarts and moves, compared
// with a small model. SEED=... plays one run again, SIMULATION_RUNS=... looks for longer.

import { expect, test } from 'vitest';
import { Random } from '../../amqp/random.ts';
import { TEST_TIMEOUT_MS } from '../../support/patience.ts';
import { runsMin } from '../../support/simulation-runs.ts';
import { randomStep } from '../steps.ts';
import { MovingWorld } from './moving-world.ts';

const RUNS_MIN = runsMin(8);
const RUNS_MORE = 60;
const SEED = process.env['SEED'];
/** So many steps lie between two moves, about. */
const STEPS_TO_MOVE = 50;

async function simulate(seed: number): Promise<MovingWorld> {
  const random = new Random(seed);
  const world = new MovingWorld(
    random.pick([1_400, 15_000, 65_536]),
    random.pick([1, 200_000]),
    random.pick([1, 6, 4_096]),
    random.pick([1, 3]),
    random.pick([0, 50_000]),
    random.bool(),
  );
  let step = 0;
  try {
    for (const steps = random.pick([60, 300]); step < steps; step++) {
      randomStep(world, random);
      if (random.below(STEPS_TO_MOVE) === 0) await world.move(random.pick([1_000, 30_000]));
    }
    world.drain();
    await world.move(30_000);
    world.drain();
    world.deleteStreams();
    return world;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`SEED=${seed}, step ${step}: ${reason}`, { cause });
  }
}

test(
  'queues and streams do what the model does, wherever their vhost goes',
  async () => {
    const first = Number(SEED ?? Math.floor(Math.random() * 2 ** 32));
    const totals = { moves: 0, waiting: 0, compacted: 0 };
    let runs = 0;
    const lacking = (): boolean => Object.values(totals).includes(0);
    do {
      const { moves, counts } = await simulate(first + runs);
      totals.moves += moves.moves;
      totals.waiting += moves.waiting;
      totals.compacted += counts.compacted;
      runs += 1;
    } while (SEED === undefined && (runs < RUNS_MIN || (lacking() && runs < RUNS_MIN + RUNS_MORE)));
    console.log(`${runs} runs from SEED=${first}:`, totals);
    if (SEED === undefined) expect(lacking()).toBe(false);
  },
  TEST_TIMEOUT_MS + RUNS_MIN * 2_000,
);
