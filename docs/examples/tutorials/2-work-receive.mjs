// Tutorial 2, work queues: works on one job at a time, and leaves a second after the last one. Start
// several to share the work.
//
//   node docs/examples/tutorials/2-work-receive.mjs
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'amqplib';

const connection = await connect(process.env.AMQP_URL ?? 'amqp://localhost');
const channel = await connection.createChannel();
await channel.assertQueue('work', { durable: true });
// The next job comes when this one is acked, and goes to another worker if this one dies.
await channel.prefetch(1);

let leave;
await channel.consume('work', async (message) => {
  clearTimeout(leave);
  const job = message.content.toString();
  await sleep((job.split('.').length - 1) * 100);
  console.log(`finished: ${job}`);
  channel.ack(message);
  leave = setTimeout(() => connection.close(), 1000);
});
console.log('waiting for jobs');
