// Very many keys of messages that a queue knows: what a publish costs beside a plain one, the memory that keys take, whether
// duplicates are dropped, and a start with all of them.
import { readFileSync } from 'node:fs';
import { connect } from 'amqplib';
import { ScaleBroker } from './broker.mjs';
import { bodyOf, makeBatches, publish } from './load.mjs';
import { argument, figure, finish, rate } from './report.mjs';
import { memoryOf } from './watch.mjs';
import { Wire } from './wire.mjs';

const keys = argument('keys', 10_000_000);
const bodyBytes = argument('bytes', 100);
/** Publishes whose cost is compared. */
const few = Math.min(keys, argument('few', 300_000));
const DAY_MS = 24 * 3_600_000;
const TICK_MS = 10;
const ROUNDS = 3;

/** The time of the processor that the broker has taken, its threads included, ms. */
function cpuMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Publishes messages of numbers from `first` on; returns the rate, and what each cost the broker in processor time, us. */
async function fill(wire, key, first, total, keyed) {
  const batches = makeBatches([{ key, body: bodyOf(bodyBytes), persistent: true, keyed }]);
  // Spread, as texts that name something are.
  if (keyed) for (const batch of batches) batch.valueOf = (n) => n * 2_654_435_761;
  const before = cpuMs(broker.pid);
  const start = performance.now();
  await publish(wire, batches, { first, total });
  const perSecond = rate(total, performance.now() - start);
  return { perSecond, us: ((cpuMs(broker.pid) - before) * 1000) / total };
}

/** The best of some rounds, in which all have their turn: other programs on the machine make any of them slower. */
async function compare(wire, kinds) {
  const best = kinds.map(() => ({ perSecond: 0, us: Infinity }));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [n, { key, keyed }] of kinds.entries()) {
      const { perSecond, us } = await fill(wire, key, round * few, few, keyed);
      best[n].perSecond = Math.max(best[n].perSecond, perSecond);
      best[n].us = Math.min(best[n].us, us);
    }
  }
  return best;
}

/** Takes all that comes to a queue, so that keys alone are left. */
async function drainOf(queue) {
  const wire = await Wire.open(broker.address);
  await wire.qos(5_000);
  let count = 0;
  wire.onMessage = (tag) => {
    count += 1;
    if (count % 500 === 0) wire.ack(tag, true);
  };
  await wire.consume(queue);
  return wire;
}

const broker = new ScaleBroker();
await broker.start();
const wire = await Wire.open(broker.address);
await wire.confirmSelect();
await wire.declareDurable(['warm', 'plain', 'headers']);
await wire.declareDurable(['keyed', 'seen'], {
  'x-message-deduplication': true,
  'x-cache-ttl': DAY_MS,
  'x-cache-size': 2 * keys,
});
await wire.declareDurable(['jobs'], { 'x-message-deduplication': true });
await fill(wire, 'warm', 0, few, false);
const [plain, headers, keyed, jobs] = await compare(wire, [
  { key: 'plain', keyed: false },
  { key: 'headers', keyed: true },
  { key: 'keyed', keyed: true },
  { key: 'jobs', keyed: true },
]);
const enough = (perSecond) => [perSecond, perSecond * 1.5 >= plain.perSecond, 'plain / 1.5'];
figure('plain durable publishes a second', plain.perSecond);
figure('with a header that the queue does not look at', headers.perSecond);
figure('into a queue that knows keys for a day', ...enough(keyed.perSecond));
figure('into one that knows them with their messages', ...enough(jobs.perSecond));
const costs = [plain, headers, keyed, jobs].map(({ us }) => us.toFixed(2));
figure('processor time of the broker for these, us', costs.join(', '));
const drain = await drainOf('seen');
await fill(wire, 'seen', 0, few, true);
const before = memoryOf(broker.pid).own;
let last = { us: 0 };
for (let first = few; first < keys; ) {
  const total = Math.min(1_000_000, keys - first);
  last = await fill(wire, 'seen', first, total, true);
  first += total;
}
await drain.close();
const grown = memoryOf(broker.pid).own - before;
figure('keys', keys);
figure('memory of its own that they take, MiB', grown, grown < 250, 'below 250');
figure('the last publishes, with a consumer beside them, us', last.us.toFixed(2));
figure('longest stall, ms', (await broker.longestStall()).toFixed(1));
await wire.close();
await broker.end('SIGKILL');
const ms = await broker.start();
figure('start with all of them after a kill, ms', Math.round(ms));
const again = await Wire.open(broker.address);
await again.confirmSelect();
const client = await connect(`amqp://127.0.0.1:${broker.address.port}`);
const channel = await client.createChannel();
const { messageCount } = await channel.checkQueue('seen');
const repeated = await fill(again, 'seen', 0, few, true);
figure('a duplicate, us', repeated.us.toFixed(2));
const { messageCount: after } = await channel.checkQueue('seen');
figure('duplicates that came through', after - messageCount, after === messageCount, '0');
await client.close();
await again.close();
await broker.remove();
finish();
