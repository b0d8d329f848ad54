import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { eventually } from '../support/amqp.ts';
import type { RawConnection } from '../support/amqp-raw.ts';
import {
  encodeContent,
  encodeFrame,
  encodeHeaderPayload,
  encodeMethod,
  encodeMethodPayload,
  FRAME_HEADER,
  type Frame,
  PROTOCOL_HEADER,
} from '../support/amqp-wire.ts';
import { heldBytes, untilHeldBelow } from '../support/memory.ts';
import { publication } from './scripted.ts';
import { FakeClock, type TestServer, useServers } from './support.ts';

const start = useServers();

const MIB = 1024 * 1024;
const INITIAL_FRAME_MAX = 8192;

/** The head of a method frame whose payload never comes. */
function headOnly(payloadBytes: number, channel = 0): Buffer {
  const head = Buffer.alloc(7);
  head[0] = 1;
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(payloadBytes, 3);
  return head;
}

async function endOf(raw: RawConnection, frame: Frame): Promise<void> {
  expect(frame.name).toBe('connection.close');
  raw.send(0, 'connection.close-ok');
  await raw.untilClosed();
}

test('before login a frame larger than initial_frame_max is refused at its head', async () => {
  const broker = await start();
  const raw = await broker.dial();
  await raw.start();
  raw.write(headOnly(INITIAL_FRAME_MAX - 8 + 1));
  const close = await raw.next();
  expect(close).toMatchObject({ name: 'connection.close', replyCode: 501 });
  expect(close['replyText']).toContain(`{frame_too_large,${INITIAL_FRAME_MAX - 7},8184}`);
  await endOf(raw, close);
});

test('before login a frame of just initial_frame_max is taken', async () => {
  const broker = await start();
  const raw = await broker.dial();
  await raw.start();
  const fields = { mechanism: 'PLAIN', response: '\0guest\0guest', locale: 'en_US' };
  const bare = encodeMethodPayload('connection.start-ok', {
    ...fields,
    clientProperties: { x: '' },
  });
  const x = 'x'.repeat(INITIAL_FRAME_MAX - 8 - bare.length);
  const startOk = encodeMethod(0, 'connection.start-ok', { ...fields, clientProperties: { x } });
  expect(startOk.length).toBe(INITIAL_FRAME_MAX);
  raw.write(startOk);
  expect((await raw.next()).name).toBe('connection.tune');
});

test('after tuning, frame_max holds to the byte', async () => {
  const broker = await start();
  const raw = await broker.open({ frameMax: 4096 });
  await raw.openChannel(2);
  raw.write(
    Buffer.concat([
      encodeMethod(1, 'basic.publish', {}),
      encodeContent(1, {}, Buffer.alloc(4088), 4088),
      headOnly(4089, 1),
    ]),
  );
  const close = await raw.next();
  expect(close['replyText']).toContain('{frame_too_large,4089,4088}');
  await endOf(raw, close);
});

test.each<[string, (raw: RawConnection) => Promise<unknown>]>([
  ['nothing', async () => {}],
  ['half a protocol header', async (raw) => raw.write(PROTOCOL_HEADER.subarray(0, 4))],
  ['the protocol header', (raw) => raw.start()],
  [
    'half of start-ok',
    async (raw) => {
      await raw.start();
      raw.write(encodeMethod(0, 'connection.start-ok', { mechanism: 'PLAIN' }).subarray(0, 20));
    },
  ],
  [
    'all but connection.open',
    async (raw) => {
      await raw.start();
      await raw.login();
      raw.send(0, 'connection.tune-ok', { channelMax: 1, frameMax: 4096, heartbeat: 600 });
    },
  ],
])('a peer that has said %s is cut off after the handshake timeout', async (_said, say) => {
  const clock = new FakeClock();
  const broker = await start({}, clock);
  const raw = await broker.dial();
  await say(raw);
  await turn();
  clock.nowMs += 9900;
  broker.server.wheel.advance();
  await turn();
  expect(broker.connectionCount).toBe(1);
  expect(raw.closed).toBe(false);
  clock.nowMs += 300;
  broker.server.wheel.advance();
  await raw.untilClosed();
});

test('a connection that is open is not cut off by the handshake timeout', async () => {
  const clock = new FakeClock();
  const broker = await start({}, clock);
  const raw = await broker.open();
  clock.nowMs += 60_000;
  broker.server.wheel.advance();
  expect((await raw.call(1, 'basic.qos', {})).name).toBe('basic.qos-ok');
});

