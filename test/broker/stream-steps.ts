// Owns the random steps of the simulation that are about streams, and how often each comes. Never compares anything itself.

import type { StreamStart } from '../../src/broker/queue/stream/reading/reading-spec.ts';
import type { Stream } from '../../src/broker/queue/stream/stream.ts';
import type { Random } from '../amqp/random.ts';
import { PAGE } from './model-stream.ts';
import { crowded, type Step, sendTo } from './sending.ts';
import { STREAMS } from './topology.ts';
import type { World } from './world.ts';

function streamOf(world: World, random: Random): Stream | undefined {
  return random.pick(world.streams.all);
}

/** A page or more at once: retention takes whole ones. */
const fillSome: Step = (world, random) => {
  const stream = streamOf(world, random);
  if (stream !== undefined) fill(world, random, stream);
};

function fill(world: World, random: Random, stream: Stream): void {
  if (crowded(world)) return;
  const publisher = random.pick(world.publishers);
  for (let n = 50 + random.below(500); n > 0; n--) {
    const address = { exchange: '', routingKey: stream.name };
    sendTo(world, publisher, random, address, 8 + random.below(random.pick([30, 30, 1_000])));
  }
  while (publisher.unreadBytes > 0) world.feed(publisher, world.chunkBytesMax);
}

/** A slow reader is overtaken by what the stream lets go of. */
const overtake: Step = (world, random) => {
  const stream = streamOf(world, random);
  if (stream === undefined) return;
  const { streams } = world;
  const reader = streams.attach(stream, { kind: 'first' }, stream.entries.first, 1);
  fill(world, random, stream);
  for (let n = 0; n < 2; n++) {
    world.turn(true);
    world.sync();
  }
  streams.setPolicy(stream.name, { lengthMax: 1 });
  fill(world, random, stream);
  for (let n = random.below(4); n > 0; n--) {
    world.turn(true);
    world.sync();
    if (random.bool()) reader?.channel.ack();
  }
};

const attach: Step = (world, random) => {
  const stream = streamOf(world, random);
  if (stream === undefined) return;
  const { first, tail } = stream.entries;
  const at = random.below(tail + 20);
  const starts: [StreamStart, number][] = [
    [{ kind: 'first' }, first],
    [{ kind: 'next' }, tail],
    [{ kind: 'last' }, Math.max(first, tail - 1)],
    [{ kind: 'offset', offset: at }, Math.max(first, at)],
    [{ kind: 'back', count: at }, Math.max(first, tail - at)],
  ];
  const group = random.pick([null, null, 'group 1', 'group 2']);
  world.streams.attach(stream, ...random.pick(starts), random.pick([1, 10, 100]), group);
};

const ack: Step = (world, random) => {
  for (const { channel } of world.streams.readers) {
    if (random.bool()) channel.ack(random.below(channel.out.length + 1));
  }
};

const leave: Step = (world, random) => {
  const reader = random.pick(world.streams.readers);
  if (reader !== undefined) world.streams.leave(reader);
};

/** All that is durable, while what else there is to do goes on. */
const readWhole: Step = (world, random) => {
  const stream = streamOf(world, random);
  if (stream === undefined) return;
  world.streams.readWhole(stream, () => {
    world.turn(!world.store.busy || random.below(5) === 0);
    if (random.below(5) === 0) world.sync(random.below(3));
  });
};

const purge: Step = (world, random) => {
  const stream = streamOf(world, random);
  if (stream !== undefined) world.streams.purge(stream);
};

/** Messages that are published next go to one that begins anew, or nowhere. */
const deleteStream: Step = (world, random) => {
  const stream = streamOf(world, random);
  if (stream === undefined) return;
  world.streams.delete(stream);
  world.streams.counts.streamsDeleted += 1;
  if (random.bool()) world.declareMissing();
};

const setPolicy: Step = (world, random) => {
  const { name } = random.pick(STREAMS);
  const limits = random.pick([
    null,
    { lengthMax: random.pick([1, PAGE, 3 * PAGE]) },
    { lengthBytesMax: random.pick([1, 50_000]) },
    { maxAgeMs: random.pick([1_000, 3_000]) },
    { lengthMax: 1_000_000 },
  ]);
  world.streams.setPolicy(name, limits);
};

/** How often each step comes, beside those of queues. */
export const STREAM_STEPS: readonly (readonly [weight: number, step: Step])[] = [
  [4, fillSome],
  [1, overtake],
  [5, attach],
  [2, ack],
  [1, leave],
  [1.5, readWhole],
  [0.5, purge],
  [0.5, deleteStream],
  [3, setPolicy],
];
