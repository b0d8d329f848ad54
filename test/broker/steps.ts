// Owns the random steps of the simulation and how often each comes. Never compares anything itself.

import type { Queue } from '../../src/broker/queue/queue.ts';
import type { Random } from '../amqp/random.ts';
import type { Delivery, SimChannel } from './peers.ts';
import { crowded, feedSome, messageTo, type Step, send, sendTo } from './sending.ts';
import { STREAM_STEPS } from './stream-steps.ts';
import { randomAddress, randomBodyBytes } from './topology.ts';
import type { World } from './world.ts';

/** From all that there is to do in a turn to one dead letter or one step. */
const LOOKS_MS = [0, 0, 1 / 8, 1, 5];

const publishFew: Step = (world, random) => {
  if (crowded(world)) return;
  const publisher = random.pick(world.publishers);
  for (let n = random.below(20); n >= 0; n--)
    send(world, publisher, random, randomBodyBytes(random));
  feedSome(world, publisher, random);
};

const publishMany: Step = (world, random) => {
  if (crowded(world)) return;
  const publisher = random.pick(world.publishers);
  for (let n = 200 + random.below(200); n > 0; n--)
    send(world, publisher, random, 8 + random.below(40));
  feedSome(world, publisher, random);
};

/** A transaction, of which full queues may refuse some. */
const commit: Step = (world, random) => {
  if (crowded(world)) return;
  const messages = Array.from({ length: 1 + random.below(12) }, () =>
    messageTo(world, random, randomAddress(random), randomBodyBytes(random)),
  );
  const sent = messages.filter((message) => message !== null);
  world.commit(random.pick(world.publishers), sent);
};

/** The server seals a batch only when none is under way; others may. */
const turn: Step = (world, random) => {
  world.turn(!world.store.busy || random.below(5) === 0);
};

function pickDelivery(world: World, random: Random): [SimChannel, Delivery] | null {
  const channel = random.pick(world.channels.filter(({ unacked }) => unacked.length > 0));
  return channel === undefined ? null : [channel, random.pick(channel.unacked)];
}

const settleOne: Step = (world, random) => {
  const found = pickDelivery(world, random);
  if (found === null) return;
  const dice = random.below(4);
  if (dice === 0) world.reject(...found);
  else if (dice === 1) world.requeue(...found);
  else world.ack(...found);
};

/** A step of a pipeline: a publish acks one delivery, or some of one channel. */
const handOn: Step = (world, random) => {
  get(world, random);
  const found = pickDelivery(world, random);
  if (found === null || crowded(world)) return;
  const [channel, one] = found;
  const some = channel.unacked.slice(0, 5).filter((each) => each !== one && random.bool());
  const acks = random.bool() ? [one] : [one, ...some];
  const full = { exchange: '', routingKey: 'refusing' };
  const address = random.below(4) === 0 ? full : randomAddress(random);
  const message = messageTo(world, random, address, randomBodyBytes(random));
  if (message !== null) world.handOn(random.pick(world.publishers), channel, acks, message);
};

/** The leases of some deliveries are over. A single active consumer would lose its place. */
const takeBack: Step = (world, random) => {
  for (const channel of world.channels) {
    const leased = channel.unacked.filter(({ queue }) => !queue.rules.singleActiveConsumer);
    for (let n = random.below(4); n > 0; n--) {
      const [delivery] = leased.splice(random.below(leased.length), 1);
      if (delivery !== undefined) world.takeBack(channel, delivery);
    }
  }
};

/** Several consumers have a queue, and all that one of them has is taken from it. */
const hang: Step = (world, random) => {
  const shared = world.queues.filter(({ rules }) => !rules.singleActiveConsumer);
  const queue = random.pick(shared) as Queue | undefined;
  for (let n = 0; n < 2; n++) consumeFrom(world, random, queue);
  publishFew(world, random);
  turn(world, random);
  const hanging = queue === undefined ? undefined : random.pick(queue.consumers);
  const channel = world.channels.find(({ consumers }) => hanging && consumers.includes(hanging));
  for (const delivery of [...(channel?.unacked ?? [])]) {
    if (delivery.consumer === hanging) world.takeBack(channel as SimChannel, delivery);
  }
  turn(world, random);
};

const settleLate: Step = (world, random) => {
  for (const channel of world.channels) {
    for (let n = random.below(channel.late.length + 1); n > 0; n--) {
      world.settleLate(channel, random.pick(channel.late));
    }
  }
};

