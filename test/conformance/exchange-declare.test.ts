// Declaring and deleting exchanges: types, flags, equivalence, reserved names, lifetimes.
import { expect, it } from 'vitest';
import { channelClose, connectionClose, eventually, useBroker } from '../support/amqp.ts';

const broker = useBroker();
const DECLARE = 'exchange.declare';

it('declares every standard type, and again without harm', async () => {
  const raw = await broker.raw();
  for (const type of ['direct', 'fanout', 'topic', 'headers']) {
    const exchange = broker.name('x');
    for (let i = 0; i < 2; i += 1) {
      const reply = await raw.call(1, DECLARE, { exchange, type, durable: true });
      expect(reply).toEqual({ name: 'exchange.declare-ok', channel: 1 });
    }
  }
});

it('has the predeclared exchanges', async () => {
  const raw = await broker.raw();
  const types = { direct: 'direct', fanout: 'fanout', topic: 'topic', headers: 'headers' };
  for (const [name, type] of Object.entries({ ...types, match: 'headers' })) {
    const exchange = `amq.${name}`;
    expect((await raw.call(1, DECLARE, { exchange, passive: true })).name).toBe(
      'exchange.declare-ok',
    );
    expect((await raw.call(1, DECLARE, { exchange, type, durable: true })).name).toBe(
      'exchange.declare-ok',
    );
  }
});

it('finds nothing passively where nothing is', async () => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  expect(await raw.call(1, DECLARE, { exchange, passive: true })).toMatchObject(
    channelClose(404, `NOT_FOUND - no exchange '${exchange}' in vhost '/'`, DECLARE),
  );
});

it('ignores type and flags of a passive declaration', async () => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  await raw.call(1, DECLARE, { exchange, type: 'fanout', durable: true });
  const reply = await raw.call(1, DECLARE, { exchange, type: 'direct', passive: true });
  expect(reply.name).toBe('exchange.declare-ok');
});

it('answers nothing to a declaration with nowait', async () => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  raw.send(1, DECLARE, { exchange, type: 'direct', nowait: true });
  expect((await raw.call(1, DECLARE, { exchange, passive: true })).name).toBe(
    'exchange.declare-ok',
  );
  raw.send(1, 'exchange.delete', { exchange, nowait: true });
  expect((await raw.call(1, DECLARE, { exchange, passive: true })).name).toBe('channel.close');
});

it('refuses a declaration that differs', async () => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  await raw.call(1, DECLARE, { exchange, type: 'direct' });
  const cases: [object, string][] = [
    [{ type: 'fanout' }, "'type' for exchange '%': received 'fanout' but current is 'direct'"],
    [{ durable: true }, "'durable' for exchange '%': received 'true' but current is 'false'"],
    [
      { autoDelete: true },
      "'auto_delete' for exchange '%': received 'true' but current is 'false'",
    ],
    [{ internal: true }, "'internal' for exchange '%': received 'true' but current is 'false'"],
    [
      { arguments: { 'alternate-exchange': 'other' } },
      "'alternate-exchange' for exchange '%': received the value 'other' of type 'longstr' but current is none",
    ],
  ];
  for (const [difference, text] of cases) {
    const reply = await raw.attempt(DECLARE, { exchange, type: 'direct', ...difference });
    const expected = text.replace("'%'", `'${exchange}' in vhost '/'`);
    expect(reply).toMatchObject(
      channelClose(406, `PRECONDITION_FAILED - inequivalent arg ${expected}`, DECLARE),
    );
  }
});

it('names the first difference only: type before the flags', async () => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  await raw.call(1, DECLARE, { exchange, type: 'direct' });
  const reply = await raw.attempt(DECLARE, {
    exchange,
    type: 'topic',
    durable: true,
    autoDelete: true,
    internal: true,
  });
  expect(reply['replyText']).toMatch(/^PRECONDITION_FAILED - inequivalent arg 'type' for/);
});

it('compares no argument but the alternate exchange', async () => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  await raw.call(1, DECLARE, { exchange, type: 'direct', arguments: { 'x-mine': 1 } });
  expect((await raw.attempt(DECLARE, { exchange, type: 'direct' })).name).toBe(
    'exchange.declare-ok',
  );
});

