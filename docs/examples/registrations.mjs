// Registrations as job frameworks do them: five attempts with exponential backoff, priorities, ten jobs at a time, at most
// fifty starts a minute, a job that takes longer than its lease, events of what goes on, and a worker that is killed.
// The queue does all of this; a worker only works.
//
//   form -> [example.register] -> 2 workers -> [example.register.events]  active, progress, failed, completed
//                ^   ^     |          |
//                |   |     |          +-- nack: again after 3, 6, 12, 24 s
//                |   +-----|-- (waits) <--+
//                |         +-- after the fifth attempt
//                |         v
//                +-- [example.register.failed]      leveret redrive, after the fix
//
//   node docs/examples/registrations.mjs          60 registrations
//   leveret redrive example.register.failed       once the mail server knows the addresses
//   node docs/examples/registrations.mjs fixed    works on what is left
//
// A second takes 50 ms here; SECOND_MS=1000 is a real one.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect } from 'amqplib';

const SECOND_MS = Number(process.env.SECOND_MS ?? 50);
const JOBS = 60;
const AT_ONCE = 10;
const RATE = 50;
const MINUTE_S = Math.max(1, Math.round((60 * SECOND_MS) / 1000));
const BACKOFF_MS = 3 * SECOND_MS;
/** A lease is long enough for a machine that is busy, whatever a second is here. */
const LEASE_MS = Math.max(4000, 20 * SECOND_MS);
const LONG_JOB = 1;
/** Two processes round the time each for itself. */
const CLOCKS_MS = 5;
const [JOB_QUEUE, EVENTS, FAILED] = ['', '.events', '.failed'].map(
  (end) => `example.register${end}`,
);
const fixed = process.argv.includes('fixed');

const connection = await connect(process.env.AMQP_URL ?? 'amqp://localhost');
const channel = await connection.createConfirmChannel();

if (process.argv[2] === 'worker') await work();
else await main();

/** Whether it fails: now and then two times, some always, until the mail server is mended. */
function register(job, attempt) {
  if (job % 20 === 0 && !fixed) throw new Error('the mail server does not know the address');
  if (job % 7 === 0 && attempt < 3) throw new Error('the database is busy');
}

async function work() {
  const tell = (event, more, headers = {}) => {
    const body = Buffer.from(
      JSON.stringify({ event, worker: process.pid, at: Date.now(), ...more }),
    );
    channel.sendToQueue(EVENTS, body, { persistent: true, headers });
  };
  await channel.prefetch(AT_ONCE);
  process.send('ready');
  await once(process, 'message');
  await channel.consume(JOB_QUEUE, async (message) => {
    const { job } = JSON.parse(message.content.toString());
    const { deliveryTag } = message.fields;
    const attempt = 1 + (message.properties.headers['x-delivery-count'] ?? 0);
    tell('active', { job, attempt });
    try {
      await sleep(SECOND_MS);
      if (job === LONG_JOB)
        await takeLong(deliveryTag, (percent) => tell('progress', { job, percent }));
      register(job, attempt);
      // Completed and acked in one act: none is done twice, and none is lost.
      tell('completed', { job, attempt }, { 'x-ack-delivery-tag': deliveryTag });
    } catch ({ message: reason }) {
      tell('failed', { job, attempt, reason });
      channel.nack(message);
    }
  });
}

/** Takes one and a half leases, and prolongs its own in time. */
async function takeLong(deliveryTag, progress) {
  for (const percent of [20, 40, 60, 80, 100]) {
    await sleep(0.3 * LEASE_MS);
    const headers = { 'x-consumer-timeout': LEASE_MS };
    channel.publish('amq.leases', String(deliveryTag), Buffer.alloc(0), { headers });
    progress(percent);
  }
}

