// Twenty thousand durable queues: declaring them, a message to and from each, a restart, deleting them, and
// for how long the event loop stands still.
import { connect } from 'amqplib';
import { ScaleBroker } from './broker.mjs';
import { bodyOf, makeBatches, publish } from './load.mjs';
import { argument, figure, finish, rate } from './report.mjs';
import { memoryOf } from './watch.mjs';
import { Wire } from './wire.mjs';

const queues = argument('queues', 20_000);
const names = Array.from({ length: queues }, (_, n) => `q-${n}`);
const broker = new ScaleBroker();
await broker.start();
const before = memoryOf(broker.pid).own;

async function timed(what, run) {
  await broker.longestStall();
  const startMs = performance.now();
  const result = await run();
  figure(`${what} a second`, rate(queues, performance.now() - startMs));
  figure('  longest stall, ms', (await broker.longestStall()).toFixed(1));
  return result;
}

let wire = await Wire.open(broker.address);
await wire.confirmSelect();
await timed('declared', async () => {
  for (let from = 0; from < queues; from += 500) {
    await wire.declareDurable(names.slice(from, from + 500));
  }
});
figure('KiB of memory each', (((memoryOf(broker.pid).own - before) * 1024) / queues).toFixed(1));
await timed('published to', async () => {
  for (let from = 0; from < queues; from += 500) {
    const some = names.slice(from, from + 500);
    const cycle = some.map((key) => ({ key, body: bodyOf(16), persistent: true }));
    await publish(wire, makeBatches(cycle), { first: from, total: some.length });
  }
});
await wire.close();
await broker.end('SIGKILL');
figure('restart after kill -9, ms', Math.round(await broker.start()));
wire = await Wire.open(broker.address);
const got = await timed('got from', async () => {
  let count = 0;
  let empty = 0;
  await new Promise((resolve) => {
    const one = () => {
      if (count + empty === queues) resolve();
    };
    wire.onMessage = () => {
      count += 1;
      one();
    };
    wire.onGetEmpty = () => {
      empty += 1;
      one();
    };
    for (const name of names) wire.get(name, true);
  });
  return count;
});
figure('messages that were there', got, got === queues, String(queues));
const client = await connect(`amqp://guest:guest@127.0.0.1:${broker.address.port}`);
const channel = await client.createChannel();
await timed('deleted', () => Promise.all(names.map((name) => channel.deleteQueue(name))));
await client.close();
await wire.close();
await broker.remove();
finish();
