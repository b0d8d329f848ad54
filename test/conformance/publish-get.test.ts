// basic.publish and basic.get: contents kept octet by octet, counts, returns, refused publishes.
import { expect, it } from 'vitest';
import { channelClose, expectedFor, useBroker } from '../support/amqp.ts';
import {
  encodeFrame,
  encodeHeaderPayload,
  encodeMethod,
  FRAME_BODY,
  FRAME_HEADER,
  typed,
} from '../support/amqp-wire.ts';

const broker = useBroker();

async function rawQueue() {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  const get = (noAck = true) => {
    raw.send(1, 'basic.get', { queue, noAck });
    return raw.message(1);
  };
  return { raw, queue, get };
}

it('says so where a queue is empty', async () => {
  const { raw, queue } = await rawQueue();
  expect(await raw.call(1, 'basic.get', { queue })).toEqual({
    name: 'basic.get-empty',
    channel: 1,
    clusterId: '',
  });
});

it('counts what is left and numbers the deliveries', async () => {
  const { raw, queue, get } = await rawQueue();
  for (const body of ['a', 'b', 'c']) {
    raw.publish(1, { routingKey: queue }, {}, Buffer.from(body));
  }
  for (const [index, body] of ['a', 'b', 'c'].entries()) {
    const message = await get(index !== 1);
    expect(message.body.toString()).toBe(body);
    expect(message.method).toEqual({
      name: 'basic.get-ok',
      channel: 1,
      deliveryTag: index + 1,
      redelivered: false,
      exchange: '',
      routingKey: queue,
      messageCount: 2 - index,
    });
  }
});

it('marks a message that was gotten before as redelivered', async () => {
  const { raw, queue, get } = await rawQueue();
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('x'));
  const first = await get(false);
  expect(first.method).toMatchObject({ deliveryTag: 1, redelivered: false });
  raw.send(1, 'basic.reject', { deliveryTag: 1, requeue: true });
  const second = await get(true);
  expect(second.method).toMatchObject({ deliveryTag: 2, redelivered: true });
});

it('removes a message that was gotten without acks', async () => {
  const { raw, queue, get } = await rawQueue();
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('x'));
  await get(true);
  await raw.call(1, 'channel.close', { replyCode: 200 });
  await raw.openChannel(1);
  expect((await raw.call(1, 'basic.get', { queue })).name).toBe('basic.get-empty');
});

it('refuses to get from a missing queue', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  expect(await raw.call(1, 'basic.get', { queue })).toMatchObject(
    channelClose(404, `NOT_FOUND - no queue '${queue}' in vhost '/'`, 'basic.get'),
  );
});

it('keeps properties and headers of every type octet by octet', async () => {
  const { raw, queue, get } = await rawQueue();
  const header = encodeHeaderPayload(4, {
    contentType: 'application/json',
    contentEncoding: 'gzip',
    deliveryMode: 2,
    priority: 7,
    correlationId: 'corrélation',
    replyTo: 'somewhere',
    expiration: '60000',
    messageId: 'id-1',
    timestamp: 1_700_000_000,
    type: 'greeting',
    userId: 'guest',
    appId: 'suite',
    clusterId: 'ignored by all',
    headers: {
      string: 'text',
      binary: Buffer.from([0, 255, 1]),
      yes: true,
      no: false,
      nothing: null,
      int8: typed('b', -5),
      uint8: typed('B', 250),
      int16: typed('s', -300),
      uint16: typed('u', 60000),
      int32: typed('I', -70000),
      uint32: typed('i', 4_000_000_000),
      int64: typed('l', -(2 ** 40)),
      time: typed('T', 1_700_000_000),
      float: typed('f', 0.5),
      double: typed('d', Math.PI),
      decimal: typed('D', Buffer.from([2, 0, 0, 1, 0])),
      table: { inner: { deeper: typed('s', 1) }, empty: {} },
      array: [typed('I', 1), 'two', [true], { four: null }],
      '': 'empty key',
      żółw: 'ключ',
    },
  });
  raw.write(encodeMethod(1, 'basic.publish', { routingKey: queue }));
  raw.write(encodeFrame(FRAME_HEADER, 1, header));
  raw.write(encodeFrame(FRAME_BODY, 1, Buffer.from('body')));
  const message = await get();
  expect(Buffer.compare(message.header['payload'] as Buffer, header)).toBe(0);
  expect(message.body.toString()).toBe('body');
});

it('keeps the absence of properties', async () => {
  const { raw, queue, get } = await rawQueue();
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('x'));
  expect((await get()).properties).toEqual({});
});

it('keeps empty strings and an empty table among the properties', async () => {
  const { raw, queue, get } = await rawQueue();
  const properties = { contentType: '', headers: {}, correlationId: '', priority: 0, timestamp: 0 };
  raw.publish(1, { routingKey: queue }, properties, Buffer.from('x'));
  expect((await get()).properties).toEqual(properties);
});