async function main() {
  const since = Date.now();
  await channel.assertQueue(EVENTS, { durable: true });
  await channel.assertQueue(FAILED, { durable: true });
  await channel.assertQueue(JOB_QUEUE, {
    durable: true,
    maxPriority: 5,
    deadLetterExchange: '',
    deadLetterRoutingKey: FAILED,
    arguments: {
      'x-delivery-limit': 4, // the first attempt, and four more
      'x-delayed-retry-min': BACKOFF_MS,
      'x-delayed-retry-multiplier': 2,
      'x-group-concurrency': AT_ONCE, // all workers together
      'x-delivery-rate': `${RATE}/${MINUTE_S}s`,
      'x-consumer-timeout': LEASE_MS,
      'x-consumer-timeout-action': 'requeue',
      'x-message-deduplication': true, // while a registration is there, it is taken once
    },
  });
  if (!fixed) {
    // Every tenth is urgent, and comes last; each user clicks twice.
    const urgent = (job) => job % 10 === 5;
    const all = Array.from({ length: JOBS }, (_, n) => n + 1);
    for (const job of [...all.filter((job) => !urgent(job)), ...all.filter(urgent)]) {
      const body = Buffer.from(JSON.stringify({ job }));
      const priority = urgent(job) ? 5 : 0;
      const headers = { 'x-deduplication-header': job };
      for (let click = 0; click < 2; click++) {
        channel.sendToQueue(JOB_QUEUE, body, { persistent: true, priority, headers });
      }
    }
    await channel.waitForConfirms();
  }
  const { messageCount } = await channel.checkQueue(JOB_QUEUE);
  console.log(`${messageCount} registrations to be worked on`);

  const workers = [start(), start()];
  const [, second] = workers;
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const seen = { completed: new Map(), failed: new Map(), first: [], progress: [], early: 0 };
  const active = new Map();
  const dead = new Set();
  let [starts, most, fast] = [0, 0, 0];
  const events = {
    active({ job, worker }) {
      starts += 1;
      if (!dead.has(worker)) active.set(job, worker);
      most = Math.max(most, active.size);
      if (starts > RATE + (RATE * (Date.now() - since)) / (1000 * MINUTE_S) + 1) fast += 1;
      seen.first.push(job);
    },
    progress({ percent }) {
      seen.progress.push(percent);
    },
    failed({ job, ...failure }) {
      active.delete(job);
      seen.failed.set(job, failure);
    },
    completed({ job }) {
      active.delete(job);
      seen.completed.set(job, (seen.completed.get(job) ?? 0) + 1);
    },
  };
  const look = (event) => {
    const before = seen.failed.get(event.job);
    if (event.event === 'active' && before?.attempt === event.attempt - 1) {
      const backoff = BACKOFF_MS * 2 ** (before.attempt - 1);
      if (event.at + CLOCKS_MS < before.at + backoff) seen.early += 1;
    }
    events[event.event](event);
    // The first one has its ten by then, the long job among them.
    if (starts === Math.min(AT_ONCE, messageCount) && event.event === 'active') second.send('go');
    const inTheMidst = event.event === 'active' && event.worker === second.pid;
    if (!fixed && inTheMidst && dead.size === 0 && seen.completed.size > 15) {
      second.kill('SIGKILL');
      dead.add(second.pid);
      for (const [job, worker] of active) if (worker === second.pid) active.delete(job);
      const third = start();
      workers.push(third);
      third.once('message', () => third.send('go'));
      console.log('a worker was killed in the midst of its work');
    }
  };
  await channel.consume(EVENTS, (message) => {
    // Null: its queue was deleted, at the end.
    if (message === null) return;
    look(JSON.parse(message.content.toString()));
    channel.ack(message);
  });
  workers[0].send('go');
  const failedCount = async () => (await channel.checkQueue(FAILED)).messageCount;
  while (seen.completed.size + (await failedCount()) < messageCount) await sleep(20);

  if (!fixed) {
    const urgent = seen.first.slice(0, 6).filter((job) => job % 10 === 5).length;
    console.log(`${urgent} urgent ones were first`);
    console.log(`the long one said: ${seen.progress.join(', ')} %`);
    for (;;) {
      // Inspected, and put back as they were.
      const letter = await channel.get(FAILED);
      if (letter === false) break;
      const { job } = JSON.parse(letter.content.toString());
      const attempts = letter.properties.headers['x-delivery-count'];
      console.log(`${job} failed: ${seen.failed.get(job).reason}, ${attempts} attempts`);
    }
    await channel.recover();
  }
  const twice = [...seen.completed.values()].filter((times) => times > 1).length;
  console.log(`${seen.completed.size} completed, ${twice} of them twice`);
  console.log(`${most <= AT_ONCE ? 'never' : 'sometimes'} more than ${AT_ONCE} at work`);
  console.log(`${fast} starts too fast, ${seen.early} retries too early`);

  const ends = workers.map(
    (worker) => worker.exitCode ?? worker.signalCode ?? once(worker, 'exit'),
  );
  for (const worker of workers) worker.kill();
  await Promise.all(ends);
  if (fixed) for (const queue of [JOB_QUEUE, EVENTS, FAILED]) await channel.deleteQueue(queue);
  await connection.close();
  process.exitCode = twice + fast + seen.early === 0 && most <= AT_ONCE ? 0 : 1;
}

function start() {
  return fork(fileURLToPath(import.meta.url), ['worker', fixed ? 'fixed' : 'first']);
}