it('keeps names that start with amq. to itself', async () => {
  const raw = await broker.raw();
  expect(await raw.call(1, DECLARE, { exchange: 'amq.mine', type: 'direct' })).toMatchObject(
    channelClose(
      403,
      "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'",
      DECLARE,
    ),
  );
});

it('compares a predeclared exchange before it looks at the reserved prefix', async () => {
  const raw = await broker.raw();
  const reply = await raw.call(1, DECLARE, { exchange: 'amq.direct', type: 'fanout' });
  expect(reply['replyText']).toBe(
    "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'amq.direct' in vhost '/': received 'fanout' but current is 'direct'",
  );
});

it('permits nothing on the default exchange', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue });
  const text = 'ACCESS_REFUSED - operation not permitted on the default exchange';
  const cases: [string, object][] = [
    [DECLARE, { exchange: '', type: 'direct', durable: true }],
    [DECLARE, { exchange: '', passive: true }],
    ['exchange.delete', { exchange: '' }],
    ['queue.bind', { queue, exchange: '', routingKey: 'k' }],
    ['queue.unbind', { queue, exchange: '', routingKey: queue }],
    ['exchange.bind', { source: '', destination: 'amq.fanout' }],
    ['exchange.bind', { source: 'amq.fanout', destination: '' }],
  ];
  for (const [name, fields] of cases) {
    expect(await raw.attempt(name, { ...fields })).toMatchObject(channelClose(403, text, name));
  }
});

it.each([
  ['no-such-type', 'unknown'],
  ['x-none', 'unknown'],
  ['none', 'invalid'],
  ['queue', 'invalid'],
  ['', 'invalid'],
])('refuses the type "%s" as %s', async (type, kind) => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  expect(await raw.call(1, DECLARE, { exchange, type })).toMatchObject(
    connectionClose(503, `COMMAND_INVALID - ${kind} exchange type '${type}'`, DECLARE),
  );
});

it('deletes a missing exchange without complaint', async () => {
  const raw = await broker.raw();
  const reply = await raw.call(1, 'exchange.delete', { exchange: broker.name('x') });
  expect(reply.name).toBe('exchange.delete-ok');
});

it('deletes no exchange with a reserved name, there or not', async () => {
  const raw = await broker.raw();
  for (const exchange of ['amq.topic', 'amq.rabbitmq.trace', 'amq.no-such-exchange']) {
    expect(await raw.attempt('exchange.delete', { exchange })).toMatchObject(
      channelClose(
        403,
        `ACCESS_REFUSED - deletion of system exchange '${exchange}' in vhost '/' not allowed`,
        'exchange.delete',
      ),
    );
  }
});

it('has an internal exchange for traces, which can be bound and not published to', async () => {
  const raw = await broker.raw();
  const [exchange, queue] = ['amq.rabbitmq.trace', broker.name()];
  await raw.call(1, 'queue.declare', { queue, exclusive: true });
  const traits = { exchange, type: 'topic', durable: true };
  expect((await raw.call(1, DECLARE, { ...traits, internal: true })).name).toBe(
    'exchange.declare-ok',
  );
  expect((await raw.call(1, 'queue.bind', { queue, exchange, routingKey: '#' })).name).toBe(
    'queue.bind-ok',
  );
  expect(await raw.attempt(DECLARE, traits)).toMatchObject(
    channelClose(
      406,
      "PRECONDITION_FAILED - inequivalent arg 'internal' for exchange 'amq.rabbitmq.trace' in vhost '/': received 'false' but current is 'true'",
      DECLARE,
    ),
  );
  raw.publish(1, { exchange, routingKey: 'k' }, {}, Buffer.from('lost'));
  expect(await raw.next()).toMatchObject(
    channelClose(
      403,
      "ACCESS_REFUSED - cannot publish to internal exchange 'amq.rabbitmq.trace' in vhost '/'",
      'basic.publish',
    ),
  );
});

it('has no exchange for events or logs, which are plugins or settings elsewhere', async () => {
  const raw = await broker.raw();
  for (const exchange of ['amq.rabbitmq.event', 'amq.rabbitmq.log']) {
    expect(await raw.attempt(DECLARE, { exchange, passive: true })).toMatchObject({
      replyCode: 404,
    });
  }
});

