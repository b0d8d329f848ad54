// A work queue with uneven jobs. With prefetch 1 a worker gets its next job when it has acked the
// last, so no job waits behind a long one while other workers have nothing to do.
//
//   jobs -> [example.work] -+-> worker 1, with one job at a time
//                           +-> worker 2, the same
//                           +-> worker 3, the same
//
//   node docs/examples/work-queue.mjs
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'amqplib';

const QUEUE = 'example.work';
const WORKERS = 3;
const JOBS = 60;
const LONG_MS = 60;
const SHORT_MS = 4;

const url = process.env.AMQP_URL ?? 'amqp://localhost';
const connection = await connect(url);
const control = await connection.createConfirmChannel();
await control.assertQueue(QUEUE, { durable: true });
await control.purgeQueue(QUEUE);

// Every third job is long: dealt out in turn, one worker of three would get all of the long ones.
for (let n = 0; n < JOBS; n++) {
  const ms = n % WORKERS === 0 ? LONG_MS : SHORT_MS;
  control.sendToQueue(QUEUE, Buffer.from(String(ms)), { persistent: true });
}
await control.waitForConfirms();
console.log(`${JOBS} jobs, every third takes ${LONG_MS} ms, the others ${SHORT_MS} ms`);

let finished = 0;
let finish = () => {};
const allFinished = new Promise((resolve) => {
  finish = resolve;
});

const office = await connect(url);
const workers = [];
for (let n = 1; n <= WORKERS; n++) {
  const worker = { name: `worker ${n}`, long: 0, short: 0 };
  workers.push(worker);
  const channel = await office.createChannel();
  await channel.prefetch(1);
  await channel.consume(QUEUE, async (message) => {
    const ms = Number(message.content.toString());
    await sleep(ms);
    if (ms === LONG_MS) worker.long++;
    else worker.short++;
    channel.ack(message);
    if (++finished === JOBS) finish();
  });
}
await allFinished;

for (const { name, long, short } of workers) {
  console.log(`${name}: ${long} long jobs, ${short} short ones`);
}
const longs = workers.map(({ long }) => long);
const fair = Math.max(...longs) < JOBS / WORKERS / 2 + 2;
console.log(`${finished} jobs finished, ${fair ? 'fairly' : 'NOT fairly'} shared`);

await office.close();
await control.deleteQueue(QUEUE);
await connection.close();
process.exitCode = fair ? 0 : 1;
