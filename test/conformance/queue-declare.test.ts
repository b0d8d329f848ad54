// Declaring queues: names, flags, equivalence, argument checks.
import { expect, it } from 'vitest';
import { channelClose, useBroker } from '../support/amqp.ts';
import { typed } from '../support/amqp-wire.ts';

const broker = useBroker();
const DECLARE = 'queue.declare';

it('gives the counts of ready messages and consumers', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  expect(await raw.call(1, DECLARE, { queue })).toEqual({
    name: 'queue.declare-ok',
    channel: 1,
    queue,
    messageCount: 0,
    consumerCount: 0,
  });
  for (let i = 0; i < 3; i += 1) raw.publish(1, { routingKey: queue });
  await raw.call(1, 'basic.qos', { prefetchCount: 2 });
  await raw.call(1, 'basic.consume', { queue });
  await raw.message(1);
  await raw.message(1);
  await raw.openChannel(2);
  expect(await raw.call(2, DECLARE, { queue, passive: true })).toMatchObject({
    messageCount: 1,
    consumerCount: 1,
  });
});

it('makes up a name where none is given', async () => {
  const raw = await broker.raw();
  const first = await raw.call(1, DECLARE, { exclusive: true });
  const second = await raw.call(1, DECLARE, { exclusive: true });
  expect(first['queue']).toMatch(/^amq\.gen-[A-Za-z0-9_-]{22}$/);
  expect(second['queue']).not.toBe(first['queue']);
});

it('takes an empty name for the queue declared last on the channel', async () => {
  const raw = await broker.raw();
  const { queue } = await raw.call(1, DECLARE, { exclusive: true });
  expect((await raw.call(1, 'queue.bind', { exchange: 'amq.direct' })).name).toBe('queue.bind-ok');
  raw.publish(1, { exchange: 'amq.direct', routingKey: String(queue) }, {}, Buffer.from('mine'));
  raw.send(1, 'basic.get', { noAck: true });
  expect((await raw.message(1)).body.toString()).toBe('mine');
  expect((await raw.call(1, 'queue.purge')).name).toBe('queue.purge-ok');
  expect((await raw.call(1, 'basic.consume')).name).toBe('basic.consume-ok');
  expect((await raw.call(1, 'queue.delete')).name).toBe('queue.delete-ok');
});

it('remembers a queue that was declared by name, passively too', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, DECLARE, { queue });
  await raw.openChannel(2);
  await raw.call(2, DECLARE, { queue, passive: true });
  raw.publish(2, { routingKey: queue }, {}, Buffer.from('x'));
  raw.send(2, 'basic.get', { noAck: true });
  expect((await raw.message(2)).body.toString()).toBe('x');
});

it('refuses an empty name where the channel has declared none', async () => {
  const raw = await broker.raw();
  const cases: [string, object][] = [
    ['queue.bind', { exchange: 'amq.direct', routingKey: 'k' }],
    ['queue.unbind', { exchange: 'amq.direct', routingKey: 'k' }],
    ['queue.purge', {}],
    ['queue.delete', {}],
    ['basic.get', {}],
    ['basic.consume', {}],
  ];
  for (const [name, fields] of cases) {
    expect(await raw.attempt(name, { ...fields })).toMatchObject(
      channelClose(404, 'NOT_FOUND - no previously declared queue', name),
    );
  }
});

it('finds nothing passively where nothing is', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  expect(await raw.call(1, DECLARE, { queue, passive: true })).toMatchObject(
    channelClose(404, `NOT_FOUND - no queue '${queue}' in vhost '/'`, DECLARE),
  );
});

it('ignores flags and arguments of a passive declaration', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, DECLARE, { queue });
  const reply = await raw.call(1, DECLARE, {
    queue,
    passive: true,
    durable: true,
    autoDelete: true,
    arguments: { 'x-max-length': 5 },
  });
  expect(reply.name).toBe('queue.declare-ok');
});

it('answers nothing to a declaration with nowait, but closes for its errors', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  raw.send(1, DECLARE, { queue, nowait: true });
  expect(await raw.call(1, DECLARE, { queue, passive: true })).toMatchObject({ queue });
  raw.send(1, DECLARE, { queue, durable: true, nowait: true });
  expect(await raw.next(1)).toMatchObject({ name: 'channel.close', replyCode: 406 });
});

