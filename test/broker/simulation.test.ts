// Owns the simulation: random publishes, deliveries, settlings, crashes and restarts, compared with
// a small model. SEED=... plays one run again, SIMULATION_SECONDS=... looks for longer.

import { expect, test } from 'vitest';
import { Random } from '../amqp/random.ts';
import { randomStep } from './steps.ts';
import { World } from './world.ts';

/** Short runs see a queue's first batches, long ones its backlog and its pages. */
const STEPS = [40, 400];
const SECONDS = Number(process.env['SIMULATION_SECONDS'] ?? 5);
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
    const end = performance.now() + SECONDS * 1_000;
    let runs = 0;
    do {
      const { counts } = simulate(first + runs);
      for (const [what, count] of Object.entries(counts)) {
        totals.set(what, (totals.get(what) ?? 0) + count);
      }
      runs += 1;
    } while (SEED === undefined && performance.now() < end);
    console.log(`${runs} runs from SEED=${first}:`, Object.fromEntries(totals));
    // A simulation in which something never happens would prove nothing about it; one run may.
    if (SEED !== undefined) return;
    for (const [what, count] of totals) expect(count, what).toBeGreaterThan(0);
  },
  (SECONDS + 20) * 1_000,
);
