// Ten thousand durable queues with a hundred old messages each, drained in random order after a restart.
import { ScaleBroker } from './broker.mjs';
import { bodyOf, makeBatches, publish } from './load.mjs';
import { argument, figure, finish, rate } from './report.mjs';
import { memoryOf } from './watch.mjs';
import { Wire } from './wire.mjs';

const queues = argument('queues', 10_000);
const each = argument('messages', 100);
const names = Array.from({ length: queues }, (_, n) => `old-${n}`);
const broker = new ScaleBroker();
await broker.start();
const wire = await Wire.open(broker.address);
await wire.confirmSelect();
await wire.declareDurable(names);
for (let from = 0; from < queues; from += 500) {
  const some = names.slice(from, from + 500);
  const cycle = some.map((key) => ({ key, body: bodyOf(16), persistent: true }));
  await publish(wire, makeBatches(cycle), { total: some.length * each });
}
await wire.close();
await broker.end('SIGTERM');
figure('restart, ms', Math.round(await broker.start()));
figure('memory of its own (RssAnon), MiB', memoryOf(broker.pid).own);

// Each message is asked for by itself, from a queue picked at random.
const order = names.flatMap((name) => Array.from({ length: each }, () => name));
let seed = 1;
for (let i = order.length - 1; i > 0; i--) {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  const j = seed % (i + 1);
  [order[i], order[j]] = [order[j], order[i]];
}
const AT_ONCE = 2_000;
const taker = await Wire.open(broker.address);
let asked = 0;
let got = 0;
const ask = () => {
  taker.socket.cork();
  while (asked < order.length && asked - got < AT_ONCE) taker.get(order[asked++], true);
  process.nextTick(() => taker.socket.uncork());
};
await broker.longestStall();
const startMs = performance.now();
await new Promise((resolve, reject) => {
  taker.onGetEmpty = () => reject(new Error('a queue is empty too early'));
  taker.onEnd = () => reject(taker.failure);
  taker.onMessage = () => {
    got += 1;
    if (got === order.length) resolve();
    else if (asked - got < AT_ONCE / 2) ask();
  };
  ask();
});
const perSecond = rate(order.length, performance.now() - startMs);
taker.onEnd = () => {};
figure('drained in random order a second', perSecond, perSecond > 50_000, 'above 50000');
figure('longest stall, ms', (await broker.longestStall()).toFixed(1));
await taker.close();
await broker.end('SIGTERM');
await broker.remove();
finish();
