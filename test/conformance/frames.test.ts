// Malformed, misplaced and oversized frames, and frames cut at every possible place.
import { expect, it } from 'vitest';
import { channelClose, connectionClose, expectedFor, useBroker } from '../support/amqp.ts';
import {
  encodeContent,
  encodeFrame,
  encodeHeaderPayload,
  encodeMethod,
  encodeMethodPayload,
  FRAME_BODY,
  FRAME_HEADER,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
} from '../support/amqp-wire.ts';

const broker = useBroker();
/** RabbitMQ breaks the connection off without a word where it cannot decode a method at all. */
const GONE = ['connection.close', 'socket closed'];

it('refuses a frame with a wrong end octet', async () => {
  const raw = await broker.raw();
  const frame = encodeMethod(1, 'basic.qos', { prefetchCount: 1 });
  frame[frame.length - 1] = 0xcd;
  raw.write(frame);
  expect(await raw.next()).toMatchObject(
    connectionClose(501, expect.stringMatching(/^FRAME_ERROR - .*invalid_frame_end_marker/)),
  );
});

it('refuses a frame larger than negotiated before its payload has come', async () => {
  const raw = await broker.dial();
  await raw.open({ frameMax: 4096 });
  await raw.openChannel(1);
  const head = Buffer.from([FRAME_METHOD, 0, 1, 0, 0, 0, 0]);
  head.writeUInt32BE(5000, 3);
  raw.write(Buffer.concat([head, encodeMethodPayload('basic.qos'), Buffer.alloc(32)]));
  expect(await raw.next()).toMatchObject(
    connectionClose(501, expect.stringMatching(/^FRAME_ERROR - .*frame_too_large,5000,4088/)),
  );
});

it('takes frames of the size that was negotiated', async () => {
  const raw = await broker.dial();
  await raw.open({ frameMax: 4096 });
  await raw.openChannel(1);
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  const body = Buffer.alloc(4088, 'x');
  raw.send(1, 'basic.publish', { routingKey: queue });
  raw.write(encodeContent(1, {}, body, 4088));
  raw.send(1, 'basic.get', { queue, noAck: true });
  expect((await raw.message(1)).body.equals(body)).toBe(true);
});

it('takes a heartbeat on channel 0 at any time', async () => {
  const raw = await broker.raw();
  raw.heartbeat();
  expect((await raw.call(1, 'basic.qos')).name).toBe('basic.qos-ok');
});

it('refuses a heartbeat on another channel', async () => {
  const raw = await broker.raw();
  raw.write(encodeFrame(FRAME_HEARTBEAT, 1, Buffer.alloc(0)));
  expect(await raw.next()).toMatchObject(
    connectionClose(505, expect.stringMatching(/^UNEXPECTED_FRAME - type 8, /)),
  );
});

it('refuses an unknown frame type', async () => {
  const raw = await broker.raw();
  raw.write(encodeFrame(7, 1, Buffer.from('what')));
  expect(await raw.next()).toMatchObject(
    connectionClose(501, expect.stringMatching(/^FRAME_ERROR - type 7, .*unknown_frame/)),
  );
});

it('refuses content that no method announced', async () => {
  for (const type of [FRAME_HEADER, FRAME_BODY]) {
    const raw = await broker.raw();
    raw.write(encodeFrame(type, 1, encodeHeaderPayload(1)));
    expect(await raw.next()).toMatchObject(
      connectionClose(
        505,
        'UNEXPECTED_FRAME - expected method frame, got non method frame instead',
      ),
    );
  }
});

it('refuses a body where it expects the content header', async () => {
  const raw = await broker.raw();
  raw.send(1, 'basic.publish', { routingKey: 'x' });
  raw.write(encodeFrame(FRAME_BODY, 1, Buffer.from('x')));
  expect(await raw.next()).toMatchObject(
    connectionClose(
      505,
      'UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead',
      'basic.publish',
    ),
  );
});

it('refuses a method where it expects the content header', async () => {
  const raw = await broker.raw();
  raw.send(1, 'basic.publish', { routingKey: 'x' });
  raw.send(1, 'basic.qos');
  expect(await raw.next()).toMatchObject(
    connectionClose(
      505,
      'UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead',
      'basic.publish',
    ),
  );
});

