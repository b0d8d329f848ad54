// Queues that keep a few messages of many: how much of the disk stays in use once the others are
// acked, beside twice the bytes of what is live and 64 MiB.
import { connect } from 'amqplib';
import { ScaleBroker } from './broker.mjs';
import { bodyOf, drain, makeBatches, publish } from './load.mjs';
import { argument, figure, finish } from './report.mjs';
import { bytesInUse, folderBytes, mib } from './watch.mjs';
import { Wire } from './wire.mjs';

const messages = argument('messages', 2_000_000);
const bodyBytes = argument('bytes', 200);
/** What a message takes beside its body: its record's head, address and frames, its place in a page. */
const REST_BYTES = 80;
const PATTERNS = [
  ['every 500th is kept', (n) => n % 500 === 0],
  ['half is kept, at random', (n) => ((n * 2_654_435_761) >>> 0) % 2 === 0],
  ['a third is kept, at random', (n) => ((n * 2_654_435_761) >>> 0) % 3 === 0],
  ['the second half is kept', (n) => n >= messages / 2],
  ['the newest is kept', (n) => n === messages - 1],
];

async function run([what, kept], fanOut) {
  const broker = new ScaleBroker();
  await broker.start();
  const wire = await Wire.open(broker.address);
  await wire.confirmSelect();
  const queues = fanOut ? ['keeps', 'drains'] : ['keeps'];
  await wire.declareDurable(queues);
  const exchange = fanOut ? 'amq.fanout' : '';
  if (fanOut) for (const queue of queues) await wire.bind(queue, exchange);
  const batches = makeBatches([
    { exchange, key: 'keeps', body: bodyOf(bodyBytes), persistent: true },
  ]);
  await publish(wire, batches, { total: messages });
  await wire.close();
  if (fanOut) await drain(broker.address, 'drains', { total: messages });
  const left = await thin(broker.address, kept);
  await idle(broker);
  const inUse = bytesInUse(broker.storeFolder);
  const live = left * (bodyBytes + REST_BYTES);
  const most = 2 * live + 64 * 2 ** 20;
  const stall = await broker.longestStall();
  figure(
    `${fanOut ? 'fan-out: ' : ''}${what}: MiB in use`,
    mib(inUse),
    inUse < most,
    `below ${mib(most)} (${mib(live)} live)`,
  );
  figure('  the file itself, MiB', mib(folderBytes(broker.storeFolder)));
  figure('  longest stall, ms', stall.toFixed(1));
  const numbers = new Set();
  await drain(broker.address, 'keeps', { total: left, seen: (n) => numbers.add(n) });
  let wrong = left - numbers.size + (await ready(broker.address, 'keeps'));
  for (const n of numbers) if (!kept(n)) wrong += 1;
  figure('  messages that are not what was kept', wrong, wrong === 0, '0');
  await broker.remove();
}

/** Acks what is not kept; returns how many are left. */
async function thin(address, kept) {
  const wire = await Wire.open(address);
  let seen = 0;
  let left = 0;
  const all = new Promise((resolve) => {
    wire.onMessage = (tag, _redelivered, bytes, at) => {
      if (kept(bytes.readUInt32BE(at))) left += 1;
      else wire.ack(tag, false);
      seen += 1;
      if (seen === messages) resolve();
    };
  });
  await wire.consume('keeps');
  await all;
  await wire.close();
  return left;
}

/** How many messages a queue has ready. */
async function ready({ port }, queue) {
  const connection = await connect(`amqp://guest:guest@127.0.0.1:${port}`);
  const { messageCount } = await (await connection.createChannel()).checkQueue(queue);
  await connection.close();
  return messageCount;
}

/** Waits until the broker has written what it had to. */
async function idle(broker) {
  let before = -1;
  for (let same = 0; same < 4; ) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    const now = bytesInUse(broker.storeFolder);
    same = now === before ? same + 1 : 0;
    before = now;
  }
}

const patterns = PATTERNS.slice(0, argument('patterns', PATTERNS.length));
for (const fanOut of [false, true]) for (const pattern of patterns) await run(pattern, fanOut);
finish();
