// Owns the simulation: random publishes, deliveries, settlings, crashes and restarts, compared with
// a small model. SEED=... plays one run again, SIMULATION_RUNS=... looks for longer.

import { expect, test } from 'vitest';
import { Random } from '../amqp/random.ts';
import { TEST_TIMEOUT_MS } from '../support/patience.ts';
import { randomStep } from './steps.ts';
import { World } from './world.ts';

/** Short runs see a queue's first batches, long ones its backlog and its pages. */
const STEPS = [40, 400];
/** So many runs at least, and more until each event has come about. */
const RUNS_MIN = Number(process.env['SIMULATION_RUNS'] ?? 12);
const RUNS_MAX = RUNS_MIN + 300;
const SEED = process.env['SEED'];

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
  );
  let step = 0;
  try {
    for (const steps = random.pick(STEPS); step < steps; step++) randomStep(world, random);
    world.drain();
    world.restart();
    world.drain();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`SEED=${seed}, step ${step}: ${reason}`, { cause });
  }
  return world;
}

test(
  'queues do what the model does, through crashes and restarts',
  () => {
    const first = Number(SEED ?? Math.floor(Math.random() * 2 ** 32));
    const totals = new Map<string, number>();
    let runs = 0;
    let missing: string[] = [];
    do {
      const { counts } = simulate(first + runs);
      for (const [what, count] of Object.entries(counts)) {
        totals.set(what, (totals.get(what) ?? 0) + count);
      }
      runs += 1;
      // A simulation in which something never happens would prove nothing about it; one run may.
      missing = [...totals].filter(([, count]) => count === 0).map(([what]) => what);
    } while (SEED === undefined && (runs < RUNS_MIN || (missing.length > 0 && runs < RUNS_MAX)));
    console.log(`${runs} runs from SEED=${first}:`, Object.fromEntries(totals));
    if (SEED === undefined) expect(missing).toEqual([]);
  },
  TEST_TIMEOUT_MS + RUNS_MIN * 2_000,
);
