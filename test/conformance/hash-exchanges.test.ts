// Exchanges that choose one destination: x-consistent-hash, x-modulus-hash, x-random. RabbitMQ has
// them in plugins, which must be enabled there.
import type { ConfirmChannel, Options } from 'amqplib';
import { expect, it } from 'vitest';
import {
  channelClose,
  connectionClose,
  eventually,
  expectedFor,
  useBroker,
} from '../support/amqp.ts';

const broker = useBroker();
const DECLARE = 'exchange.declare';
const HASH = 'x-consistent-hash';
const MESSAGES = 600;

/** A channel with three queues, and how many of MESSAGES each of them got. */
async function threeQueues() {
  const channel = await broker.confirmChannel();
  const queues: string[] = [];
  for (let i = 0; i < 3; i += 1) queues.push(await broker.queue(channel));
  const shares = async (
    exchange: string,
    messageOf: (i: number) => { key?: string; options?: Options.Publish } = (i) => ({
      key: `k${i}`,
    }),
  ): Promise<number[]> => {
    await publishAll(channel, exchange, messageOf);
    return Promise.all(queues.map(async (queue) => (await channel.purgeQueue(queue)).messageCount));
  };
  const [one = '', two = '', three = ''] = queues;
  return { channel, one, two, three, queues, shares };
}

async function publishAll(
  channel: ConfirmChannel,
  exchange: string,
  messageOf: (i: number) => { key?: string; options?: Options.Publish },
): Promise<void> {
  for (let i = 0; i < MESSAGES; i += 1) {
    const { key = 'same', options = {} } = messageOf(i);
    channel.publish(exchange, key, Buffer.from(String(i)), options);
  }
  await channel.waitForConfirms();
}

/** Within six standard deviations of a fair draw. */
function expectShares(shares: readonly number[], weights: readonly number[]): void {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  expect(shares.reduce((sum, share) => sum + share, 0)).toBe(MESSAGES);
  shares.forEach((share, i) => {
    const fair = (weights[i] ?? 0) / total;
    const slack = 6 * Math.sqrt(MESSAGES * fair * (1 - fair));
    expect(Math.abs(share - MESSAGES * fair), `${shares}`).toBeLessThanOrEqual(slack);
  });
}

/** Everything went one way. */
function expectOneWay(shares: readonly number[]): void {
  expect([...shares].sort((a, b) => a - b)).toEqual([0, 0, MESSAGES]);
}

it('consistent hash: shares keys out by the weights that binding keys are', async () => {
  const { channel, one, two, three, shares } = await threeQueues();
  const exchange = await broker.exchange(channel, HASH);
  expect(await shares(exchange)).toEqual([0, 0, 0]);
  await channel.bindQueue(one, exchange, '1');
  expect(await shares(exchange)).toEqual([MESSAGES, 0, 0]);
  await channel.bindQueue(two, exchange, '3');
  expectShares(await shares(exchange), [1, 3, 0]);
  await channel.bindQueue(three, exchange, '+1');
  expectShares(await shares(exchange), [1, 3, 1]);
  await channel.unbindQueue(two, exchange, '3');
  expectShares(await shares(exchange), [1, 0, 1]);
});

it('consistent hash: gives all messages with one key to one queue', async () => {
  const { channel, queues, shares } = await threeQueues();
  const exchange = await broker.exchange(channel, HASH);
  for (const queue of queues) await channel.bindQueue(queue, exchange, '1');
  expectOneWay(await shares(exchange, () => ({ key: 'customer-7' })));
});

it('consistent hash: several bindings of one queue', async () => {
  const { channel, one, two, shares } = await threeQueues();
  const exchange = await broker.exchange(channel, HASH);
  await channel.bindQueue(one, exchange, '1');
  await channel.bindQueue(two, exchange, '3');
  await channel.bindQueue(one, exchange, '8');
  // RabbitMQ goes by the first one.
  expectShares(await shares(exchange), expectedFor({ rabbitmq: [1, 3, 0], leveret: [9, 3, 0] }));
  await channel.unbindQueue(one, exchange, '1');
  // RabbitMQ takes the queue out with any of them.
  expectShares(await shares(exchange), expectedFor({ rabbitmq: [0, 1, 0], leveret: [8, 3, 0] }));
});

