// Two publishers flood a queue whose consumer acks each message: how much of the throughput the consumer
// gets, and how far the backlog grows.
import { connect } from 'amqplib';
import { ScaleBroker } from './broker.mjs';
import { bodyOf, makeBatches, publish } from './load.mjs';
import { argument, figure, finish, rate } from './report.mjs';
import { memoryOf } from './watch.mjs';
import { Wire } from './wire.mjs';

const seconds = argument('seconds', 15);
const PART_MIN = 0.4;
const QUEUE = 'flood';
const broker = new ScaleBroker();
await broker.start();
const consumer = await Wire.open(broker.address);
await consumer.declareDurable([QUEUE]);
let consumed = 0;
consumer.onMessage = (tag) => {
  consumed += 1;
  consumer.ack(tag, false);
};
await consumer.qos(1_000);
await consumer.consume(QUEUE);

const client = await connect(`amqp://guest:guest@127.0.0.1:${broker.address.port}`);
const looking = await client.createChannel();
let backlog = 0;
const look = setInterval(async () => {
  backlog = Math.max(backlog, (await looking.checkQueue(QUEUE)).messageCount);
}, 200);

let published = 0;
const endMs = performance.now() + seconds * 1000;
const flood = async () => {
  const wire = await Wire.open(broker.address);
  await wire.confirmSelect();
  const batches = makeBatches([{ key: QUEUE, body: bodyOf(16), persistent: false }]);
  while (performance.now() < endMs) {
    await publish(wire, batches, { total: 50_000, window: 50_000 });
    published += 50_000;
  }
};
const startMs = performance.now();
await Promise.all([flood(), flood()]);
const ms = performance.now() - startMs;
clearInterval(look);
figure('published a second', rate(published, ms));
figure('consumed and acked a second', rate(consumed, ms));
const part = consumed / (consumed + published);
figure(
  'part of the throughput that is consumed',
  part.toFixed(2),
  part >= PART_MIN,
  `${PART_MIN} or more`,
);
figure('longest backlog', backlog, backlog < published / 2, 'bounded');
figure('memory of its own (RssAnon), MiB', memoryOf(broker.pid).own);
await client.close();
await broker.remove();
finish();
