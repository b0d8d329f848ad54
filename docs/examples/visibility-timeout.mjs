// A queue with a visibility timeout, as SQS has it: what is received is invisible for a while, and comes back unless
// it is deleted in time.
//
//   producer -> [example.visible] -> worker a          acks: deleted
//                     ^          +-> worker b          acks: deleted
//                     |          +-> worker that hangs
//                     +-- after VISIBLE_MS --+         its jobs come back, for a and b
//
//   node docs/examples/visibility-timeout.mjs
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'amqplib';

const QUEUE = 'example.visible';
const VISIBLE_MS = 1_000;
const JOBS = 30;

const url = process.env.AMQP_URL ?? 'amqp://localhost';
const connection = await connect(url);
const control = await connection.createConfirmChannel();
await control.assertQueue(QUEUE, {
  durable: true,
  arguments: {
    'x-consumer-timeout': VISIBLE_MS,
    'x-consumer-timeout-action': 'requeue',
    'x-delivery-limit': 5,
  },
});
await control.purgeQueue(QUEUE);

async function send(bodies) {
  for (const body of bodies) control.sendToQueue(QUEUE, Buffer.from(body), { persistent: true });
  await control.waitForConfirms();
}

/** A long poll: the next message, or null when none has come within `waitMs`. */
async function receive(channel, waitMs) {
  let message = null;
  let wake = () => {};
  const over = new Promise((resolve) => {
    wake = resolve;
  });
  await channel.prefetch(1);
  const { consumerTag } = await channel.consume(QUEUE, (delivered) => {
    message = delivered;
    wake();
  });
  const timer = setTimeout(wake, waitMs);
  await over;
  clearTimeout(timer);
  // What came until the cancel is answered was received as well.
  await channel.cancel(consumerTag);
  return message;
}

const attemptOf = (message) => 1 + (message.properties.headers['x-delivery-count'] ?? 0);
const say = (what, message) =>
  console.log(`${what}: ${message === null ? 'nothing' : `attempt ${attemptOf(message)}`}`);

const channel = await connection.createChannel();
say('an empty queue', await receive(channel, 100));
await send(['invoice 1']);
const first = await receive(channel, 5_000);
say('received', first);
say('while it is invisible', await receive(channel, 100));
const second = await receive(channel, 10 * VISIBLE_MS);
say('not deleted in time, received again', second);
channel.ack(first); // too late: it means nothing, and is no error
channel.ack(second); // deletes it
say('deleted', await receive(channel, 1.2 * VISIBLE_MS));
await channel.close();

await send(Array.from({ length: JOBS }, (_, n) => `job ${n}`));
const hanging = await connection.createChannel();
await hanging.prefetch(3);
let held = 0;
await hanging.consume(QUEUE, () => {
  held += 1;
});
while (held < 3) await sleep(10);

const done = new Set();
const channels = [hanging];
for (let n = 0; n < 2; n++) {
  const worker = await connection.createChannel();
  channels.push(worker);
  await worker.prefetch(1);
  await worker.consume(QUEUE, (message) => {
    done.add(message.content.toString());
    worker.ack(message);
  });
}
while (done.size < JOBS) await sleep(10);
await sleep(1.2 * VISIBLE_MS);
console.log(`${done.size} of ${JOBS} jobs done by two workers; the one that hangs had ${held}`);

for (const each of channels) await each.close();
await control.deleteQueue(QUEUE);
await connection.close();
process.exitCode = done.size === JOBS && held === 3 ? 0 : 1;