it('refuses a method where it expects a body', async () => {
  const raw = await broker.raw();
  raw.send(1, 'basic.publish', { routingKey: 'x' });
  raw.write(encodeFrame(FRAME_HEADER, 1, encodeHeaderPayload(5)));
  raw.send(1, 'basic.qos');
  expect(await raw.next()).toMatchObject(
    connectionClose(
      505,
      'UNEXPECTED_FRAME - expected content body, got non content body frame instead',
      'basic.publish',
    ),
  );
});

it('refuses a content header of another class', async () => {
  const raw = await broker.raw();
  const payload = encodeHeaderPayload(1);
  payload.writeUInt16BE(50, 0);
  raw.send(1, 'basic.publish', { routingKey: 'x' });
  raw.write(encodeFrame(FRAME_HEADER, 1, payload));
  expect(await raw.next()).toMatchObject(
    connectionClose(
      505,
      'UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead',
      'basic.publish',
    ),
  );
});

it('refuses a body longer than its header announced', async () => {
  const raw = await broker.raw();
  await raw.openChannel(2);
  raw.send(1, 'basic.publish', { routingKey: 'x' });
  raw.write(encodeFrame(FRAME_HEADER, 1, encodeHeaderPayload(3)));
  raw.write(encodeFrame(FRAME_BODY, 1, Buffer.from('four')));
  // RabbitMQ 3.10 swallows the body and waits for the rest of it for ever.
  const name = expectedFor({ rabbitmq: 'basic.qos-ok', leveret: 'connection.close' });
  expect((await raw.call(2, 'basic.qos')).name).toBe(name);
});

it('refuses a body after a header that announced none', async () => {
  const raw = await broker.raw();
  raw.send(1, 'basic.publish', { routingKey: 'x' });
  raw.write(encodeFrame(FRAME_HEADER, 1, encodeHeaderPayload(0)));
  raw.write(encodeFrame(FRAME_BODY, 1, Buffer.from('x')));
  expect(await raw.next()).toMatchObject(
    connectionClose(505, 'UNEXPECTED_FRAME - expected method frame, got non method frame instead'),
  );
});

it('lets frames of two channels interleave inside a content', async () => {
  const raw = await broker.raw();
  await raw.openChannel(2);
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  for (const channel of [1, 2]) raw.send(channel, 'basic.publish', { routingKey: queue });
  for (const channel of [1, 2]) {
    raw.write(encodeFrame(FRAME_HEADER, channel, encodeHeaderPayload(4)));
  }
  for (const piece of ['ab', 'cd']) {
    for (const channel of [1, 2]) {
      const text = channel === 1 ? piece : piece.toUpperCase();
      raw.write(encodeFrame(FRAME_BODY, channel, Buffer.from(text)));
    }
  }
  await raw.call(2, 'basic.qos');
  const bodies: string[] = [];
  for (let i = 0; i < 2; i += 1) {
    raw.send(1, 'basic.get', { queue, noAck: true });
    bodies.push((await raw.message(1)).body.toString());
  }
  expect(bodies.sort()).toEqual(['ABCD', 'abcd']);
});

it('refuses a method on a channel that is not open', async () => {
  const raw = await broker.raw();
  expect(await raw.call(5, 'queue.declare', { queue: 'x' })).toMatchObject(
    connectionClose(504, "CHANNEL_ERROR - expected 'channel.open'", 'queue.declare'),
  );
});

it('refuses to open a channel twice', async () => {
  const raw = await broker.raw();
  expect(await raw.call(1, 'channel.open')).toMatchObject(
    connectionClose(504, "CHANNEL_ERROR - second 'channel.open' seen", 'channel.open'),
  );
});

it('refuses more open channels than channel_max, whatever their numbers', async () => {
  const raw = await broker.raw({ channelMax: 3 });
  await raw.openChannel(2);
  await raw.openChannel(9);
  expect(await raw.call(3, 'channel.open')).toMatchObject(
    connectionClose(
      530,
      'NOT_ALLOWED - number of channels opened (3) has reached the negotiated channel_max (3)',
    ),
  );
});

it('counts closed channels no longer', async () => {
  const raw = await broker.raw({ channelMax: 2 });
  for (let channel = 2; channel < 10; channel += 1) {
    await raw.openChannel(channel);
    await raw.call(channel, 'channel.close', { replyCode: 200 });
  }
  expect((await raw.call(1, 'basic.qos')).name).toBe('basic.qos-ok');
});

