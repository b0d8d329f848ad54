// Owns how steps of the simulation make messages and send them. Never decides when.

import type { Random } from '../amqp/random.ts';
import type { Message } from './model.ts';
import type { Claim } from './model-publishers.ts';
import type { SimPublisher } from './peers.ts';
import { type Address, bodyOf, randomAddress } from './topology.ts';
import type { World } from './world.ts';

/** Past so many messages, nothing is published until some are gone. */
const LIVE_MAX = 3_000;

/** One random thing that happens. */
export type Step = (world: World, random: Random) => void;

export function send(
  world: World,
  publisher: SimPublisher,
  random: Random,
  bodyBytes: number,
): void {
  sendTo(world, publisher, random, randomAddress(random), bodyBytes);
}

export function sendTo(
  world: World,
  publisher: SimPublisher,
  random: Random,
  address: Address,
  bodyBytes: number,
): void {
  const frameMax = random.below(4) === 0 ? 4_096 : 131_072;
  const message = messageTo(world, random, address, bodyBytes);
  if (message !== null) publisher.send(message, frameMax);
}

/** A message to an address; null where a crash may have taken the exchange with it. */
export function messageTo(
  world: World,
  random: Random,
  address: Address,
  bodyBytes: number,
): Message | null {
  if (address.exchange !== '' && !world.model.exchanges.has(address.exchange)) return null;
  const id = world.nextId++;
  const body = bodyOf(id, bodyBytes);
  const persistent = random.below(3) > 0;
  const priority = random.below(3) === 0 ? random.below(7) : null;
  const ttlMs = random.below(12) === 0 ? random.pick([0, 40, 400, 4_000]) : Infinity;
  const delayMs = random.below(10) === 0 ? random.pick([3, 30, 300, 3_000, 90_000]) : 0;
  const group = random.below(3) === 0 ? null : `group ${random.below(random.pick([2, 9, 400]))}`;
  const key = random.below(3) === 0 ? null : `key ${random.below(random.pick([5, 40, 400]))}`;
  // One that knows the last keys alone would not find out at once that others are over.
  const brief = address.exchange === '' && address.routingKey === 'once' && random.below(3) === 0;
  const keyTtlMs = brief ? random.pick([1, 30, 3_000]) : null;
  const keys = { key, keyTtlMs };
  const claim = random.below(8) === 0 ? claimTo(world, random, address) : null;
  return {
    id,
    ...address,
    body,
    persistent,
    priority,
    ttlMs,
    delayMs,
    group,
    ...keys,
    claim,
    deaths: [],
  };
}

/** A number among those of a publisher: the next one, commonly, of the stream that a message goes to. */
function claimTo(world: World, random: Random, { routingKey }: Address): Claim {
  const name = `publisher ${random.below(3)}`;
  const stream =
    world.model.streams.get(routingKey) ?? random.pick([...world.model.streams.values()]);
  const last = stream?.publishers.lastOf(name) ?? 0;
  const id = Math.max(0, last + random.pick([1, 1, 2, 7, 0, -1]));
  const expected = Math.max(0, last + random.pick([0, 0, 1, -1]));
  return { name, id, expected: id > expected && random.bool() ? expected : null };
}

export function feedSome(world: World, publisher: SimPublisher, random: Random): void {
  while (publisher.unreadBytes > 0 && random.below(8) > 0) {
    const most = random.bool();
    world.feed(publisher, most ? world.chunkBytesMax : 1 + random.below(world.chunkBytesMax));
  }
}

export function crowded(world: World): boolean {
  let live = 0;
  for (const queue of world.queues) live += queue.readyCount + queue.unackedCount;
  return live > LIVE_MAX;
}
