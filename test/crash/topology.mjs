// The exchanges and queues the crash test runs on, and who publishes to and consumes from them.
// Data only, and the one function that declares it.

export const FANOUT = 'crash.fan';
export const DEAD_EXCHANGE = 'crash.dlx';
export const BARRIER = 'crash.barrier';
export const NOWHERE = 'crash.nowhere';

/**
 * `ordered`: one consumer, so the order of first deliveries is checked.
 * `deadLetterTo`: where rejected messages go.
 * @type {Record<string, { ordered: boolean, deadLetterTo: string | null }>}
 */
export const QUEUES = {
  'crash.fan.1': { ordered: true, deadLetterTo: null },
  'crash.fan.2': { ordered: true, deadLetterTo: null },
  'crash.fan.3': { ordered: false, deadLetterTo: null },
  'crash.direct': { ordered: true, deadLetterTo: null },
  'crash.work': { ordered: true, deadLetterTo: 'crash.dead' },
  'crash.dead': { ordered: false, deadLetterTo: null },
  'crash.transient': { ordered: true, deadLetterTo: null },
};

export const FAN_QUEUES = ['crash.fan.1', 'crash.fan.2', 'crash.fan.3'];

/**
 * One entry a process, one item a publisher with its own connection. `window` is how many
 * publishes may wait for their confirms.
 */
export const PUBLISHERS = [
  [
    { name: 'p1', routes: ['fan'], window: 200, persistent: true, tx: false },
    { name: 'p2', routes: ['direct'], window: 1, persistent: true, tx: false },
    { name: 'p3', routes: ['transient'], window: 100, persistent: false, tx: false },
  ],
  [
    { name: 'p4', routes: ['fan', 'direct', 'work'], window: 50, persistent: true, tx: false },
    { name: 'p5', routes: ['work'], window: 200, persistent: true, tx: false },
    { name: 'p6', routes: ['fan', 'direct', 'work'], window: 0, persistent: true, tx: true },
  ],
];

/**
 * One entry a process, one item a consumer with its own connection. `requeue` and `reject` are
 * the shares of deliveries settled that way instead of by an ack.
 */
export const CONSUMERS = [
  [
    { name: 'c1', queue: 'crash.fan.1', prefetch: 100, requeue: 0, reject: 0 },
    { name: 'c2', queue: 'crash.fan.3', prefetch: 20, requeue: 0.1, reject: 0 },
    { name: 'c3', queue: 'crash.dead', prefetch: 50, requeue: 0.1, reject: 0 },
    { name: 'c4', queue: 'crash.direct', prefetch: 10, requeue: 0.1, reject: 0, tx: true },
  ],
  [
    { name: 'c5', queue: 'crash.fan.2', prefetch: 300, requeue: 0.1, reject: 0 },
    { name: 'c6', queue: 'crash.fan.3', prefetch: 50, requeue: 0.1, reject: 0 },
    { name: 'c7', queue: 'crash.work', prefetch: 50, requeue: 0.05, reject: 0.15 },
    { name: 'c8', queue: 'crash.transient', prefetch: 100, requeue: 0.1, reject: 0 },
  ],
];

/** Where a message of a route is published, and the queues it must then be in. */
export function placeOf(route) {
  if (route === 'fan') return { exchange: FANOUT, key: 'news', queues: FAN_QUEUES };
  if (route === 'nowhere') return { exchange: '', key: NOWHERE, queues: [] };
  return { exchange: '', key: `crash.${route}`, queues: [`crash.${route}`] };
}

/** @param {import('amqplib').Channel} channel */
export async function declareTopology(channel) {
  await channel.assertExchange(FANOUT, 'fanout', { durable: true });
  await channel.assertExchange(DEAD_EXCHANGE, 'direct', { durable: true });
  for (const [name, { deadLetterTo }] of Object.entries(QUEUES)) {
    const dead =
      deadLetterTo === null
        ? {}
        : { deadLetterExchange: DEAD_EXCHANGE, deadLetterRoutingKey: deadLetterTo };
    await channel.assertQueue(name, { durable: true, ...dead });
  }
  for (const name of FAN_QUEUES) await channel.bindQueue(name, FANOUT, '');
  await channel.bindQueue('crash.dead', DEAD_EXCHANGE, 'crash.dead');
  await channel.assertQueue(BARRIER, { durable: true });
}