test.each([1, 1000, 5000])('a body of %i bytes too many is refused at the header', async (over) => {
  const max = 20_000;
  const broker = await start({ maxMessageBytes: max });
  const raw = await broker.open();
  await raw.call(1, 'queue.declare', { queue: 'q' });
  raw.write(encodeMethod(1, 'basic.publish', { routingKey: 'q' }));
  raw.write(encodeFrame(FRAME_HEADER, 1, encodeHeaderPayload(max + over)));
  const text = `message size ${max + over} is larger than configured max size ${max}`;
  const close = { name: 'channel.close', replyCode: 406, classId: 60, methodId: 40 };
  expect(await raw.next(1)).toEqual({
    ...close,
    channel: 1,
    replyText: `PRECONDITION_FAILED - ${text}`,
  });
  // The body was on its way already; it goes nowhere.
  raw.write(encodeContent(1, {}, Buffer.alloc(max + over)).subarray(22));
  raw.send(1, 'channel.close-ok');
  await raw.openChannel(1);
  raw.write(publication(1, { routingKey: 'q' }, {}, Buffer.alloc(max + over), 131_064));
  expect(await raw.next(1)).toMatchObject({ ...close, channel: 1 });
  raw.send(1, 'channel.close-ok');
  await raw.openChannel(1);
  raw.write(publication(1, { routingKey: 'q' }, {}, Buffer.alloc(max), 131_064));
  const declared = await raw.call(1, 'queue.declare', { queue: 'q', passive: true });
  expect(declared['messageCount']).toBe(1);
});

test('memory follows the bytes that came, not those that were announced', async () => {
  const broker = await start();
  const raw = await broker.open();
  for (let channel = 2; channel <= 100; channel++) await raw.openChannel(channel);
  const before = heldBytes();
  for (let channel = 1; channel <= 100; channel++) {
    raw.write(
      Buffer.concat([
        encodeMethod(channel, 'basic.publish', {}),
        encodeFrame(FRAME_HEADER, channel, encodeHeaderPayload(100 * MIB)),
        encodeFrame(3, channel, Buffer.alloc(10)),
      ]),
    );
  }
  await raw.openChannel(101);
  // Buffers count here though nothing was written to them.
  const grown = (await untilHeldBelow(before + 60 * MIB)) - before;
  console.log(`100 x 100 MiB announced: ${(grown / MIB).toFixed(1)} MiB more in use`);
});

