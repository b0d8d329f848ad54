// Very many messages that wait for times in the next year: what a publish costs beside a plain one, the memory they take,
// how fast those leave that come due together, and a start with all of them.
import { readFileSync } from 'node:fs';
import { connect } from 'amqplib';
import { ScaleBroker } from './broker.mjs';
import { bodyOf, failWhenIdle, makeBatches, publish } from './load.mjs';
import { argument, figure, finish, rate } from './report.mjs';
import { memoryOf } from './watch.mjs';
import { Wire } from './wire.mjs';

const messages = argument('messages', 10_000_000);
const bodyBytes = argument('bytes', 100);
/** So many of another queue come due within so long, ms. */
const soon = argument('soon', 200_000);
const SOON_MS = 2_000;
const AHEAD_MS = 20_000;
const YEAR_MS = 365 * 24 * 3_600_000;
/** So often plain and delayed publishes have their turns, after a first time that counts for nothing. */
const ROUNDS = 9;
const TICK_US = 10_000;

/** Spread over a span, the same for the same number. */
const spread = (n, span) => ((n * 2_654_435_761) >>> 0) % span;

async function fill(wire, key, total, dueOf) {
  const delayed = dueOf !== null;
  const batches = makeBatches([{ key, body: bodyOf(bodyBytes), persistent: true, delayed }]);
  if (delayed) for (const batch of batches) batch.valueOf = dueOf;
  const start = performance.now();
  await publish(wire, batches, { total });
  return rate(total, performance.now() - start);
}

/** The time of the processor that the broker has taken, its threads included, us. */
function cpuUs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** What a plain publish and a delayed one cost the broker in processor time, us, and the ratio, as medians of rounds in turns. */
async function compare(wire) {
  const kinds = [
    ['plain', null],
    ['later', nextYear],
  ];
  const rounds = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const costs = [];
    for (const [key, dueOf] of kinds) {
      const before = cpuUs(broker.pid);
      await fill(wire, key, few, dueOf);
      costs.push((cpuUs(broker.pid) - before) / few);
    }
    if (round > 0) rounds.push(costs);
  }
  return {
    plainUs: median(rounds.map(([plain]) => plain)),
    delayedUs: median(rounds.map(([, delayed]) => delayed)),
    ratio: median(rounds.map(([plain, delayed]) => delayed / plain)),
  };
}

/** Takes what comes due; returns the rate, and how late the last of each second was, ms. */
async function takeDue(address, queue, total, dueOf) {
  const wire = await Wire.open(address);
  await wire.qos(5_000);
  let count = 0;
  let late = 0;
  let disorder = 0;
  let lastDue = 0;
  let firstAt = 0;
  const done = new Promise((resolve, reject) => {
    wire.onEnd = () => reject(wire.failure);
    wire.onMessage = (tag, _redelivered, bytes, at) => {
      const now = Date.now();
      if (count === 0) firstAt = now;
      const due = dueOf(bytes.readUInt32BE(at));
      if (due < lastDue - 50) disorder += 1;
      lastDue = due;
      late = Math.max(late, now - due);
      count += 1;
      if (count % 200 === 0 || count === total) wire.ack(tag, true);
      if (count === total) resolve();
    };
  });
  const watch = failWhenIdle(() => count, `${queue} gives no more after`);
  await Promise.race([wire.consume(queue).then(() => done), watch.failed]);
  watch.stop();
  wire.onEnd = () => {};
  const perSecond = rate(total, Date.now() - firstAt);
  await wire.close();
  return { perSecond, late, disorder };
}

/** No message is due before, so that none comes due while others are published. */
const beginMs = Date.now() + 600_000;
const broker = new ScaleBroker();
await broker.start();
const wire = await Wire.open(broker.address);
await wire.confirmSelect();
await wire.declareDurable(['plain', 'later', 'soon']);
const few = Math.min(messages, 500_000);
const plain = await fill(wire, 'plain', few, null);
const before = memoryOf(broker.pid).own;
const nextYear = (n) => beginMs + spread(n, YEAR_MS / 1000) * 1000;
const first = await fill(wire, 'later', few, nextYear);
figure('plain durable publishes a second', plain);
figure('delayed ones a second, the first', first, first * 2 >= plain, 'half of that at least');
if (messages > few) {
  const all = await fill(wire, 'later', messages - few, nextYear);
  figure('delayed ones a second, all others', all, all * 2 >= plain, 'half of that at least');
}
const grown = memoryOf(broker.pid).own - before;
figure('messages that wait', messages);
figure('memory of its own that they take, MiB', grown, grown < 300, 'below 300');
const { plainUs, delayedUs, ratio } = await compare(wire);
figure('processor time of a plain publish, us', plainUs.toFixed(2));
figure('of a delayed one among these, us', delayedUs.toFixed(2));
figure('ratio of a round', ratio.toFixed(2), ratio <= 2, 'at most 2');
const startMs = Date.now();
const dueOf = (n) => startMs + AHEAD_MS + spread(n, SOON_MS);
await fill(wire, 'soon', soon, dueOf);
const { perSecond, late, disorder } = await takeDue(broker.address, 'soon', soon, dueOf);
figure(`${soon} due within ${SOON_MS} ms: a second`, perSecond);
figure('the latest came after its time, ms', late);
figure('out of order by more than 50 ms', disorder, disorder === 0, '0');
figure('longest stall, ms', (await broker.longestStall()).toFixed(1));
await wire.close();
await broker.end('SIGKILL');
const ms = await broker.start();
const client = await connect(`amqp://127.0.0.1:${broker.address.port}`);
const channel = await client.createChannel();
await channel.checkQueue('later');
figure('start with all of them after a kill, ms', Math.round(ms));
await client.close();
await broker.remove();
finish();