it('keeps names that start with amq. to itself', async () => {
  const raw = await broker.raw();
  expect(await raw.attempt(DECLARE, { queue: 'amq.mine' })).toMatchObject(
    channelClose(
      403,
      "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'",
      DECLARE,
    ),
  );
  expect(await raw.attempt(DECLARE, { queue: 'amq.mine', passive: true })).toMatchObject({
    replyCode: 404,
  });
  const { queue } = await raw.call(1, DECLARE, { exclusive: true });
  expect(await raw.call(1, DECLARE, { queue, passive: true })).toMatchObject({ queue });
  expect(await raw.call(1, DECLARE, { queue, exclusive: true })).toMatchObject({ replyCode: 403 });
});

it('takes an empty name of a passive declaration as it stands', async () => {
  const raw = await broker.raw();
  await raw.call(1, DECLARE, { exclusive: true });
  expect(await raw.call(1, DECLARE, { passive: true })).toMatchObject(
    channelClose(404, "NOT_FOUND - no queue '' in vhost '/'", DECLARE),
  );
});

it('refuses a declaration with other flags', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, DECLARE, { queue, durable: true });
  const where = `for queue '${queue}' in vhost '/'`;
  const cases: [object, string][] = [
    [{}, `'durable' ${where}: received 'false' but current is 'true'`],
    [
      { durable: true, autoDelete: true },
      `'auto_delete' ${where}: received 'true' but current is 'false'`,
    ],
  ];
  for (const [flags, text] of cases) {
    expect(await raw.attempt(DECLARE, { queue, ...flags })).toMatchObject(
      channelClose(406, `PRECONDITION_FAILED - inequivalent arg ${text}`, DECLARE),
    );
  }
  expect((await raw.attempt(DECLARE, { queue, autoDelete: true }))['replyText']).toMatch(
    /inequivalent arg 'durable'/,
  );
});

it('refuses a declaration with other arguments', async () => {
  const raw = await broker.raw();
  const plain = broker.name();
  const limited = broker.name();
  await raw.call(1, DECLARE, { queue: plain });
  await raw.call(1, DECLARE, {
    queue: limited,
    arguments: { 'x-message-ttl': typed('I', 1000), 'x-dead-letter-exchange': 'dead' },
  });
  const ttl = "'x-message-ttl' for queue";
  const cases: [string, object, string][] = [
    [
      plain,
      { 'x-message-ttl': typed('I', 5) },
      `${ttl} '${plain}' in vhost '/': received the value '5' of type 'signedint' but current is none`,
    ],
    [
      plain,
      { 'x-message-ttl': typed('l', 5) },
      `${ttl} '${plain}' in vhost '/': received the value '5' of type 'long' but current is none`,
    ],
    [
      plain,
      { 'x-overflow': 'reject-publish' },
      `'x-overflow' for queue '${plain}' in vhost '/': received the value 'reject-publish' of type 'longstr' but current is none`,
    ],
    [
      limited,
      { 'x-dead-letter-exchange': 'dead' },
      `${ttl} '${limited}' in vhost '/': received none but current is the value '1000' of type 'signedint'`,
    ],
    [
      limited,
      { 'x-message-ttl': 2000, 'x-dead-letter-exchange': 'dead' },
      `${ttl} '${limited}' in vhost '/': received '2000' but current is '1000'`,
    ],
    [
      limited,
      { 'x-message-ttl': 1000, 'x-dead-letter-exchange': 'other' },
      `'x-dead-letter-exchange' for queue '${limited}' in vhost '/': received 'other' but current is 'dead'`,
    ],
  ];
  for (const [queue, args, text] of cases) {
    expect(await raw.attempt(DECLARE, { queue, arguments: args })).toMatchObject(
      channelClose(406, `PRECONDITION_FAILED - inequivalent arg ${text}`, DECLARE),
    );
  }
});

it('holds integers of any width to be equal', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, DECLARE, { queue, arguments: { 'x-max-length': typed('b', 5) } });
  for (const tag of ['b', 'B', 's', 'u', 'I', 'i', 'l']) {
    const reply = await raw.attempt(DECLARE, {
      queue,
      arguments: { 'x-max-length': typed(tag, 5) },
    });
    expect(reply.name, tag).toBe('queue.declare-ok');
  }
});

it('takes an absent queue type for classic', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, DECLARE, { queue });
  const reply = await raw.attempt(DECLARE, { queue, arguments: { 'x-queue-type': 'classic' } });
  expect(reply.name).toBe('queue.declare-ok');
});

