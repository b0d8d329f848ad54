// Owns random clients that consume, settle, cancel and close in every order, right and wrong; after
// each step what channels say is unacked must be what queues say. Never looks at what is delivered.

import { expect, test } from 'vitest';
import type { Channel } from '../../src/server/channel/channel.ts';
import type { Connection } from '../../src/server/connection/connection.ts';
import { TICK_MS } from '../../src/util/timers.ts';
import { eventually } from '../support/amqp.ts';
import { encodeMethod } from '../support/amqp-wire.ts';
import { TEST_TIMEOUT_MS } from '../support/patience.ts';
import { HANG_UP, handshake, publication } from './scripted.ts';
import {
  FakeClock,
  printedSeed,
  privately,
  Random,
  type TestServer,
  useServers,
} from './support.ts';

const start = useServers();
const ROUNDS = Number(process.env['SETTLING_ROUNDS'] ?? 1_000);
const CHANNELS = 3;
const CLIENTS = 4;
/** Few, so that they are often in use, and often not. */
const TAGS = ['a', 'b', 'c', 'd'];

const deadTo = (queue: string) => ({
  'x-dead-letter-exchange': '',
  'x-dead-letter-routing-key': queue,
});

/** Dead letters go round from queue to queue, and full queues deliver at once. */
const QUEUES: Readonly<Record<string, object>> = {
  plain: {},
  single: { arguments: { 'x-single-active-consumer': true, ...deadTo('full') } },
  counted: { durable: true, arguments: { 'x-delivery-limit': 1, ...deadTo('full') } },
  full: { arguments: { 'x-max-length': 4, ...deadTo('refusing') } },
  refusing: {
    durable: true,
    arguments: { 'x-max-length': 3, 'x-overflow': 'reject-publish-dlx', ...deadTo('counted') },
  },
  quick: { arguments: { 'x-message-ttl': 300, 'x-consumer-timeout': 500, ...deadTo('single') } },
  ranked: { arguments: { 'x-max-priority': 3, 'x-delivery-limit': 0, ...deadTo('full') } },
  leaving: { autoDelete: true },
};
const NAMES = Object.keys(QUEUES);

const pick = <T>(random: Random, from: readonly T[]): T => from[random.below(from.length)] as T;

/** One random frame or a few on a channel. */
function randomFrames(random: Random, channel: number): Buffer {
  const queue = pick(random, NAMES);
  const consumerTag = pick(random, TAGS);
  const settled = {
    deliveryTag: random.below(4) === 0 ? 0 : 1 + random.below(12),
    multiple: random.below(2) === 0,
    requeue: random.below(3) > 0,
  };
  switch (random.below(17)) {
    case 0:
    case 1:
    case 2:
    case 3: {
      const properties = { deliveryMode: 1 + random.below(2), priority: random.below(5) };
      const one = publication(channel, { routingKey: queue }, properties, random.bytes(20));
      return Buffer.concat(new Array<Buffer>(1 + random.below(12)).fill(one));
    }
    case 4:
    case 5: {
      const fields = { queue, consumerTag, noAck: random.below(6) === 0 };
      const timeout = random.below(4) === 0 ? { 'x-consumer-timeout': 200 } : {};
      const args = { 'x-priority': random.below(3), ...timeout };
      // A tag that is in use would end the connection.
      return Buffer.concat([
        encodeMethod(channel, 'basic.cancel', { consumerTag, nowait: true }),
        encodeMethod(channel, 'basic.consume', { ...fields, arguments: args }),
      ]);
    }
    case 6:
      return encodeMethod(channel, 'basic.cancel', { consumerTag });
    case 7:
      return encodeMethod(channel, 'basic.ack', settled);
    case 8:
    case 9:
      return encodeMethod(channel, 'basic.nack', settled);
    case 10:
      // What is outstanding is seldom known, but this is always right.
      return encodeMethod(channel, pick(random, ['basic.ack', 'basic.nack']), {
        deliveryTag: 0,
        multiple: true,
        requeue: settled.requeue,
      });
    case 11:
      return encodeMethod(channel, 'basic.recover', { requeue: true });
    case 12:
      return encodeMethod(channel, 'basic.qos', {
        prefetchCount: random.below(6),
        global: random.below(2) === 0,
      });
    case 13:
    case 14:
      return encodeMethod(channel, 'basic.get', { queue, noAck: random.below(4) === 0 });
    case 15:
      return Buffer.concat([
        encodeMethod(channel, 'tx.select'),
        encodeMethod(channel, 'basic.ack', { deliveryTag: 0, multiple: true }),
        encodeMethod(channel, pick(random, ['tx.commit', 'tx.rollback', 'basic.recover']), {
          requeue: true,
        }),
      ]);
    default:
      return random.below(3) > 0
        ? encodeMethod(channel, 'queue.declare', { queue, ...QUEUES[queue] })
        : encodeMethod(channel, pick(random, ['queue.delete', 'queue.purge']), { queue });
  }
}