it('looks at the reserved prefix before it looks at arguments', async () => {
  const raw = await broker.raw();
  const fields = { exchange: 'amq.mine', type: 'direct', arguments: { 'alternate-exchange': 5 } };
  expect(await raw.attempt(DECLARE, fields)).toMatchObject({ replyCode: 403 });
});

it('takes a string only as the name of an alternate exchange', async () => {
  const raw = await broker.raw();
  const cases: [unknown, string][] = [
    [5, 'signedint'],
    [true, 'bool'],
    [{ a: 1 }, 'table'],
    [null, 'void'],
  ];
  for (const [value, type] of cases) {
    const exchange = broker.name('x');
    const args = { 'alternate-exchange': value };
    expect(await raw.attempt(DECLARE, { exchange, type: 'direct', arguments: args })).toMatchObject(
      channelClose(
        406,
        `PRECONDITION_FAILED - invalid type '${type}' for arg 'alternate-exchange' in exchange '${exchange}' in vhost '/'`,
        DECLARE,
      ),
    );
  }
});

it('compares alternate exchanges, and the type only where one side has none', async () => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  const declare = (args: object) =>
    raw.attempt(DECLARE, { exchange, type: 'direct', arguments: args });
  await declare({ 'alternate-exchange': 'a' });
  expect((await declare({ 'alternate-exchange': 'a', other: 1 })).name).toBe('exchange.declare-ok');
  const cases: [object, string][] = [
    [{ 'alternate-exchange': 'b' }, "received 'b' but current is 'a'"],
    [{ 'alternate-exchange': 5 }, "received '5' but current is 'a'"],
    [{ 'alternate-exchange': '' }, "received '' but current is 'a'"],
    [{}, "received none but current is the value 'a' of type 'longstr'"],
  ];
  for (const [args, text] of cases) {
    expect(await declare(args)).toMatchObject(
      channelClose(
        406,
        `PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange '${exchange}' in vhost '/': ${text}`,
        DECLARE,
      ),
    );
  }
});

it('deletes an unused exchange only, where asked', async () => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  const queue = broker.name();
  await raw.call(1, DECLARE, { exchange, type: 'direct' });
  await raw.call(1, 'queue.declare', { queue });
  await raw.call(1, 'queue.bind', { queue, exchange, routingKey: 'k' });
  expect(await raw.attempt('exchange.delete', { exchange, ifUnused: true })).toMatchObject(
    channelClose(
      406,
      `PRECONDITION_FAILED - exchange '${exchange}' in vhost '/' in use`,
      'exchange.delete',
    ),
  );
  await raw.call(1, 'queue.unbind', { queue, exchange, routingKey: 'k' });
  const reply = await raw.attempt('exchange.delete', { exchange, ifUnused: true });
  expect(reply.name).toBe('exchange.delete-ok');
});

it('counts an exchange that is only a destination as unused', async () => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  await raw.call(1, DECLARE, { exchange, type: 'fanout' });
  await raw.call(1, 'exchange.bind', { destination: exchange, source: 'amq.direct' });
  const reply = await raw.attempt('exchange.delete', { exchange, ifUnused: true });
  expect(reply.name).toBe('exchange.delete-ok');
});

it('deletes an auto-delete exchange when its last binding goes', async () => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  const queue = broker.name();
  await raw.call(1, DECLARE, { exchange, type: 'direct', autoDelete: true });
  await raw.call(1, 'queue.declare', { queue });
  for (const routingKey of ['a', 'b']) {
    await raw.call(1, 'queue.bind', { queue, exchange, routingKey });
  }
  await raw.call(1, 'queue.unbind', { queue, exchange, routingKey: 'a' });
  expect((await raw.attempt(DECLARE, { exchange, passive: true })).name).toBe(
    'exchange.declare-ok',
  );
  await raw.call(1, 'queue.unbind', { queue, exchange, routingKey: 'b' });
  expect(await raw.attempt(DECLARE, { exchange, passive: true })).toMatchObject({
    replyCode: 404,
  });
});