it('neither minds nor compares arguments it does not know', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, DECLARE, { queue, arguments: { 'x-of-mine': 'one' } });
  const reply = await raw.attempt(DECLARE, { queue, arguments: { 'x-of-mine': 'two' } });
  expect(reply.name).toBe('queue.declare-ok');
});

it('refuses arguments of the wrong type or range', async () => {
  const raw = await broker.raw();
  const cases: [string, unknown, string][] = [
    ['x-message-ttl', -1, '{value_negative,-1}'],
    ['x-message-ttl', 'soon', '"expected integer, got longstr"'],
    ['x-message-ttl', typed('d', 1.5), '"expected integer, got double"'],
    ['x-expires', 0, '{value_zero,0}'],
    ['x-expires', -1, '{value_negative,-1}'],
    ['x-max-length', -5, '{value_negative,-5}'],
    ['x-max-length', null, '"expected integer, got void"'],
    ['x-max-length-bytes', true, '"expected integer, got bool"'],
    ['x-dead-letter-routing-key', 'k', 'routing_key_but_no_dlx_defined'],
    ['x-overflow', 'explode', 'invalid_overflow'],
    ['x-overflow', 1, '{unacceptable_type,signedint}'],
    ['x-max-priority', 256, '{max_value_exceeded,256}'],
    ['x-max-priority', -1, '{value_negative,-1}'],
    ['x-single-active-consumer', 1, '{unacceptable_type,signedint}'],
    ['x-queue-type', 'odd', '"unsupported queue type \'odd\'"'],
    ['x-queue-type', 1, '{unacceptable_type,signedint}'],
    ['x-queue-mode', 'odd', '"unsupported queue mode \'odd\'"'],
    ['x-queue-version', 3, '"unsupported queue version \'3\'"'],
  ];
  for (const [key, value, reason] of cases) {
    const queue = broker.name();
    const reply = await raw.attempt(DECLARE, { queue, arguments: { [key]: value } });
    const text = `PRECONDITION_FAILED - invalid arg '${key}' for queue '${queue}' in vhost '/'`;
    expect(reply).toMatchObject(channelClose(406, `${text}: ${reason}`, DECLARE));
  }
});

it('refuses a dead-letter exchange that is not a string', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  const reply = await raw.call(1, DECLARE, { queue, arguments: { 'x-dead-letter-exchange': 5 } });
  expect(reply['replyText']).toBe(
    `PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue '${queue}' in vhost '/'`,
  );
});

it('takes arguments at the edges of their range', async () => {
  const raw = await broker.raw();
  for (const args of [
    { 'x-message-ttl': 0 },
    { 'x-message-ttl': typed('l', 4294967296) },
    { 'x-max-length': 0 },
    { 'x-max-length-bytes': 0 },
    { 'x-max-priority': 0 },
    { 'x-max-priority': typed('B', 255) },
    { 'x-dead-letter-exchange': '' },
    { 'x-dead-letter-exchange': 'nowhere', 'x-dead-letter-routing-key': '' },
    { 'x-overflow': 'reject-publish-dlx' },
    { 'x-queue-mode': 'lazy' },
    { 'x-queue-version': 2 },
    { 'x-single-active-consumer': true },
  ]) {
    const reply = await raw.attempt(DECLARE, { queue: broker.name(), arguments: args });
    expect(reply.name, JSON.stringify(args)).toBe('queue.declare-ok');
  }
});

it('takes names of up to 255 octets of any script', async () => {
  const raw = await broker.raw();
  const base = broker.name();
  for (const queue of [`${base}${'x'.repeat(255 - base.length)}`, `${base}-żółw-🐢`]) {
    expect(await raw.call(1, DECLARE, { queue, exclusive: true })).toMatchObject({ queue });
  }
});

it('refuses its owner, too, to declare an exclusive queue as not exclusive, before anything else', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, DECLARE, { queue, exclusive: true, durable: true });
  for (const odd of [
    {},
    { durable: true },
    { autoDelete: true, arguments: { 'x-expires': 'odd' } },
  ]) {
    const reply = await raw.call(1, DECLARE, { queue, ...odd });
    expect(reply).toMatchObject({ replyCode: 405 });
    raw.send(1, 'channel.close-ok', {});
    await raw.openChannel(1);
  }
  const plain = await raw.call(1, DECLARE, { queue: broker.name(), durable: true });
  const again = { queue: plain['queue'], exclusive: true, autoDelete: true };
  expect(await raw.call(1, DECLARE, again)).toMatchObject({ replyCode: 405 });
});
