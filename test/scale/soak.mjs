// Full durable rate for half an hour, in waves: a backlog grows while nobody consumes, and is drained
// while more comes. Memory has to stay flat and the file to reach a plateau, and nothing may be lost.
//
//   round   publish a wave alone  ->  publish another while both are drained  ->  empty
//
// On the way some messages are sent back once, some are rejected into a dead-letter queue, and some
// expire. Usage: npm run soak -- [--minutes 30] [--messages 200000] [--bytes 1024]
import { connect } from 'amqplib';
import { ScaleBroker } from './broker.mjs';
import { bodyOf, failWhenIdle, makeBatches, publish } from './load.mjs';
import { argument, figure, finish } from './report.mjs';
import { bytesInUse, folderBytes, memoryOf, mib } from './watch.mjs';
import { Wire } from './wire.mjs';

const minutes = argument('minutes', 30);
const wave = argument('messages', 200_000);
const bytes = argument('bytes', 1024);
const SAMPLE_MS = 5_000;
const [QUEUE, DEAD, FLEETING] = ['soak', 'soak.dead', 'soak.fleeting'];
const [REJECTED_EVERY, RETURNED_EVERY] = [1_000, 777];

const broker = new ScaleBroker();
await broker.start();
const client = await connect(`amqp://guest:guest@127.0.0.1:${broker.address.port}`);
const setUp = await client.createChannel();
await setUp.assertQueue(DEAD, { durable: true });
await setUp.assertQueue(FLEETING, { durable: true, messageTtl: 500 });
const deadLetters = { deadLetterExchange: '', deadLetterRoutingKey: DEAD };
await setUp.assertQueue(QUEUE, { durable: true, ...deadLetters });

const publisher = await Wire.open(broker.address);
await publisher.confirmSelect();
const batches = makeBatches([{ key: QUEUE, body: bodyOf(bytes), persistent: true }]);
const fleeting = makeBatches([{ key: FLEETING, body: bodyOf(64), persistent: true }]);

const counts = { confirmed: 0, consumed: 0, returned: 0, dead: 0, expired: 0, wrong: 0 };
const samples = [];
const startMs = performance.now();
const sampling = setInterval(sample, SAMPLE_MS);
const endMs = startMs + minutes * 60_000;
while (performance.now() < endMs) await round();
clearInterval(sampling);
report();
await publisher.close();
await client.close();
await broker.remove();
finish();

async function round() {
  const total = wave * 2;
  const seen = new Uint8Array(total);
  await publish(publisher, batches, { total: wave });
  await publish(publisher, fleeting, { total: wave / 10 });
  const drained = consume(seen, total);
  await publish(publisher, batches, { first: wave, total: wave });
  await drained;
  await buryDead(seen, Math.floor((total - 1) / REJECTED_EVERY) + 1);
  counts.confirmed += total + wave / 10;
  for (const times of seen) if (times !== 1) counts.wrong += 1;
  while ((await setUp.checkQueue(FLEETING)).messageCount > 0) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  counts.expired += wave / 10;
}

/** Consumes until each number was settled; `seen` counts those that were acked. */
async function consume(seen, total) {
  const wire = await Wire.open(broker.address);
  await wire.qos(2_000);
  let settled = 0;
  const returned = new Set();
  const done = new Promise((resolve, reject) => {
    wire.onEnd = () => reject(wire.failure);
    wire.onMessage = (tag, _redelivered, chunk, at) => {
      const number = chunk.readUInt32BE(at);
      if (number % RETURNED_EVERY === 1 && !returned.has(number)) {
        returned.add(number);
        counts.returned += 1;
        wire.reject(tag, true);
        return;
      }
      settled += 1;
      counts.consumed += 1;
      if (number % REJECTED_EVERY === 0) wire.reject(tag, false);
      else {
        seen[number] += 1;
        wire.ack(tag, false);
      }
      if (settled === total) resolve();
    };
  });
  const watch = failWhenIdle(() => settled, 'the soak stands still at');
  await wire.consume(QUEUE);
  await Promise.race([done, watch.failed]);
  watch.stop();
  wire.onEnd = () => {};
  await wire.close();
}

/** Takes the dead letters out: they are the ones that were rejected. */
async function buryDead(seen, total) {
  const wire = await Wire.open(broker.address);
  let count = 0;
  await wire.qos(500);
  const done = new Promise((resolve) => {
    wire.onMessage = (tag, _redelivered, chunk, at) => {
      const number = chunk.readUInt32BE(at);
      if (number % REJECTED_EVERY === 0) seen[number] += 1;
      else counts.wrong += 1;
      counts.dead += 1;
      wire.ack(tag, false);
      if (++count === total) resolve();
    };
  });
  const watch = failWhenIdle(() => count, 'dead letters stand still at');
  await wire.consume(DEAD);
  await Promise.race([done, watch.failed]);
  watch.stop();
  await wire.close();
}

async function sample() {
  const { rss, own } = memoryOf(broker.pid);
  const [file, inUse] = [folderBytes(broker.storeFolder), bytesInUse(broker.storeFolder)];
  const stallMs = await broker.longestStall();
  const seconds = Math.round((performance.now() - startMs) / 1000);
  samples.push({ seconds, own, rss, fileMib: mib(file), inUseMib: mib(inUse), stallMs });
  const last = samples.at(-1);
  if (samples.length % 12 === 1) console.log(JSON.stringify({ ...last, ...counts }));
}

/** The middle and the last third of the samples, compared. */
function report() {
  const third = Math.floor(samples.length / 3);
  const [middle, last] = [samples.slice(third, 2 * third), samples.slice(2 * third)];
  const median = (some, what) =>
    some.map((each) => each[what]).sort((a, b) => a - b)[some.length >> 1];
  const most = (some, what) => Math.max(...some.map((each) => each[what]));
  const elapsed = (performance.now() - startMs) / 1000;
  console.log('\n seconds   own MiB   rss MiB  file MiB  in use MiB  stall ms');
  for (const each of samples.filter((_, n) => n % Math.ceil(samples.length / 15) === 0)) {
    const { seconds, own, rss, fileMib, inUseMib, stallMs } = each;
    const cells = [seconds, own, rss, fileMib, inUseMib, stallMs.toFixed(0)];
    console.log(cells.map((cell) => String(cell).padStart(9)).join(' '));
  }
  for (const [what, count] of Object.entries(counts)) {
    figure(what, count, what === 'wrong' ? count === 0 : null, what === 'wrong' ? '0' : '');
  }
  figure('confirmed a second', Math.round(counts.confirmed / elapsed));
  figure('consumed a second', Math.round(counts.consumed / elapsed));
  const [before, now] = [median(middle, 'own'), median(last, 'own')];
  figure('memory, middle third, MiB (median)', before);
  figure('memory, last third, MiB (median)', now, now < before * 1.1, 'no more than 10 % above');
  const [fileBefore, fileNow] = [most(middle, 'fileMib'), most(last, 'fileMib')];
  figure('file, middle third, MiB', fileBefore);
  figure('file, last third, MiB', fileNow, fileNow <= fileBefore * 1.05, 'a plateau');
  figure('warnings in the log', broker.warnings.length, broker.warnings.length === 0, '0');
}
