// Video uploads: one event goes to three queues, each with workers of its own. The slow step gets more workers when it
// falls behind, one of them is killed in the midst of its work, and each video has each step done once.
//
//                                    +-> [example.video.transcode]  -> 1 to 3 workers -+
//   uploads -> (example.video) ------+-> [example.video.thumbnail]  -> worker          +-> [example.video.done]
//                       fanout       +-> [example.video.subtitles]  -> worker ---------+
//
//   node docs/examples/video-uploads.mjs
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect } from 'amqplib';

const UPLOADS = 60;
/** How long each step takes, ms. */
const STEPS = { transcode: 25, thumbnail: 1, subtitles: 2 };
const WORKERS_MAX = 3;
/** So many waiting videos a worker are enough; with more, there is one worker more. */
const BACKLOG = 15;
const KILL_AFTER = 20;
const EXCHANGE = 'example.video';
const DONE = `${EXCHANGE}.done`;
const queueOf = (step) => `${EXCHANGE}.${step}`;

const connection = await connect(process.env.AMQP_URL ?? 'amqp://localhost');
const channel = await connection.createConfirmChannel();

if (process.argv[2] === 'worker') await work(process.argv[3]);
else await main();

/** A worker: takes two videos at a time, and is done with one when the publish of its result has acked it. */
async function work(step) {
  await channel.prefetch(2);
  await channel.consume(queueOf(step), async (message) => {
    await sleep(STEPS[step]);
    // The result is in its queue and the video acked, or neither: also if this worker is killed right now.
    channel.sendToQueue(DONE, message.content, {
      persistent: true,
      headers: { step, 'x-ack-delivery-tag': message.fields.deliveryTag },
    });
  });
}

async function main() {
  // Fan-out: each queue has each upload, once. A step that is added later gets a queue of its own, and nothing else changes.
  await channel.assertExchange(EXCHANGE, 'fanout', { durable: true });
  for (const step of Object.keys(STEPS)) {
    // A worker that hangs has its videos taken from it after half a minute; one that dies, at once.
    const lease = { 'x-consumer-timeout': 30_000, 'x-consumer-timeout-action': 'requeue' };
    await channel.assertQueue(queueOf(step), { durable: true, arguments: lease });
    await channel.bindQueue(queueOf(step), EXCHANGE, '');
    await channel.purgeQueue(queueOf(step));
  }
  await channel.assertQueue(DONE, { durable: true });
  await channel.purgeQueue(DONE);
  for (let video = 1; video <= UPLOADS; video++) {
    const uploaded = Buffer.from(JSON.stringify({ video }));
    channel.publish(EXCHANGE, '', uploaded, { persistent: true });
  }
  await channel.waitForConfirms();
  console.log(`${UPLOADS} uploads, each in 3 queues`);

  const workers = Object.keys(STEPS).map(start);
  const done = new Map();
  let transcoded = 0;
  let transcoders = 1;
  await new Promise((resolve, reject) => {
    const count = async (message) => {
      const { video } = JSON.parse(message.content.toString());
      const { step } = message.properties.headers;
      done.set(`${video} ${step}`, (done.get(`${video} ${step}`) ?? 0) + 1);
      channel.ack(message);
      if (done.size === 3 * UPLOADS) resolve();
      if (step !== 'transcode') return;
      transcoded += 1;
      if (transcoded === KILL_AFTER) {
        workers[0].kill('SIGKILL');
        console.log('a worker was killed in the midst of its work');
      }
      const { messageCount } = await channel.checkQueue(queueOf(step));
      if (messageCount > BACKLOG * transcoders && transcoders < WORKERS_MAX) {
        transcoders += 1;
        workers.push(start(step));
      }
    };
    channel.consume(DONE, (message) => count(message).catch(reject)).catch(reject);
  });
  console.log(`transcode grew to ${transcoders} workers`);

  const ended = workers.map(
    (worker) => worker.exitCode ?? worker.signalCode ?? once(worker, 'exit'),
  );
  for (const worker of workers) worker.kill();
  await Promise.all(ended);
  let left = 0;
  for (const queue of [...Object.keys(STEPS).map(queueOf), DONE]) {
    left += (await channel.checkQueue(queue)).messageCount;
  }
  const twice = [...done.values()].filter((times) => times > 1).length;
  console.log(`${done.size} steps done, ${twice} of them twice, ${left} messages left`);
  await channel.close();

  const cleaner = await connection.createChannel();
  for (const queue of [...Object.keys(STEPS).map(queueOf), DONE]) await cleaner.deleteQueue(queue);
  await cleaner.deleteExchange(EXCHANGE);
  await connection.close();
  process.exitCode = twice + left === 0 ? 0 : 1;
}

function start(step) {
  return fork(fileURLToPath(import.meta.url), ['worker', step]);
}
