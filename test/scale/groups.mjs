// Very many groups in one queue: how fast they are filled and served beside a plain queue, in order within each group and
// one at a time, in turns; the memory that they take, and a start with all of them.
import { ScaleBroker } from './broker.mjs';
import { bodyOf, drain, failWhenIdle, makeBatches, publish } from './load.mjs';
import { argument, figure, finish, rate } from './report.mjs';
import { memoryOf } from './watch.mjs';
import { Wire } from './wire.mjs';

const groups = argument('groups', 100_000);
const each = argument('each', 10);
const bodyBytes = argument('bytes', 100);
const prefetch = argument('prefetch', 2_000);
const total = groups * each;
const GROUPED = { 'x-group-header': 'group' };

/** The ways in which messages of the groups come: one of each in turns, all of one and then of the next, or mixed. */
const ORDERS = {
  turns: (n) => n % groups,
  runs: (n) => Math.floor(n / each),
  mixed: (n) => ((n * 2_654_435_761) >>> 0) % groups,
};

async function fill(wire, key, groupOf) {
  const grouped = groupOf !== null;
  const batches = makeBatches([{ key, body: bodyOf(bodyBytes), persistent: true, grouped }]);
  if (grouped) for (const batch of batches) batch.valueOf = groupOf;
  const start = performance.now();
  await publish(wire, batches, { total });
  return rate(total, performance.now() - start);
}

/** Takes all; returns the rate, how often a group was out of order or had more than one out, and who came twice at first. */
async function serve(address, queue, groupOf) {
  const wire = await Wire.open(address);
  await wire.qos(prefetch);
  const last = new Int32Array(groups).fill(-1);
  const out = new Uint8Array(groups);
  const unacked = [];
  let [count, disorder, together, early] = [0, 0, 0, 0];
  const start = performance.now();
  const done = new Promise((resolve, reject) => {
    wire.onEnd = () => reject(wire.failure);
    wire.onMessage = (tag, _redelivered, bytes, at) => {
      const number = bytes.readUInt32BE(at);
      const group = groupOf(number);
      if (number < last[group]) disorder += 1;
      if (last[group] >= 0 && count < groups / 2) early += 1;
      last[group] = number;
      if (out[group] > 0) together += 1;
      out[group] = 1;
      unacked.push(group);
      count += 1;
      if (unacked.length < prefetch / 4 && count < total) return;
      for (const acked of unacked.splice(0)) out[acked] = 0;
      wire.ack(tag, true);
      if (count === total) resolve();
    };
  });
  const watch = failWhenIdle(() => count, `${queue} gives no more after`);
  await Promise.race([wire.consume(queue).then(() => done), watch.failed]);
  watch.stop();
  wire.onEnd = () => {};
  const perSecond = rate(total, performance.now() - start);
  await wire.close();
  return { perSecond, disorder, together, early };
}

const broker = new ScaleBroker();
await broker.start();
const wire = await Wire.open(broker.address);
await wire.confirmSelect();
await wire.declareDurable(['plain']);
const plain = await fill(wire, 'plain', null);
figure(`${total} plain durable publishes: a second`, plain);
const { lastMs } = await drain(broker.address, 'plain', {
  total,
  prefetch,
  ackEvery: prefetch / 4,
});
figure('taken from the plain queue a second', rate(total, lastMs));
for (const [order, groupOf] of Object.entries(ORDERS)) {
  const name = `grouped-${order}`;
  await wire.declareDurable([name], GROUPED);
  const before = memoryOf(broker.pid).own;
  figure(`${order}: published a second`, await fill(wire, name, groupOf));
  figure(`${order}: memory of its own, MiB more`, memoryOf(broker.pid).own - before);
  const { perSecond, disorder, together, early } = await serve(broker.address, name, groupOf);
  figure(`${order}: served a second`, perSecond, perSecond >= 100_000, '100,000 or more');
  figure(`${order}: longest turn, ms of processor time`, (await broker.longestTurn()).toFixed(1));
  figure(`${order}: out of order`, disorder, disorder === 0, '0');
  figure(`${order}: two of a group at a time`, together, together === 0, '0');
  figure(
    `${order}: served twice before others`,
    early,
    order !== 'runs' || early === 0,
    '0 where it shows',
  );
}
await wire.declareDurable(['last'], GROUPED);
await fill(wire, 'last', ORDERS.mixed);
await wire.close();
await broker.end('SIGKILL');
figure('start with all of them after a kill, ms', Math.round(await broker.start()));
const { disorder, together } = await serve(broker.address, 'last', ORDERS.mixed);
figure('after that: out of order', disorder, disorder === 0, '0');
figure('after that: two of a group at a time', together, together === 0, '0');
await broker.remove();
finish();
