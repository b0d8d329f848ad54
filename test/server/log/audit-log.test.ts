import { connect } from 'amqplib';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import type { BrokerOptions } from '../../../src/embed/options.ts';
import { startBroker } from '../../../src/embed/start-broker.ts';

type Line = Record<string, unknown>;

/** A broker with a client, and what it logs from then on. */
async function setUp(level: string, options: BrokerOptions = {}) {
  const lines: Line[] = [];
  const formatters = { level: (label: string) => ({ level: label }) };
  const stream = { write: (line: string) => lines.push(JSON.parse(line) as Line) };
  const logger = pino({ level, base: null, timestamp: false, formatters }, stream);
  const broker = await startBroker({ ...options, logger });
  onTestFinished(() => broker.close());
  const atStart = lines.splice(0);
  const connection = await connect(broker.url);
  const channel = await connection.createConfirmChannel();
  const atConnect = lines.splice(0);
  return { broker, connection, channel, lines, atStart, atConnect };
}

/** The lines but for what says from where. */
const said = (lines: readonly Line[]) => lines.map(({ level, msg }) => `${level}: ${msg}`);

test('what lasts is logged at info when it is declared and deleted, once each', async () => {
  const { channel, lines } = await setUp('info');
  await channel.assertQueue('jobs', { durable: true });
  await channel.assertQueue('jobs', { durable: true });
  await channel.assertExchange('events', 'topic', { durable: true });
  await channel.bindQueue('jobs', 'events', 'a.#');
  await channel.deleteQueue('jobs');
  await channel.deleteExchange('events');
  expect(lines).toEqual([
    {
      level: 'info',
      vhost: '/',
      queue: 'jobs',
      durable: true,
      autoDelete: false,
      exclusive: false,
      msg: 'queue declared',
    },
    expect.objectContaining({ exchange: 'events', type: 'topic', msg: 'exchange declared' }),
    expect.objectContaining({ queue: 'jobs', msg: 'queue deleted' }),
    expect.objectContaining({ exchange: 'events', msg: 'exchange deleted' }),
  ]);
});

test('what comes and goes with clients is logged at debug, and so are bindings', async () => {
  const { channel, connection, lines } = await setUp('debug');
  await channel.assertExchange('events', 'fanout', { autoDelete: true });
  await channel.assertQueue('mine', { exclusive: true });
  await channel.bindQueue('mine', 'events', 'key');
  expect(lines.at(-1)).toMatchObject({ exchange: 'events', toQueue: 'mine', bindingKey: 'key' });
  await connection.close();
  expect(said(lines).slice(0, 6)).toEqual([
    'debug: exchange declared',
    'debug: queue declared',
    'debug: binding declared',
    'debug: queue deleted',
    'debug: binding deleted',
    'debug: exchange deleted',
  ]);
});

test('a message is never logged, not even at trace', async () => {
  const { broker, channel, lines } = await setUp('trace');
  await channel.assertQueue('jobs');
  await channel.consume('jobs', (message) => message !== null && channel.ack(message));
  lines.length = 0;
  for (let n = 0; n < 100; n++) channel.sendToQueue('jobs', Buffer.from('secret'));
  await channel.waitForConfirms();
  await broker.idle();
  expect(lines).toEqual([]);
});

test('connections are logged as they open and close, and why a channel was closed', async () => {
  const { broker, channel, connection, lines, atConnect } = await setUp('info');
  expect(said(atConnect)).toEqual(['info: connection opened']);
  channel.on('error', () => {});
  await expect(channel.checkQueue('none')).rejects.toThrow();
  await connection.close();
  await broker.close();
  expect(said(lines)).toEqual(['warn: channel closed after an error', 'info: connection closed']);
  expect(lines[0]).toMatchObject({ reason: expect.stringContaining("no queue 'none'") });
});

test('a connection that opens is logged with the name that its client gave it, cut where it is long', async () => {
  const { broker, lines } = await setUp('info');
  for (const name of ['billing', 'x'.repeat(1000)]) {
    const clientProperties = { connection_name: name };
    await connect(broker.url, { clientProperties, noDelay: true });
    expect(lines.at(-1)).toMatchObject({ user: 'guest', vhost: '/', client: name.slice(0, 255) });
  }
});

test('what an operator sets is logged by its name, and passwords never are', async () => {
  const { atStart } = await setUp('info', {
    users: [{ name: 'app', password: 'hush-hush' }],
    vhosts: ['orders'],
  });
  expect(said(atStart)).toEqual([
    'info: vhost set',
    'info: user set',
    'info: permission set',
    'info: permission set',
  ]);
  expect(JSON.stringify(atStart)).not.toMatch(/hush|scrypt/);
});

test('what an import brings is logged thing by thing at debug alone', async () => {
  const definitions = {
    queues: [{ name: 'jobs', vhost: '/', durable: true, arguments: {} }],
    policies: [
      { vhost: '/', name: 'ttl', pattern: '.*', definition: { 'message-ttl': 1 }, priority: 0 },
    ],
  };
  expect(said((await setUp('info', { definitions })).atStart)).toEqual([]);
  expect(said((await setUp('debug', { definitions })).atStart)).toEqual([
    'debug: policy set',
    'debug: queue declared',
  ]);
});