it('carries empty bodies, and bodies of every size about a frame', async () => {
  const { raw, queue, get } = await rawQueue();
  const frame = 131072 - 8;
  for (const size of [0, 1, 4087, 4088, 4089, frame - 1, frame, frame + 1, 300 * 1024]) {
    const body = Buffer.alloc(size);
    for (let i = 0; i < size; i += 1) body[i] = (i * 7) & 0xff;
    raw.publish(1, { routingKey: queue }, {}, body);
    const message = await get();
    expect(message.header['bodySize']).toBe(size);
    expect(message.body.equals(body)).toBe(true);
  }
});

it('returns a mandatory message that no queue takes', async () => {
  const raw = await broker.raw();
  const properties = { contentType: 'text/plain', headers: { a: typed('I', 1) } };
  raw.publish(
    1,
    { exchange: 'amq.direct', routingKey: broker.name(), mandatory: true },
    properties,
    Buffer.from('back'),
  );
  const message = await raw.message(1);
  expect(message.method).toMatchObject({
    name: 'basic.return',
    replyCode: 312,
    replyText: 'NO_ROUTE',
    exchange: 'amq.direct',
  });
  expect(message.properties).toEqual(properties);
  expect(message.body.toString()).toBe('back');
});

it('does not return a mandatory message that a queue takes', async () => {
  const { raw, queue, get } = await rawQueue();
  raw.publish(1, { routingKey: queue, mandatory: true }, {}, Buffer.from('x'));
  expect((await get()).method.name).toBe('basic.get-ok');
  expect(raw.unread()).toEqual([]);
});

it('drops a message that no queue takes without a word', async () => {
  const raw = await broker.raw();
  raw.publish(1, { exchange: 'amq.direct', routingKey: broker.name() }, {}, Buffer.from('x'));
  expect((await raw.call(1, 'basic.qos')).name).toBe('basic.qos-ok');
});

it('refuses an expiration that is no whole number', async () => {
  const { raw, queue } = await rawQueue();
  const cases: [string, string][] = [
    ['abc', 'no_integer'],
    ['', 'no_integer'],
    ['-1', '{value_negative,-1}'],
    ['1.5', '{leftover_string,".5"}'],
    ['5x', '{leftover_string,"x"}'],
  ];
  for (const [expiration, reason] of cases) {
    raw.publish(1, { routingKey: queue }, { expiration }, Buffer.from('x'));
    expect(await raw.next(1)).toMatchObject(
      channelClose(
        406,
        `PRECONDITION_FAILED - invalid expiration '${expiration}': ${reason}`,
        'basic.publish',
      ),
    );
    raw.send(1, 'channel.close-ok');
    await raw.openChannel(1);
  }
});

it('refuses a user id that is not the user of the connection', async () => {
  const { raw, queue } = await rawQueue();
  raw.publish(1, { routingKey: queue }, { userId: 'joe' }, Buffer.from('x'));
  expect(await raw.next(1)).toMatchObject(
    channelClose(
      406,
      `PRECONDITION_FAILED - user_id property set to 'joe' but authenticated user was '${raw.endpoint.user}'`,
      'basic.publish',
    ),
  );
});

it('sends copies to the keys of CC and BCC and shows only CC', async () => {
  const { raw, queue, get } = await rawQueue();
  const [cc, bcc] = [broker.name(), broker.name()];
  await raw.call(1, 'queue.declare', { queue: cc });
  await raw.call(1, 'queue.declare', { queue: bcc });
  const headers = { CC: [cc, queue], BCC: [bcc] };
  raw.publish(1, { routingKey: queue }, { headers }, Buffer.from('x'));
  expect((await get()).properties).toEqual({ headers: { CC: [cc, queue] } });
  expect((await raw.call(1, 'basic.get', { queue })).name).toBe('basic.get-empty');
  for (const copy of [cc, bcc]) {
    raw.send(1, 'basic.get', { queue: copy, noAck: true });
    const message = await raw.message(1);
    expect(message.method['routingKey']).toBe(queue);
    expect(message.properties).toEqual({ headers: { CC: [cc, queue] } });
  }
});

it('refuses CC and BCC that are no arrays', async () => {
  const { raw, queue } = await rawQueue();
  for (const key of ['CC', 'BCC']) {
    raw.publish(1, { routingKey: queue }, { headers: { [key]: 'x' } }, Buffer.from('x'));
    expect(await raw.next(1)).toMatchObject(
      channelClose(
        406,
        `PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"${key}",longstr}`,
        'basic.publish',
      ),
    );
    raw.send(1, 'channel.close-ok');
    await raw.openChannel(1);
  }
});

it('takes a delivery mode that means nothing as transient', async () => {
  const { raw, queue, get } = await rawQueue();
  raw.publish(1, { routingKey: queue }, { deliveryMode: 3 }, Buffer.from('x'));
  // RabbitMQ does so from 3.13 on.
  if (expectedFor({ rabbitmq: true, leveret: false })) {
    const text = 'PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,3}';
    expect(await raw.next(1)).toMatchObject(channelClose(406, text, 'basic.publish'));
  } else {
    expect((await get()).properties).toEqual({ deliveryMode: 3 });
  }
});