/** As ack with `multiple`. */
const ackMany: Step = (world, random) => {
  const channel = random.pick(world.channels);
  for (let n = random.below(channel.unacked.length + 1); n > 0; n--) {
    world.ack(channel, channel.unacked[0] as Delivery);
  }
};

const requeueMany: Step = (world, random) => {
  const channel = random.pick(world.channels);
  for (let n = random.below(channel.unacked.length + 1); n > 0; n--) {
    world.requeue(channel, random.pick(channel.unacked));
  }
};

/** What counts returns gives back all it was given, so that some messages come back too often. */
const requeueCounted: Step = (world, random) => {
  const name = random.pick(['counted', 'retried', 'grouped']);
  const counted = world.queues.find((queue) => queue.name === name);
  for (let n = 0; n < 2 && counted !== undefined; n++) {
    const channel = random.pick(world.channels);
    world.get(channel, counted);
    const got = channel.unacked.at(-1);
    if (got?.queue === counted && random.bool()) world.requeue(channel, got);
  }
  for (const channel of world.channels) {
    for (const delivery of [...channel.unacked]) {
      if (delivery.modelQueue.spec.returnsMax !== Infinity) world.requeue(channel, delivery);
    }
  }
};

const rejectMany: Step = (world, random) => {
  const channel = random.pick(world.channels);
  for (let n = Math.min(50, random.below(channel.unacked.length + 1)); n > 0; n--) {
    world.reject(channel, random.pick(channel.unacked));
  }
};

/** What was rejected goes back to where it died: it is no duplicate there, though another one with its key came meanwhile. */
const sendBack: Step = (world, random) => {
  const names = ['job', 'job-dead', 'job'];
  for (const name of random.bool() ? names : names.slice(1)) {
    const queue = world.queues.find((each) => each.name === name);
    const channel = random.pick(world.channels);
    for (let n = 0; n < 5 && queue !== undefined; n++) world.get(channel, queue);
    for (const delivery of [...channel.unacked]) {
      if (delivery.queue === queue) world.reject(channel, delivery);
    }
  }
};

const get: Step = (world, random) => {
  const queue = random.pick(world.queues) as Queue | undefined;
  if (queue !== undefined) world.get(random.pick(world.channels), queue);
};

const consume: Step = (world, random) => {
  consumeFrom(world, random, random.pick(world.queues) as Queue | undefined);
};

/** Several wait behind the single active consumer of a queue, until it leaves. */
const crowdSingle: Step = (world, random) => {
  const queue = random.pick(world.queues.filter((each) => each.rules.singleActiveConsumer));
  for (let n = 0; n < 3; n++) consumeFrom(world, random, queue);
};

const cancelActive: Step = (world) => {
  for (const channel of world.channels) {
    const active = channel.consumers.find(
      (each) => (each.queue as Queue).subscribed.active === each,
    );
    if (active !== undefined) return world.cancel(channel, active);
  }
};

function consumeFrom(world: World, random: Random, queue: Queue | undefined): void {
  if (queue === undefined || queue.consumers.length > 3) return;
  // A full queue delivers in the midst of a publish, which the model cannot follow.
  if (world.modelQueue(queue).spec.lengthMax !== Infinity) return;
  const prefetch = random.pick([0, 1, 2, 10, 300]);
  const priority = random.pick([0, 0, 0, 5, -3]);
  world.consume(random.pick(world.channels), queue, random.below(4) === 0, prefetch, priority);
}

const cancel: Step = (world, random) => {
  const channel = random.pick(world.channels);
  if (channel.consumers.length > 0) world.cancel(channel, random.pick(channel.consumers));
};

/** All clients go, and all that they had been given is ready again. */
const closeAll: Step = (world, random) => {
  for (const channel of world.channels) world.closeChannel(channel);
  if (random.bool()) return;
  world.turn(true);
  world.sync();
  world.crash();
};

const limitShared: Step = (world, random) => {
  const channel = random.pick(world.channels);
  channel.credit.setLimit(random.pick([0, 0, 5, 50]));
};

const fillLink: Step = (world, random) => {
  random.pick(world.channels).link.fill();
};

const emptyLink: Step = (world, random) => {
  random.pick(world.channels).link.drain();
};

const purge: Step = (world, random) => {
  const queue = random.pick(world.queues) as Queue | undefined;
  if (queue !== undefined) world.purge(queue);
};

const deleteQueue: Step = (world, random) => {
  const queue = random.pick(world.queues) as Queue | undefined;
  if (queue !== undefined) world.deleteQueue(queue);
};

