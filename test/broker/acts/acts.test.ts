// Owns the simulation of long acts: they are cut at any step by others, by seals, crashes and stops, and yet come
// in order, end, and are whole on disk where that is promised. SEED=... plays one run again, SIMULATION_RUNS=...
// looks for longer.

import { test } from 'vitest';
import { Random } from '../../amqp/random.ts';
import { TEST_TIMEOUT_MS } from '../../support/patience.ts';
import { runSimulation, runsMin, withSeed } from '../../support/simulation-runs.ts';
import { plain } from '../plain-queue.ts';
import type { Actor } from './actor.ts';
import { ActsWorld, DEEP, SOFT, SOFT_MAX } from './acts-world.ts';

const STEPS = 150;
const RUNS_MIN = runsMin(6);
const RUNS_MORE = 50;
/** Past so many messages in the deep queues, no more are published. */
const DEEP_MAX = 1_500;

type Step = (world: ActsWorld, random: Random) => void;

/** A client that may send something. */
function freeActor(world: ActsWorld, random: Random): Actor | null {
  const actor = random.pick(world.actors);
  return actor.busy ? null : actor;
}

const publishDeep: Step = (world, random) => {
  const queue = world.vhost.queues.get(random.pick(DEEP));
  const actor = freeActor(world, random);
  if (queue === undefined || actor === null || actor.transaction !== null) return;
  if (queue.readyCount + queue.unackedCount > DEEP_MAX) return;
  for (let n = random.pick([3, 50, 400]); n > 0 && !actor.busy; n--) {
    world.publish(actor, '', queue.name);
  }
};

const publishRefused: Step = (world, random) => {
  const actor = freeActor(world, random);
  if (actor === null || actor.transaction !== null) return;
  for (let n = random.below(40); n > 0 && !actor.busy; n--) world.publish(actor, '', 'refusing');
};

const publishWide: Step = (world, random) => {
  const actor = freeActor(world, random);
  if (actor === null || actor.transaction !== null) return;
  // A crash may have taken it.
  if (!world.vhost.exchanges.has('wide')) return;
  if (random.bool()) actor.selectConfirms();
  // A second one by the same client waits for the first.
  for (let n = 1 + random.below(2); n > 0 && !actor.busy; n--) world.publish(actor, 'wide', '');
};

const consume: Step = (world, random) => {
  const queue = world.vhost.queues.get(random.pick(DEEP));
  const actor = freeActor(world, random);
  if (queue === undefined || actor === null || actor.consumers.size > 2) return;
  actor.prefetch = random.pick([0, 0, 30, 500]);
  actor.subscribe(plain(queue));
};

const cancel: Step = (world, random) => {
  const actor = freeActor(world, random);
  for (const consumer of actor?.consumers.values() ?? []) {
    return actor?.removeConsumer(consumer, () => {});
  }
};

const settle: Step = (world, random) => {
  const actor = freeActor(world, random);
  if (actor === null || actor.transaction !== null) return;
  const tags = actor.tags();
  if (tags.length === 0) return;
  const upTo = random.bool() ? (tags.at(-1) as number) : random.pick(tags);
  actor.settleUpTo(upTo, random.pick(['ack', 'requeue', 'requeue', 'reject']));
};

const transact: Step = (world, random) => {
  const actor = freeActor(world, random);
  if (actor === null || actor.confirms !== null) return;
  actor.selectTransactions(1_000_000);
  world.beginTransaction(actor);
  for (let n = 1 + random.below(80); n > 0; n--) world.publish(actor, '', 'ledger');
  actor.ackLater(random.pick([0, 5, 200]));
  world.commit(actor);
};

const close: Step = (world, random) => {
  const actor = freeActor(world, random);
  if (actor === null) return;
  actor.close(() => {
    world.actors[world.actors.indexOf(actor)] = world.newActor();
  });
};

const policy: Step = (world, random) => {
  const limit = { 'max-length': random.pick([SOFT_MAX, 5]) };
  world.setPolicy(random.below(3) === 0 ? null : limit);
};

const purge: Step = (world, random) => {
  const queue = world.vhost.queues.get(random.pick([...DEEP, ...SOFT]));
  if (queue === undefined) return;
  world.vhost.purgeQueueBy(world.broker.core.slices.whole, plain(queue), () => {});
};

const deleteSome: Step = (world, random) => {
  for (let n = random.below(4); n > 0; n--) world.deleteQueue(random.pick(SOFT));
  if (random.below(4) === 0) world.deleteQueue(random.pick(DEEP));
};

const deleteBound: Step = (world, random) => {
  const actor = freeActor(world, random);
  if (actor !== null) world.deleteBound(actor);
};

const turn: Step = (world, random) => {
  world.turn();
  if (random.bool()) world.store.sync(random.below(3));
};

const SHORT = [deleteSome, deleteBound, policy, purge, settle];

/** Several wide messages and commits at once, and something else before they are over. */
const amidWhole: Step = (world, random) => {
  world.pace = 5;
  for (let n = 1 + random.below(3); n > 0; n--) {
    publishWide(world, random);
    transact(world, random);
  }
  for (let n = random.below(8); n > 0; n--) {
    turn(world, random);
    if (random.below(4) === 0) random.pick(SHORT)(world, random);
  }
  world.store.sync(random.below(3));
  const dice = random.below(5);
  if (dice < 2) world.crash();
  else if (dice === 2) world.restart();
};

/** How often each step comes, beside the others. */
const WEIGHTS: readonly (readonly [weight: number, step: Step])[] = [
  [60, turn],
  [10, publishDeep],
  [4, publishRefused],
  [4, publishWide],
  [8, consume],
  [2, cancel],
  [14, settle],
  [6, transact],
  [3, close],
  [4, policy],
  [5, amidWhole],
  [1, purge],
  [2, deleteSome],
  [2, deleteBound],
  [2, (world) => world.declareMissing()],
  [3, (world) => world.ownQueues()],
  [2, (world) => world.check()],
  [2, (world) => world.quiesce()],
  [2, (world) => world.crash()],
  [1, (world) => world.restart()],
];
const WEIGHT = WEIGHTS.reduce((sum, [weight]) => sum + weight, 0);

function simulate(seed: number): ActsWorld {
  const random = new Random(seed);
  let at = 0;
  return withSeed(
    seed,
    () => at,
    () => {
      const world = new ActsWorld();
      for (; at < STEPS; at++) {
        // From one step of all acts in a turn to many.
        world.pace = random.pick([5, 5, 2, 1, 0.1]);
        let dice = random.next() * WEIGHT;
        const found = WEIGHTS.find(([weight]) => {
          dice -= weight;
          return dice < 0;
        });
        found?.[1](world, random);
      }
      world.quiesce();
      world.restart();
      world.quiesce();
      return world;
    },
  );
}

test(
  'acts that are cut anywhere come in order, end, and are whole on disk',
  () => {
    runSimulation(RUNS_MIN, RUNS_MORE, (seed) => simulate(seed).counts);
  },
  TEST_TIMEOUT_MS + RUNS_MIN * 10_000,
);