it('consistent hash: refuses binding keys that are no weights', async () => {
  const raw = await broker.raw();
  const [exchange, queue] = [broker.name('x'), broker.name()];
  await raw.call(1, DECLARE, { exchange, type: HASH });
  await raw.call(1, 'queue.declare', { queue });
  const cases: [string, string][] = [
    ['', 'The binding key must be an integer: <<>>'],
    ['abc', 'The binding key must be an integer: <<"abc">>'],
    ['1.5', 'The binding key must be an integer: <<"1.5">>'],
    [' 1', 'The binding key must be an integer: <<" 1">>'],
    ['1e3', 'The binding key must be an integer: <<"1e3">>'],
    ['0', 'The binding key must be greater than 0'],
    ['-1', 'The binding key must be greater than 0'],
    ['00', 'The binding key must be greater than 0'],
    ['5\n', 'The binding key must be an integer: <<"5\\n">>'],
    ['5\0', 'The binding key must be an integer: <<53,0>>'],
    ['\u001b"\\', 'The binding key must be an integer: <<"\\e\\"\\\\">>'],
    // Digits of other scripts: the bytes of the first are characters of Latin-1, those of the second are not.
    ['\u0663', 'The binding key must be an integer: <<"\u0663">>'],
    ['\uff11', 'The binding key must be an integer: <<239,188,145>>'],
  ];
  for (const [routingKey, text] of cases) {
    expect(await raw.attempt('queue.bind', { queue, exchange, routingKey })).toMatchObject(
      channelClose(406, `PRECONDITION_FAILED - ${text}`, 'queue.bind'),
    );
  }
  const inner = broker.name('x');
  await raw.call(1, DECLARE, { exchange: inner, type: 'fanout' });
  const bind = { destination: inner, source: exchange, routingKey: 'x' };
  expect(await raw.attempt('exchange.bind', bind)).toMatchObject(
    channelClose(
      406,
      'PRECONDITION_FAILED - The binding key must be an integer: <<"x">>',
      'exchange.bind',
    ),
  );
});

it('consistent hash: hashes the header that the exchange names', async () => {
  const { channel, queues, shares } = await threeQueues();
  const exchange = await broker.exchange(channel, HASH, { arguments: { 'hash-header': 'h' } });
  for (const queue of queues) await channel.bindQueue(queue, exchange, '1');
  const values: ((i: number) => unknown)[] = [(i) => `v${i}`, (i) => i, (i) => ({ nested: [i] })];
  for (const value of values) {
    const share = await shares(exchange, (i) => ({ options: { headers: { h: value(i) } } }));
    expectShares(share, [1, 1, 1]);
  }
  const same = (i: number) => ({ key: `k${i}`, options: { headers: { h: 'same', other: i } } });
  expectOneWay(await shares(exchange, same));
  expectOneWay(await shares(exchange, (i) => ({ options: { headers: { other: i } } })));
  expectOneWay(await shares(exchange, (i) => ({ key: `k${i}` })));
});

it.each<[string, (i: number) => Options.Publish]>([
  ['message_id', (i) => ({ messageId: `m${i}` })],
  ['correlation_id', (i) => ({ correlationId: `c${i}` })],
  ['timestamp', (i) => ({ timestamp: 1_700_000_000 + i })],
])('consistent hash: hashes the property %s where the exchange names it', async (name, with_) => {
  const { channel, queues, shares } = await threeQueues();
  const exchange = await broker.exchange(channel, HASH, { arguments: { 'hash-property': name } });
  for (const queue of queues) await channel.bindQueue(queue, exchange, '1');
  expectShares(await shares(exchange, (i) => ({ options: with_(i) })), [1, 1, 1]);
  expectOneWay(await shares(exchange, (i) => ({ key: `k${i}`, options: with_(7) })));
  expectOneWay(await shares(exchange, (i) => ({ key: `k${i}` })));
});

it('consistent hash: refuses arguments that name nothing it can hash', async () => {
  const raw = await broker.raw();
  const cases: [object, string][] = [
    [{ 'hash-property': 'app_id' }, 'Unsupported property: app_id'],
    [{ 'hash-property': '' }, 'Unsupported property: '],
    [
      { 'hash-property': 'message_id', 'hash-header': 'h' },
      'hash-header and hash-property are mutually exclusive',
    ],
  ];
  for (const [args, text] of cases) {
    const fields = { exchange: broker.name('x'), type: HASH, arguments: args };
    expect(await raw.attempt(DECLARE, fields)).toMatchObject(
      channelClose(406, `PRECONDITION_FAILED - ${text}`, DECLARE),
    );
  }
});

