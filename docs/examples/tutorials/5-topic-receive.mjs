// Tutorial 5, topics: prints the lines whose key matches a pattern, and leaves a second after the
// last one. In a pattern * is any one word and # any number of words.
//
//   node docs/examples/tutorials/5-topic-receive.mjs [pattern...]
import { connect } from 'amqplib';

const given = process.argv.slice(2);
const patterns = given.length > 0 ? given : ['#'];

const connection = await connect(process.env.AMQP_URL ?? 'amqp://localhost');
const channel = await connection.createChannel();
await channel.assertExchange('topic_logs', 'topic', { durable: false });
const { queue } = await channel.assertQueue('', { exclusive: true });
for (const pattern of patterns) await channel.bindQueue(queue, 'topic_logs', pattern);

let leave;
const print = (message) => {
  clearTimeout(leave);
  console.log(`received: ${message.fields.routingKey}: ${message.content}`);
  leave = setTimeout(() => connection.close(), 1000);
};
await channel.consume(queue, print, { noAck: true });
console.log(`waiting for ${patterns.join(', ')}`);
