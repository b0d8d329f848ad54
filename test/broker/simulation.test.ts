// Owns the simulation: random publishes, deliveries, settlings, crashes and restarts, compared with
// a small model. SEED=... plays one run again, SIMULATION_RUNS=... looks for longer.

import { test } from 'vitest';
import { Random } from '../amqp/random.ts';
import { TEST_TIMEOUT_MS } from '../support/patience.ts';
import { runSimulation, runsMin, withSeed } from '../support/simulation-runs.ts';
import { randomStep } from './steps.ts';
import { World } from './world.ts';

/** Short runs see a queue's first batches, long ones its backlog and its pages. */
const STEPS = [40, 400];
const RUNS_MIN = runsMin(12);
const RUNS_MORE = 300;

function simulate(seed: number): World {
  const random = new Random(seed);
  // Short chunks are copied into shared segments, long ones become segments.
  const chunkBytesMax = random.pick([1_400, 15_000, 65_536]);
  const residentBytesMax = random.pick([1, 1, 200_000, 1_000_000]);
  const world = new World(
    chunkBytesMax,
    residentBytesMax,
    random.pick([1, 6, 4_096]),
    random.pick([1, 3, 256]),
    random.pick([0, 0, 50_000]),
    random.bool(),
  );
  let step = 0;
  return withSeed(
    seed,
    () => step,
    () => {
      for (const steps = random.pick(STEPS); step < steps; step++) randomStep(world, random);
      world.drain();
      world.restart();
      world.drain();
      world.deleteStreams();
      return world;
    },
  );
}

test(
  'queues do what the model does, through crashes and restarts',
  () => {
    runSimulation(RUNS_MIN, RUNS_MORE, (seed) => {
      const { counts, streams } = simulate(seed);
      return { ...counts, ...streams.counts };
    });
  },
  TEST_TIMEOUT_MS + RUNS_MIN * 2_000,
);
