// Tutorial 2, work queues: puts jobs into a durable queue. A dot in a job is a tenth of a second of
// work.
//
//   node docs/examples/tutorials/2-work-send.mjs [job...]
import { connect } from 'amqplib';

const given = process.argv.slice(2);
const jobs = given.length > 0 ? given : ['first.', 'second..', 'third.', 'fourth...', 'fifth.'];

const connection = await connect(process.env.AMQP_URL ?? 'amqp://localhost');
const channel = await connection.createConfirmChannel();
// A durable queue and persistent messages: they outlive the broker's process.
await channel.assertQueue('work', { durable: true });
for (const job of jobs) channel.sendToQueue('work', Buffer.from(job), { persistent: true });
// From here on the jobs are on disk.
await channel.waitForConfirms();
for (const job of jobs) console.log(`sent: ${job}`);
await connection.close();