/** A queue of many pages loses all of them at once, and a start may find that half done. */
const purgeLong: Step = (world, random) => {
  const long = world.queues.filter(({ rules }) => rules.lengthMax === Infinity);
  const queue = random.pick(long) as Queue | undefined;
  if (queue === undefined || crowded(world)) return;
  const publisher = random.pick(world.publishers);
  for (let n = 600 + random.below(1_200); n > 0; n--) {
    const address = { exchange: '', routingKey: queue.name };
    sendTo(world, publisher, random, address, random.below(40));
  }
  while (publisher.unreadBytes > 0) world.feed(publisher, world.chunkBytesMax);
  for (let n = random.below(3); n > 0; n--) turn(world, random);
  if (random.bool()) world.sync();
  for (let n = random.below(4); n > 0; n--) world.get(random.pick(world.channels), queue);
  if (random.below(4) > 0) world.purge(queue);
  else world.deleteQueue(queue);
  for (let n = random.below(4); n > 0; n--) {
    turn(world, random);
    if (random.bool()) world.sync(random.below(3));
  }
  world.checkContents();
  const dice = random.below(3);
  if (dice === 0) crash(world, random);
  else if (dice === 1) restart(world, random);
};

/** Most messages of a long queue go, but some here and there: their segments become sparse. */
const thinOut: Step = (world, random) => {
  const long = world.queues.filter(({ rules }) => rules.lengthMax === Infinity);
  const queue = random.pick(long) as Queue | undefined;
  if (queue === undefined || crowded(world)) return;
  const publisher = random.pick(world.publishers);
  for (let n = 100 + random.below(500); n > 0; n--) {
    const address = { exchange: '', routingKey: queue.name };
    sendTo(world, publisher, random, address, random.below(400));
  }
  while (publisher.unreadBytes > 0) world.feed(publisher, world.chunkBytesMax);
  for (let n = 1 + random.below(3); n > 0; n--) turn(world, random);
  if (random.below(4) > 0) world.sync();
  const channel = random.pick(world.channels);
  for (let n = queue.readyCount; n > 0; n--) world.get(channel, queue);
  const kept = random.pick([3, 10, 50]);
  for (const delivery of [...channel.unacked]) {
    if (delivery.queue === queue && random.below(kept) > 0) world.ack(channel, delivery);
  }
  for (let n = random.below(12); n > 0; n--) {
    turn(world, random);
    if (random.bool()) world.sync(random.below(3));
  }
  if (random.bool()) world.checkContents();
};

const crash: Step = (world, random) => {
  world.sync(random.below(3));
  world.crash();
  if (random.bool()) world.checkContents();
};

const restart: Step = (world, random) => {
  world.restart();
  if (random.bool()) world.checkContents();
};

const quiesce: Step = (world) => {
  world.quiesce();
  world.checkCounts();
  world.checkContents();
};

/** How often each step comes, beside the others. */
const STEPS: readonly (readonly [weight: number, step: Step])[] = [
  [14, publishFew],
  [3, publishMany],
  [10, (world, random) => feedSome(world, random.pick(world.publishers), random)],
  [30, turn],
  [10, (world, random) => world.sync(random.below(3))],
  [5, (world, random) => world.apply(random.below(6))],
  [16, settleOne],
  [8, ackMany],
  [6, handOn],
  [3, commit],
  [3, takeBack],
  [3, hang],
  [4, settleLate],
  [3, requeueMany],
  [4, requeueCounted],
  [3, rejectMany],
  [3, sendBack],
  [6, get],
  [5, consume],
  [2, crowdSingle],
  [2, cancel],
  [1.5, cancelActive],
  [1, (world, random) => world.closeChannel(random.pick(world.channels))],
  [1, closeAll],
  [1, limitShared],
  [1, fillLink],
  [3, emptyLink],
  [1, purge],
  [1, purgeLong],
  [1, thinOut],
  [0.5, deleteQueue],
  [0.5, (world, random) => world.unbind(random.below(world.model.bindings.length))],
  [2, (world) => world.declareMissing()],
  [1.5, crash],
  [1, restart],
  [2, quiesce],
  ...STREAM_STEPS,
];

const WEIGHT = STEPS.reduce((sum, [weight]) => sum + weight, 0);

/** Does one random step and compares what is cheap to compare. */
export function randomStep(world: World, random: Random): void {
  world.advance(random.below(20));
  world.lookMs = random.pick(LOOKS_MS);
  let dice = random.next() * WEIGHT;
  for (const [weight, step] of STEPS) {
    dice -= weight;
    if (dice >= 0) continue;
    step(world, random);
    break;
  }
  world.checkCounts();
}