it('consistent hash: a name of another type is the declarer\u2019s error', async () => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  const reply = await raw.call(1, DECLARE, {
    exchange,
    type: HASH,
    arguments: { 'hash-header': 5 },
  });
  expect(reply).toMatchObject(
    expectedFor({
      rabbitmq: connectionClose(541, 'INTERNAL_ERROR'),
      leveret: channelClose(
        406,
        `PRECONDITION_FAILED - invalid type 'signedint' for arg 'hash-header' in exchange '${exchange}' in vhost '/'`,
        DECLARE,
      ),
    }),
  );
});

it('consistent hash: other types take those arguments for what they like', async () => {
  const channel = await broker.channel();
  for (const type of ['direct', 'x-random', 'x-modulus-hash']) {
    await broker.exchange(channel, type, { arguments: { 'hash-property': 'app_id' } });
  }
});

it('consistent hash: does not compare its arguments when redeclared', async () => {
  const raw = await broker.raw();
  const exchange = broker.name('x');
  await raw.call(1, DECLARE, { exchange, type: HASH });
  const again = { exchange, type: HASH, arguments: { 'hash-header': 'h' } };
  expect((await raw.call(1, DECLARE, again)).name).toBe('exchange.declare-ok');
});

it('consistent hash: chooses among exchanges too', async () => {
  const { channel, one, two, shares } = await threeQueues();
  const exchange = await broker.exchange(channel, HASH);
  for (const queue of [one, two]) {
    const inner = await broker.exchange(channel, 'fanout');
    await channel.bindExchange(inner, exchange, '1');
    await channel.bindQueue(queue, inner, '');
  }
  expectShares(await shares(exchange), [1, 1, 0]);
});

it('consistent hash: hands on to its alternate exchange while nothing is bound', async () => {
  const { channel, one, two, shares } = await threeQueues();
  const alternate = await broker.exchange(channel, 'fanout');
  const exchange = await broker.exchange(channel, HASH, { alternateExchange: alternate });
  await channel.bindQueue(one, alternate, '');
  expect(await shares(exchange)).toEqual([MESSAGES, 0, 0]);
  await channel.bindQueue(two, exchange, '1');
  expect(await shares(exchange)).toEqual([0, MESSAGES, 0]);
});

it.each(['x-modulus-hash', 'x-random'])('%s: shares messages out by bindings', async (type) => {
  const { channel, one, two, shares } = await threeQueues();
  const exchange = await broker.exchange(channel, type);
  expect(await shares(exchange)).toEqual([0, 0, 0]);
  await channel.bindQueue(one, exchange, 'any key');
  expect(await shares(exchange)).toEqual([MESSAGES, 0, 0]);
  await channel.bindQueue(two, exchange, '');
  expectShares(await shares(exchange), [1, 1, 0]);
  await channel.bindQueue(one, exchange, 'another');
  expectShares(await shares(exchange), [2, 1, 0]);
  await channel.unbindQueue(one, exchange, 'another');
  expectShares(await shares(exchange), [1, 1, 0]);
});

it('x-modulus-hash: gives all messages with one key to one queue; x-random does not', async () => {
  const { channel, queues, shares } = await threeQueues();
  const [modulus, random] = [
    await broker.exchange(channel, 'x-modulus-hash'),
    await broker.exchange(channel, 'x-random'),
  ];
  for (const queue of queues) {
    await channel.bindQueue(queue, modulus, '');
    await channel.bindQueue(queue, random, '');
  }
  expectOneWay(await shares(modulus, () => ({ key: 'k' })));
  expectShares(await shares(random, () => ({ key: 'k' })), [1, 1, 1]);
});

it('chooses one queue for a message with CC, too', async () => {
  const { channel, queues, shares } = await threeQueues();
  for (const type of [HASH, 'x-modulus-hash', 'x-random']) {
    const exchange = await broker.exchange(channel, type);
    for (const queue of queues) await channel.bindQueue(queue, exchange, '1');
    const withCopies = (i: number) => ({ key: `k${i}`, options: { CC: [`a${i}`, `b${i}`] } });
    expectShares(await shares(exchange, withCopies), [1, 1, 1]);
  }
});

it('returns a mandatory message that no binding can take', async () => {
  const channel = await broker.channel();
  for (const type of [HASH, 'x-modulus-hash', 'x-random']) {
    const exchange = await broker.exchange(channel, type);
    const returned: string[] = [];
    channel.on('return', (message) => returned.push(message.fields.exchange));
    channel.publish(exchange, 'k', Buffer.from('x'), { mandatory: true });
    await eventually(() => returned.length > 0);
    expect(returned).toEqual([exchange]);
    channel.removeAllListeners('return');
  }
});