test('a size beyond what numbers hold is refused like any that is too large', async () => {
  const broker = await start();
  for (const size of [2n ** 32n + 5n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
    const raw = await broker.open();
    const payload = encodeHeaderPayload(0);
    payload.writeBigUInt64BE(size, 4);
    raw.write(
      Buffer.concat([
        encodeMethod(1, 'basic.publish', {}),
        encodeFrame(FRAME_HEADER, 1, payload),
        encodeFrame(3, 1, Buffer.alloc(5)),
      ]),
    );
    expect(await raw.next(1)).toMatchObject({ name: 'channel.close', replyCode: 406 });
  }
});

test('any channel number may be used, and a high one costs no more than a low one', async () => {
  const broker = await start();
  const before = heldBytes();
  const connections = await Promise.all(Array.from({ length: 20 }, () => openHighChannel(broker)));
  const grown = (await untilHeldBelow(before + (connections.length * MIB) / 4)) - before;
  const each = grown / connections.length;
  console.log(`a connection with channel 65535 open: ${(each / 1024).toFixed(0)} KiB`);
  const raw = connections[0] as RawConnection;
  for (const channel of [2047, 2048, 65_534]) await raw.openChannel(channel);
  await raw.call(65_535, 'queue.declare', { queue: 'q' });
  await raw.call(65_535, 'basic.consume', { queue: 'q' });
  raw.publish(2047, { routingKey: 'q' }, {}, Buffer.from('to a high one'));
  expect((await raw.message(65_535)).body.toString()).toBe('to a high one');
  for (const channel of [2047, 2048, 65_535]) {
    const reply = await raw.call(channel, 'channel.close', { replyCode: 200 });
    expect(reply.name).toBe('channel.close-ok');
    await raw.openChannel(channel);
  }
});

async function openHighChannel(broker: TestServer): Promise<RawConnection> {
  const raw = await broker.open();
  await raw.openChannel(65_535);
  return raw;
}

test('channel_max limits how many are open, whatever their numbers', async () => {
  const broker = await start();
  const raw = await broker.open({ channelMax: 3 });
  await raw.openChannel(500);
  await raw.openChannel(65_535);
  expect((await raw.call(500, 'channel.close', { replyCode: 200 })).name).toBe('channel.close-ok');
  await raw.openChannel(7);
  const close = await raw.call(8, 'channel.open');
  expect(close).toMatchObject({
    replyCode: 530,
    replyText:
      'NOT_ALLOWED - number of channels opened (3) has reached the negotiated channel_max (3)',
  });
  await endOf(raw, close);
});

test('channels beyond channel_max_per_node are refused, and room is made by those that end', async () => {
  const broker = await start({ channelMaxPerNode: 3 });
  const first = await broker.open();
  await first.openChannel(2);
  const second = await broker.open();
  expect(await second.call(2, 'channel.open')).toMatchObject({
    name: 'connection.close',
    replyCode: 530,
    replyText:
      "NOT_ALLOWED - number of channels opened on node 'leveret' has reached " +
      'the maximum allowed limit of 3',
  });
  second.send(0, 'connection.close-ok');
  await second.untilClosed();
  await first.call(2, 'channel.close', { replyCode: 200 });
  const third = await broker.open();
  await third.openChannel(2);
  await third.close();
  await broker.open();
});

test('connections beyond connection_max are refused, and room is made by those that end', async () => {
  const broker = await start({ connectionMax: 2 });
  const first = await broker.open();
  await broker.open();
  const third = await broker.dial();
  expect(await third.open()).toMatchObject({
    name: 'connection.close',
    replyCode: 530,
    replyText: 'NOT_ALLOWED - connection refused: node connection limit (2) is reached',
    classId: 10,
    methodId: 40,
  });
  third.send(0, 'connection.close-ok');
  await third.untilClosed();
  await first.close();
  await eventually(() => broker.connectionCount === 1, 'the end of the first');
  await broker.expectServing();
});

test('consumer_max_per_channel ends the connection that wants more', async () => {
  const broker = await start({ consumerMaxPerChannel: 2 });
  const raw = await broker.open();
  await raw.call(1, 'queue.declare', { queue: 'q' });
  await raw.call(1, 'basic.consume', { queue: 'q' });
  await raw.call(1, 'basic.consume', { queue: 'q' });
  expect(await raw.call(1, 'basic.consume', { queue: 'q' })).toMatchObject({
    name: 'connection.close',
    replyCode: 530,
    replyText: 'NOT_ALLOWED - reached maximum (2) of consumers per channel',
  });
});

test('unacked_max_per_channel holds deliveries back, whatever prefetch is asked for', async () => {
  const broker = await start({ unackedMaxPerChannel: 3 });
  const raw = await broker.open();
  await raw.call(1, 'queue.declare', { queue: 'q' });
  await raw.call(1, 'basic.qos', { prefetchCount: 1000, global: true });
  for (let n = 0; n < 10; n++) raw.publish(1, { routingKey: 'q' }, {}, Buffer.from(`${n}`));
  await raw.call(1, 'basic.consume', { queue: 'q', consumerTag: 'one' });
  for (let n = 0; n < 3; n++) expect((await raw.message(1)).body.toString()).toBe(`${n}`);
  await raw.call(1, 'basic.consume', { queue: 'q', consumerTag: 'two' });
  const seen = await raw.call(1, 'queue.declare', { queue: 'q', passive: true });
  expect(seen).toMatchObject({ messageCount: 7 });
  raw.send(1, 'basic.ack', { deliveryTag: 2, multiple: true });
  for (let n = 3; n < 5; n++) expect((await raw.message(1)).body.toString()).toBe(`${n}`);
  await raw.call(1, 'basic.qos', { prefetchCount: 0, global: true });
  const still = await raw.call(1, 'queue.declare', { queue: 'q', passive: true });
  expect(still).toMatchObject({ messageCount: 5 });
});

test('field tables are held to the settings, in arguments and in headers', async () => {
  const broker = await start({ tableDepthMax: 2, tableEntriesMax: 3 });
  const two = { a: { b: 1 }, c: 2 };
  const deep = { a: { b: { c: 1 } } };
  const many = { a: 1, b: 2, c: 3, d: 4 };
  const raw = await broker.open();
  await raw.call(1, 'exchange.declare', { exchange: 'e', type: 'headers', arguments: two });
  const refusals = [
    [deep, 'malformed field table: nested more than 2 deep'],
    [many, 'malformed field table: more than 3 entries'],
  ] as const;
  for (const [table, why] of refusals) {
    const declarer = await broker.open();
    const closed = await declarer.call(1, 'queue.declare', { queue: 'q', arguments: table });
    expect(closed).toMatchObject({ name: 'connection.close', replyCode: 501 });
    expect(closed['replyText']).toContain(why);
    const publisher = await broker.open();
    publisher.publish(1, { routingKey: 'q' }, { headers: table }, Buffer.from('x'));
    const end = await publisher.next();
    expect(end).toMatchObject({ name: 'connection.close', replyCode: 502 });
    expect(end['replyText']).toContain(why);
  }
  await raw.call(1, 'queue.declare', { queue: 'q' });
  raw.publish(1, { routingKey: 'q' }, { headers: two }, Buffer.from('x'));
  expect(await raw.call(1, 'basic.get', { queue: 'q', noAck: true })).toMatchObject({
    name: 'basic.get-ok',
  });
});