it('refuses truncated method arguments', async () => {
  const raw = await broker.raw();
  const payload = encodeMethodPayload('queue.declare', { queue: 'a-name' });
  raw.write(encodeFrame(FRAME_METHOD, 1, payload.subarray(0, 9)));
  expect(await raw.next()).toMatchObject(
    connectionClose(501, expect.stringMatching(/^FRAME_ERROR - cannot decode /), 'queue.declare'),
  );
});

it('refuses a method frame without the ids of a method', async () => {
  const raw = await broker.raw();
  raw.write(encodeFrame(FRAME_METHOD, 1, Buffer.from([0, 60])));
  expect(await raw.next()).toMatchObject(
    connectionClose(501, expect.stringMatching(/^FRAME_ERROR - /)),
  );
});

it('refuses a field table with an unknown type', async () => {
  const raw = await broker.raw();
  const table = Buffer.concat([Buffer.from([0, 0, 0, 4, 1]), Buffer.from('aZ1')]);
  const reply = await raw.call(1, 'queue.declare', { queue: broker.name(), arguments: table });
  expect(GONE).toContain(reply.name);
});

it('refuses an unknown method', async () => {
  const raw = await broker.raw();
  raw.write(encodeFrame(FRAME_METHOD, 1, Buffer.from([0, 60, 0, 99])));
  expect(GONE).toContain((await raw.next()).name);
});

it('refuses methods that only a server sends', async () => {
  for (const name of ['queue.declare-ok', 'basic.get-empty', 'channel.open-ok']) {
    const raw = await broker.raw();
    expect(await raw.call(1, name)).toMatchObject(
      connectionClose(503, 'COMMAND_INVALID - unimplemented method', name),
    );
  }
});

it('refuses a channel method on channel 0', async () => {
  const raw = await broker.raw();
  expect(await raw.call(0, 'channel.open')).toMatchObject(
    connectionClose(
      504,
      'CHANNEL_ERROR - unexpected method in connection state running',
      'channel.open',
    ),
  );
});

it('refuses a connection method on a channel', async () => {
  const raw = await broker.raw();
  expect(await raw.call(1, 'connection.close', { replyCode: 200 })).toMatchObject(
    connectionClose(503, 'COMMAND_INVALID - unimplemented method', 'connection.close'),
  );
});

it('refuses to open a connection twice', async () => {
  const raw = await broker.raw();
  expect(await raw.call(0, 'connection.open', { virtualHost: '/' })).toMatchObject(
    connectionClose(
      504,
      'CHANNEL_ERROR - unexpected method in connection state running',
      'connection.open',
    ),
  );
});

it('takes a publish that is cut at any octet', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  const properties = { contentType: 'text/plain', headers: { a: 1 }, deliveryMode: 1 };
  const bytes = Buffer.concat([
    encodeMethod(1, 'basic.publish', { routingKey: queue }),
    encodeContent(1, properties, Buffer.from('a body in two pieces'), 10),
  ]);
  for (let at = 1; at < bytes.length; at += 1) {
    raw.write(bytes.subarray(0, at));
    await new Promise((resolve) => setImmediate(resolve));
    raw.write(bytes.subarray(at));
    raw.send(1, 'basic.get', { queue, noAck: true });
    const message = await raw.message(1);
    expect(message.method.name).toBe('basic.get-ok');
    expect(message.body.toString()).toBe('a body in two pieces');
    expect(message.properties['contentType']).toBe('text/plain');
  }
});

it('takes a publish that comes octet by octet', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  const bytes = Buffer.concat([
    encodeMethod(1, 'basic.publish', { routingKey: queue }),
    encodeContent(1, {}, Buffer.from('slow')),
    encodeMethod(1, 'basic.get', { queue, noAck: true }),
  ]);
  for (const octet of bytes) {
    raw.write(Buffer.from([octet]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect((await raw.message(1)).body.toString()).toBe('slow');
});

it('keeps an error on one channel away from the others', async () => {
  const raw = await broker.raw();
  await raw.openChannel(2);
  const reply = await raw.call(1, 'queue.declare', { queue: broker.name(), passive: true });
  expect(reply).toMatchObject(channelClose(404, expect.any(String), 'queue.declare'));
  expect((await raw.call(2, 'basic.qos')).name).toBe('basic.qos-ok');
});
