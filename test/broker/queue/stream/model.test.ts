// Owns the simulation of streams: random publishes, readers, filters, groups, acks, publishers that number, crashes,
// restarts and retention, compared with a model that is an array. SEED=... plays one run again, SIMULATION_RUNS=... looks
// for longer.

import { test } from 'vitest';
import { Random } from '../../../amqp/random.ts';
import { TEST_TIMEOUT_MS } from '../../../support/patience.ts';
import { runSimulation, runsMin, withSeed } from '../../../support/simulation-runs.ts';
import { StreamWorld } from './stream-world.ts';

const RUNS_MIN = runsMin(8);
const RUNS_MORE = 100;
const STEPS = 250;

function step(world: StreamWorld, random: Random): void {
  world.advance(random.below(random.pick([5, 5, 800])));
  const dice = random.below(44);
  if (dice < 9) world.publish(random.below(30));
  else if (dice < 11) world.publish(random.below(700));
  else if (dice < 20) world.turn();
  else if (dice < 24) world.sync(random.below(3));
  else if (dice < 27) world.attach();
  else if (dice < 33) world.ack();
  else if (dice < 35) world.leave();
  else if (dice < 36) world.consumeQueue();
  else if (dice < 37) world.crash();
  else if (dice < 38) world.checkContents();
  else if (dice < 39) world.quiesce();
  else if (dice < 43) world.publishNumbered();
  else if (random.below(3) === 0) world.restart();
  else if (random.below(6) === 0) world.declareAnew();
}

function simulate(seed: number): StreamWorld {
  const random = new Random(seed);
  const world = new StreamWorld(random);
  let now = 0;
  return withSeed(
    seed,
    () => now,
    () => {
      for (; now < STEPS; now++) step(world, random);
      world.restart();
      world.quiesce();
      return world;
    },
  );
}

test(
  'streams do what an array does, through crashes and restarts',
  () => {
    runSimulation(RUNS_MIN, RUNS_MORE, (seed) => simulate(seed).counts);
  },
  TEST_TIMEOUT_MS + RUNS_MIN * 2_000,
);