it('deletes an auto-delete exchange with the last queue bound to it', async () => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  const queue = broker.name();
  await raw.call(1, DECLARE, { exchange, type: 'fanout', autoDelete: true });
  await raw.call(1, 'queue.declare', { queue });
  await raw.call(1, 'queue.bind', { queue, exchange });
  await raw.call(1, 'queue.delete', { queue });
  expect(await raw.attempt(DECLARE, { exchange, passive: true })).toMatchObject({
    replyCode: 404,
  });
});

it('keeps an auto-delete exchange that never had a binding', async () => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  await raw.call(1, DECLARE, { exchange, type: 'fanout', autoDelete: true });
  await raw.close();
  const again = await broker.raw();
  expect((await again.call(1, DECLARE, { exchange, passive: true })).name).toBe(
    'exchange.declare-ok',
  );
});

it('refuses to publish to a missing exchange and closes only that channel', async () => {
  const raw = await broker.raw();
  await raw.openChannel(2);
  const exchange = broker.name('x');
  raw.publish(1, { exchange, routingKey: 'k' }, {}, Buffer.from('lost'));
  expect(await raw.next()).toMatchObject(
    channelClose(404, `NOT_FOUND - no exchange '${exchange}' in vhost '/'`, 'basic.publish'),
  );
  expect((await raw.call(2, 'basic.qos')).name).toBe('basic.qos-ok');
});

it('refuses to publish to an internal exchange', async () => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  await raw.call(1, DECLARE, { exchange, type: 'fanout', internal: true });
  raw.publish(1, { exchange, routingKey: 'k' }, {}, Buffer.from('lost'));
  expect(await raw.next()).toMatchObject(
    channelClose(
      403,
      `ACCESS_REFUSED - cannot publish to internal exchange '${exchange}' in vhost '/'`,
      'basic.publish',
    ),
  );
});

it('routes through an internal exchange that is bound to another', async () => {
  const channel = await broker.channel();
  const outer = await broker.exchange(channel, 'fanout');
  const inner = await broker.exchange(channel, 'fanout', { internal: true });
  const queue = await broker.queue(channel);
  await channel.bindExchange(inner, outer, '');
  await channel.bindQueue(queue, inner, '');
  channel.publish(outer, '', Buffer.from('in'));
  const message = await eventually(() => channel.get(queue, { noAck: true }));
  expect(message.content.toString()).toBe('in');
});

it('takes line breaks out of names that are declared, bound and deleted, and out of no others', async () => {
  const raw = await broker.raw();
  const [exchange, queue] = [broker.name('x'), broker.name()];
  const [oddX, oddQ] = [`\r${exchange}\n`, `${queue}\r\n`];
  const ends = { exchange: oddX, queue: oddQ, routingKey: 'k' };
  expect((await raw.call(1, DECLARE, { exchange: oddX, type: 'direct' })).name).toBe(
    'exchange.declare-ok',
  );
  expect(await raw.call(1, 'queue.declare', { queue: oddQ })).toMatchObject({ queue });
  for (const passive of [{ exchange }, { exchange: oddX }]) {
    expect((await raw.call(1, DECLARE, { ...passive, passive: true })).name).toBe(
      'exchange.declare-ok',
    );
  }
  expect((await raw.call(1, 'queue.bind', ends)).name).toBe('queue.bind-ok');
  const up = { source: oddX, destination: oddX, routingKey: 'up' };
  expect((await raw.call(1, 'exchange.bind', up)).name).toBe('exchange.bind-ok');
  raw.publish(1, { exchange, routingKey: 'k' });
  expect((await raw.call(1, 'queue.unbind', ends)).name).toBe('queue.unbind-ok');
  raw.publish(1, { exchange, routingKey: 'k' });
  expect((await raw.call(1, 'exchange.unbind', up)).name).toBe('exchange.unbind-ok');
  expect(await raw.call(1, 'queue.delete', { queue: oddQ })).toMatchObject({ messageCount: 1 });
  expect((await raw.call(1, 'exchange.delete', { exchange: oddX })).name).toBe(
    'exchange.delete-ok',
  );
  const gone = await raw.call(1, DECLARE, { exchange, passive: true });
  expect(gone).toMatchObject({ replyCode: 404 });
});
