// Subscribers whose queues are bounded: one that does not keep up loses the oldest messages, costs the broker no more
// than its bound, and shows in the metrics.
//
//                           +-> [fast, 100 at most] -> keeps up:  gets all
//   prices -> (example.prices)
//                    fanout +-> [slow, 100 at most] -> is asleep: the newest 100; the others are counted as lost
//
//   node docs/examples/bounded-subscribers.mjs     METRICS_URL says where the metrics are, http://localhost:15692
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'amqplib';

const PRICES = 1_000;
const BOUND = 100;
const ROUND = 50;
const EXCHANGE = 'example.prices';
const metrics = process.env.METRICS_URL ?? 'http://localhost:15692';

const connection = await connect(process.env.AMQP_URL ?? 'amqp://localhost');
const channel = await connection.createConfirmChannel();
await channel.assertExchange(EXCHANGE, 'fanout', { durable: false });

/** A queue of a subscriber: bounded, dropped at the head when full, and gone with its connection. */
async function subscribe(name) {
  const options = { exclusive: true, maxLength: BOUND, arguments: { 'x-overflow': 'drop-head' } };
  const { queue } = await channel.assertQueue(`${EXCHANGE}.${name}`, options);
  await channel.bindQueue(queue, EXCHANGE, '');
  return queue;
}

const queues = { fast: await subscribe('fast'), slow: await subscribe('slow') };
const got = { fast: [], slow: [] };

async function consume(name) {
  const keep = (message) => got[name].push(Number(message.content));
  await channel.consume(queues[name], keep, { noAck: true });
}

await consume('fast');
for (let price = 1; price <= PRICES; price++) {
  channel.publish(EXCHANGE, '', Buffer.from(String(price)));
  if (price % ROUND > 0) continue;
  await channel.waitForConfirms();
  while (got.fast.length < price) await sleep(1);
}
await consume('slow');
while (got.slow.at(-1) !== PRICES) await sleep(1);

const answer = await fetch(`${metrics}/metrics/per-object`).catch(() => null);
const lines = answer?.ok ? (await answer.text()).split('\n') : [];
for (const [name, prices] of Object.entries(got)) {
  console.log(`${name}: ${prices.length} prices, from ${prices[0]} to ${prices.at(-1)}`);
  const line = lines.find(
    (each) =>
      each.startsWith('rabbitmq_queue_messages_dropped_total{') &&
      each.includes(`queue="${queues[name]}"`),
  );
  const lost = line === undefined ? 'not known, there are no metrics' : line.split(' ').at(-1);
  console.log(`${name}: lost by the metric: ${lost}`);
}
await channel.deleteExchange(EXCHANGE);
await connection.close();
process.exitCode = got.fast.length === PRICES && got.slow.length === BOUND ? 0 : 1;
