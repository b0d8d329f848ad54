// A sign-up pipeline that loses no registration: a burst of them, a billing step that often fails,
// retries, a dead-letter queue for those that never succeed, and a worker killed in the middle.
//
//   forms -> [signup.registrations] -> 2 workers -> [signup.done]
//                                          |
//                                          +------> [signup.failed]    rejected after its last try
//
//   node docs/examples/sign-up.mjs          AMQP_URL says where the broker is
//
// Exits with 0 when every registration is accounted for.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'amqplib';

const REGISTRATIONS = 500;
const KILL_AFTER = 150;
const QUEUES = ['signup.registrations', 'signup.done', 'signup.failed'];

const connection = await connect(process.env.AMQP_URL ?? 'amqp://localhost');
const channel = await connection.createConfirmChannel();

// Durable queues and persistent messages survive a restart of the broker. What a worker gives up
// on moves to signup.failed by itself, because it is the queue's dead-letter target.
await channel.assertQueue('signup.failed', { durable: true });
await channel.assertQueue('signup.done', { durable: true });
await channel.assertQueue('signup.registrations', {
  durable: true,
  deadLetterExchange: '',
  deadLetterRoutingKey: 'signup.failed',
});
for (const queue of QUEUES) await channel.purgeQueue(queue);

// A confirm is the broker's word that the message is on disk: only then is a user told "thank you".
for (let id = 1; id <= REGISTRATIONS; id++) {
  const registration = Buffer.from(JSON.stringify({ id, email: `user${id}@example.org` }));
  channel.sendToQueue('signup.registrations', registration, {
    persistent: true,
    contentType: 'application/json',
    headers: { attempts: 0 },
  });
}
await channel.waitForConfirms();
console.log(`${REGISTRATIONS} registrations published and confirmed`);

const worker = new URL('sign-up-worker.mjs', import.meta.url);
const workers = ['anna', 'ben'].map((name) => fork(worker, [name]));

const done = new Map();
const failed = new Set();
let killed = false;

await new Promise((resolve, reject) => {
  const settle = (message) => {
    channel.ack(message);
    if (!killed && done.size >= KILL_AFTER) {
      // No goodbye: what this worker held unacked goes back to the queue, for the other one.
      killed = workers[0].kill('SIGKILL');
      console.log(`${done.size} done; worker anna was killed`);
    }
    if (done.size + failed.size >= REGISTRATIONS) resolve();
  };
  workers[1].on('exit', (code) => reject(new Error(`worker ben ended with ${code}`)));
  channel
    .consume('signup.done', (message) => {
      const { id } = JSON.parse(message.content.toString());
      done.set(id, (done.get(id) ?? 0) + 1);
      settle(message);
    })
    .catch(reject);
  channel
    .consume('signup.failed', (message) => {
      const { id } = JSON.parse(message.content.toString());
      const [death] = message.properties.headers['x-death'];
      const { attempts } = message.properties.headers;
      console.log(`registration ${id}: ${death.reason} after ${attempts + 1} attempts`);
      failed.add(id);
      settle(message);
    })
    .catch(reject);
});

// At least once: a worker killed between "done" and its ack leaves a registration done twice.
const twice = [...done.values()].filter((times) => times > 1).length;
const both = [...failed].filter((id) => done.has(id)).length;
console.log(`${done.size} done + ${failed.size} failed = ${done.size + failed.size}`);
console.log(`${twice} done more than once, ${both} both done and failed`);

workers[1].removeAllListeners('exit');
workers[1].kill();
await once(workers[1], 'exit');
// Ends our consumers, who would be told that their queues go away.
await channel.close();
const cleaner = await connection.createChannel();
for (const queue of QUEUES) await cleaner.deleteQueue(queue);
await connection.close();
process.exitCode = both === 0 && killed ? 0 : 1;