/** Opens a channel again, in whatever state it is; on one that is open this ends the connection. */
const reopen = (channel: number): Buffer =>
  Buffer.concat([
    encodeMethod(channel, 'channel.close', { replyCode: 200 }),
    encodeMethod(channel, 'channel.open'),
  ]);

function channelsOf(server: TestServer): Channel[] {
  const { connections } = privately<{ connections: Set<Connection> }>(server.server);
  return [...connections].flatMap(({ channels }) =>
    Array.from({ length: CHANNELS }, (_, i) => channels.at(i + 1)).filter((each) => each !== null),
  );
}

/** Throws unless channels, their consumers and the queues agree on what is unacked. */
function checkUnacked(server: TestServer): number {
  const byQueue = new Map<string, number>();
  let total = 0;
  for (const channel of channelsOf(server)) {
    const { unacked, takenBack } = channel.deliveries;
    const byConsumer = new Map([...channel.consumers.values()].map((each) => [each, 0]));
    let ofConsumers = 0;
    const tags = unacked.tagsBetween(0, Infinity);
    expect(tags).toHaveLength(unacked.count);
    for (const tag of tags) {
      const queue = unacked.queueOf(tag);
      const consumer = unacked.consumerOf(tag);
      if (consumer !== null) {
        ofConsumers += 1;
        byConsumer.set(consumer, (byConsumer.get(consumer) ?? 0) + 1);
      }
      if (queue === null || queue.deleted) continue;
      byQueue.set(queue.name, (byQueue.get(queue.name) ?? 0) + 1);
      total += 1;
    }
    // What was taken back counts in the prefetch until it is settled late.
    expect(channel.credit.unacked).toBe(ofConsumers + takenBack.places);
    for (const [consumer, count] of byConsumer) {
      expect(consumer.unacked).toBe(count + consumer.late);
      if (consumer.late === 0) expect(consumer.room).toBe(consumer.prefetch);
    }
  }
  for (const { name, unackedCount } of server.server.broker.vhost('/').queues.values()) {
    expect(unackedCount, `unacked in ${name}`).toBe(byQueue.get(name) ?? 0);
  }
  return total;
}

for (const consumerTimeoutAction of ['close_channel', 'requeue'] as const) {
  test(
    `channels and queues agree on what is unacked, whatever clients do (${consumerTimeoutAction})`,
    async () => {
      const seed = printedSeed('settling');
      const random = new Random(seed);
      const clock = new FakeClock();
      const server = await start(
        { consumerTimeoutAction, heartbeatSeconds: 0, consumerTimeoutMs: 5_000 },
        clock,
      );
      const seen = { unacked: 0, checks: 0, closed: 0 };
      const open = async () => {
        const raw = await server.dial();
        const opens = Array.from({ length: CHANNELS }, (_, i) =>
          encodeMethod(i + 1, 'channel.open'),
        );
        const declares = NAMES.map((queue) =>
          encodeMethod(1, 'queue.declare', { queue, ...QUEUES[queue], nowait: true }),
        );
        raw.write(Buffer.concat([handshake(), ...opens, ...declares]));
        return raw;
      };
      const clients = await Promise.all(Array.from({ length: CLIENTS }, open));
      for (let round = 0; round < ROUNDS; round++) {
        const at = random.below(CLIENTS);
        let raw = clients[at] as (typeof clients)[0];
        if (raw.closed || random.below(60) === 0) {
          if (random.below(2) === 0) raw.write(HANG_UP);
          else raw.drop();
          raw = await open();
          clients[at] = raw;
        }
        const channel = 1 + random.below(CHANNELS);
        const frames = Array.from({ length: 1 + random.below(5) }, () =>
          randomFrames(random, channel),
        );
        if (random.below(8) === 0) frames.push(reopen(channel));
        raw.write(Buffer.concat(frames));
        for (const frame of raw.takeUnread()) {
          expect(frame, `SEED=${seed}`).not.toMatchObject({ replyCode: 541 });
          if (frame.name !== 'channel.close') continue;
          seen.closed += 1;
          raw.send(frame.channel, 'channel.close-ok');
          raw.send(frame.channel, 'channel.open');
        }
        clock.nowMs += random.below(3) * TICK_MS;
        await new Promise(setImmediate);
        seen.unacked += checkUnacked(server);
        seen.checks += 1;
      }
      console.log(seen);
      expect(seen.unacked).toBeGreaterThan(0);
      await server.dropAll();
      await eventually(() => channelsOf(server).length === 0);
      checkUnacked(server);
    },
    TEST_TIMEOUT_MS + ROUNDS * 20,
  );
}
