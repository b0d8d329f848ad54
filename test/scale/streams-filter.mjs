// Ten million durable messages in a stream, of which each filter value has twenty, spread over all: how long it takes to find
// those of one value, by AMQP and by HTTP, before and after a restart; what the values cost publishers.
import amqp from 'amqplib';
import { ScaleBroker } from './broker.mjs';
import { bodyOf, makeBatches, publish } from './load.mjs';
import { argument, figure, finish, rate } from './report.mjs';
import { memoryOf } from './watch.mjs';
import { Wire } from './wire.mjs';

/** The events of one value have to be found within that. */
const FOUND_MS = 200;
const messages = argument('messages', 10_000_000);
const each = argument('each', 20);
const bodyBytes = argument('bytes', 100);
const tries = argument('tries', 5);
const values = Math.floor(messages / each);
const broker = new ScaleBroker({ LEVERET_MANAGEMENT_TCP_PORT: '0' });
await broker.start();

const textOf = (value) => String(value).padStart(8, '0');

async function fill(queue, valued) {
  const wire = await Wire.open(broker.address);
  await wire.confirmSelect();
  await wire.declareDurable([queue], { 'x-queue-type': 'stream' });
  const batches = makeBatches([{ key: queue, body: bodyOf(bodyBytes), persistent: true, valued }]);
  const numbered = (n) => Buffer.from(textOf(n % values)).readBigInt64BE();
  if (valued) for (const batch of batches) batch.valueOf = numbered;
  const total = valued ? messages : Math.ceil(messages / 10);
  const startMs = performance.now();
  await publish(wire, batches, { total });
  await wire.close();
  return rate(total, performance.now() - startMs);
}

/** The numbers of the messages with a value, as a consumer is given them that ends at the end. */
async function byAmqp(channel, value) {
  const numbers = [];
  await new Promise((done, fail) => {
    const take = (message) => {
      if (message === null) return done();
      numbers.push(message.content.readUInt32BE(0));
      channel.ack(message);
    };
    const args = {
      'x-stream-offset': 'first',
      'x-stream-until': 'end',
      'x-stream-filter': textOf(value),
    };
    channel.consume('log', take, { arguments: args }).catch(fail);
  });
  return numbers;
}

/** The same as the HTTP API shows them. */
async function byHttp(value) {
  const authorization = `Basic ${Buffer.from('guest:guest').toString('base64')}`;
  const query = `filter=${textOf(value)}&count=1000&encoding=base64`;
  const path = `http://127.0.0.1:${broker.ports.management}/api/queues/%2F/log/messages?${query}`;
  const response = await fetch(path, { headers: { authorization } });
  const page = await response.json();
  return page.messages.map(({ payload }) => Buffer.from(payload, 'base64').readUInt32BE(0));
}

async function measure(what) {
  const connection = await amqp.connect(`amqp://127.0.0.1:${broker.address.port}`, {
    noDelay: true,
  });
  const channel = await connection.createChannel();
  await channel.prefetch(100);
  // The first request of its kind loads code, and the password is hashed once.
  await fetch(`http://127.0.0.1:${broker.ports.management}/api/overview`, {
    headers: { authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}` },
  });
  await broker.longestTurn();
  for (const [way, find] of [
    ['AMQP', (value) => byAmqp(channel, value)],
    ['HTTP', byHttp],
  ]) {
    const times = [];
    let wrong = 0;
    for (let n = 0; n < tries; n++) {
      const value = (n * 7919 + (way === 'HTTP' ? 13 : 0)) % values;
      const startMs = performance.now();
      const found = await find(value);
      times.push(performance.now() - startMs);
      const wanted = [];
      for (let number = value; number < messages; number += values) wanted.push(number);
      if (found.join() !== wanted.join()) wrong += 1;
    }
    const shown = times.map((ms) => ms.toFixed(0)).join(' ');
    const median = times.toSorted((a, b) => a - b)[Math.floor(tries / 2)];
    const large = messages >= 10_000_000;
    figure(
      `${what}, ${way}: ${each} of ${messages}, ms`,
      shown,
      large ? median <= FOUND_MS : null,
      `median ${FOUND_MS} at most`,
    );
    figure(`${what}, ${way}: wrong answers`, wrong, wrong === 0, '0');
  }
  await connection.close();
  figure(`${what}: longest turn, ms of processor time`, (await broker.longestTurn()).toFixed(1));
}

figure('plain stream: published a second', await fill('plain', false));
figure('with filter values: published a second', await fill('log', true));
figure('memory of its own, MiB', memoryOf(broker.pid).own);
await measure('at once');
await broker.end('SIGKILL');
await broker.start();
await measure('after a restart');
await broker.remove();
finish();
