// Very many names of publishers that a stream knows the last id of: what a publish costs beside a plain one, the memory that they
// take, whether duplicates are dropped, and a start with all of them.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { ScaleBroker } from './broker.mjs';
import { bodyOf, makeBatches, publish } from './load.mjs';
import { argument, figure, finish, rate } from './report.mjs';
import { memoryOf } from './watch.mjs';
import { Wire } from './wire.mjs';

const names = argument('names', 10_000_000);
const bodyBytes = argument('bytes', 100);
/** Publishes whose cost is compared. */
const few = Math.min(names, argument('few', 300_000));
/** Whether names come in order, as numbers of orders do: then rows are put side by side. */
const ordered = argument('ordered', 0) === 1;
const TICK_MS = 10;
const ROUNDS = 3;
const STREAM = { 'x-queue-type': 'stream' };
const OWN_MIB_MAX = 300;

/** The time of the processor that the broker has taken, its threads included, ms. */
function cpuMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** A number as the eight bytes of a text that differs from all others, and spread as UUIDs are. */
function textOf(n) {
  const spread = ordered ? n : Math.imul(n, 2_654_435_761) >>> 0;
  return Buffer.from(spread.toString(16).padStart(8, '0')).readBigInt64BE();
}

/** Publishes messages of numbers from `first` on; returns the rate, and what each cost the broker in processor time, us. */
async function fill(wire, key, first, total, how) {
  const batches = makeBatches([{ key, body: bodyOf(bodyBytes), persistent: true, ...how }]);
  if (how.named !== undefined) {
    for (const batch of batches) batch.valueOf = how.named === 'one' ? (n) => n : textOf;
  }
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
    for (const [n, { key, how }] of kinds.entries()) {
      const { perSecond, us } = await fill(wire, key, round * few + 1, few, how);
      best[n].perSecond = Math.max(best[n].perSecond, perSecond);
      best[n].us = Math.min(best[n].us, us);
    }
  }
  return best;
}

const told = ({ perSecond, us }) => `${perSecond} a second, ${us.toFixed(2)} us`;

function megabytes(folder) {
  const sizes = readdirSync(folder).map((file) => statSync(join(folder, file)).blocks * 512);
  return Math.round(sizes.reduce((sum, size) => sum + size, 0) / 2 ** 20);
}

const broker = new ScaleBroker();
await broker.start();
const wire = await Wire.open(broker.address);
await wire.confirmSelect();
await wire.declareDurable(['warm', 'plain', 'headers', 'one', 'new', 'events'], STREAM);
await fill(wire, 'warm', 0, few, {});
const [plain, headers, one, fresh] = await compare(wire, [
  { key: 'plain', how: {} },
  { key: 'headers', how: { keyed: true } },
  { key: 'one', how: { named: 'one' } },
  { key: 'new', how: { named: 'new' } },
]);
figure('plain publishes into a stream', told(plain));
figure('with a header that it does not look at', told(headers));
figure('of one publisher that numbers them', told(one));
figure('each the first of its name', told(fresh));
await fill(wire, 'events', 0, few, { named: 'new' });
await broker.longestTurn();
const before = memoryOf(broker.pid).own;
let last = fresh;
for (let first = few; first < names; ) {
  const total = Math.min(1_000_000, names - first);
  last = await fill(wire, 'events', first, total, { named: 'new' });
  first += total;
}
const { own } = memoryOf(broker.pid);
figure('names', names);
figure('the last million of them', told(last));
figure('memory of its own, MiB', own, own < OWN_MIB_MAX, `below ${OWN_MIB_MAX}`);
figure('of that since the first names, MiB', own - before);
figure('longest turn, ms of processor time', (await broker.longestTurn()).toFixed(1));
figure(
  'second events, their names not used for long',
  told(await fill(wire, 'events', 0, few, { named: 'next' })),
);
figure('store on the disk, MiB', megabytes(broker.storeFolder));
await wire.close();
await broker.end('SIGKILL');
figure('start with all of them after a kill, ms', Math.round(await broker.start()));
const again = await Wire.open(broker.address);
await again.confirmSelect();
const client = await connect(`amqp://127.0.0.1:${broker.address.port}`);
const channel = await client.createChannel();
const { messageCount } = await channel.checkQueue('events');
figure('duplicates', told(await fill(again, 'events', 0, few, { named: 'again' })));
const { messageCount: after } = await channel.checkQueue('events');
figure('messages that are missing', names + few - messageCount, names + few === messageCount, '0');
figure('duplicates that came through', after - messageCount, after === messageCount, '0');
await client.close();
await again.close();
await broker.remove();
finish();
