// A group of workers on a super stream, which is Kafka's topic with partitions. The group grows from one worker to three
// and back to one: the broker moves partitions, each message is done once, and the messages of a user stay in order.
//
//   visits -> (example.visits) -+-> [example.visits-0] -+
//        by hash of the user    +-> [example.visits-1] -+-> group "counters": each partition at one worker at a time
//                               +-> ... 6 of them      -+
//
// `leveret streams add example.visits --partitions 6` does what declare() does below.
//
//   node docs/examples/worker-group.mjs
import { connect } from 'amqplib';

const VISITS = 'example.visits';
const PARTITIONS = 6;
const USERS = 30;
const ROUNDS = 3;
const VISITS_PER_ROUND = 600;

const url = process.env.AMQP_URL ?? 'amqp://localhost';
const connection = await connect(url);
const control = await connection.createConfirmChannel();

async function clear() {
  await control.deleteExchange(VISITS);
  for (let n = 0; n < PARTITIONS; n++) await control.deleteQueue(`${VISITS}-${n}`);
}

async function declare() {
  await control.assertExchange(VISITS, 'direct', { arguments: { 'x-super-stream': true } });
  for (let n = 0; n < PARTITIONS; n++) {
    const name = `${VISITS}-${n}`;
    await control.assertQueue(name, { arguments: { 'x-queue-type': 'stream' } });
    await control.bindQueue(name, VISITS, String(n), { 'x-stream-partition-order': n });
  }
}

/** The last visit of each user that was done, and how many were. */
const seen = new Map();
let done = 0;
let outOfOrder = 0;
let wanted = 0;
let reached = () => {};

/** A worker on a connection of its own, as in a process of its own. */
async function work(name) {
  const own = await connect(url);
  const channel = await own.createChannel();
  const worker = { name, partitions: new Set(), stop: () => own.close() };
  await channel.prefetch(20);
  const options = {
    arguments: { 'x-stream-group': 'counters', 'x-stream-offset': 'first' },
  };
  await channel.consume(
    VISITS,
    (message) => {
      const { user, visit } = JSON.parse(message.content.toString());
      worker.partitions.add(message.properties.headers['x-stream-partition']);
      // A worker that stops may have been given some that it does not ack: the next one gets them again.
      if (visit === (seen.get(user) ?? 0) + 1) {
        seen.set(user, visit);
        done++;
      } else if (visit > (seen.get(user) ?? 0)) outOfOrder++;
      channel.ack(message);
      if (done === wanted) reached();
    },
    options,
  );
  return worker;
}

const last = new Map();
async function publish(count) {
  for (let n = 0; n < count; n++) {
    const user = `user-${n % USERS}`;
    const visit = (last.get(user) ?? 0) + 1;
    last.set(user, visit);
    const body = Buffer.from(JSON.stringify({ user, visit }));
    control.publish(VISITS, user, body, { persistent: true });
  }
  await control.waitForConfirms();
}

/** Publishes a round, and waits until the workers have done it. */
async function round(workers) {
  for (const { partitions } of workers) partitions.clear();
  wanted += VISITS_PER_ROUND;
  const over = new Promise((resolve) => {
    reached = resolve;
  });
  await publish(VISITS_PER_ROUND);
  await over;
  const shares = workers.map(({ partitions }) => partitions.size);
  console.log(`${workers.length} worker(s): ${shares.join(' + ')} partitions`);
}

await clear();
await declare();
const workers = [await work('one')];
await round(workers);
workers.push(await work('two'), await work('three'));
await round(workers);
await workers.pop().stop();
await workers.pop().stop();
await round(workers);
console.log(`${done} of ${ROUNDS * VISITS_PER_ROUND} visits done, ${outOfOrder} out of order`);

await workers[0].stop();
await clear();
await connection.close();
process.exitCode = done === ROUNDS * VISITS_PER_ROUND && outOfOrder === 0 ? 0 : 1;
