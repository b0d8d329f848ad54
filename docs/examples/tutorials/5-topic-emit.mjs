// Tutorial 5, topics: sends a line with a routing key of several words, such as "kern.critical".
//
//   node docs/examples/tutorials/5-topic-emit.mjs [key] [line]
import { connect } from 'amqplib';

const key = process.argv[2] ?? 'anonymous.info';
const line = process.argv[3] ?? 'Hello World!';

const connection = await connect(process.env.AMQP_URL ?? 'amqp://localhost');
const channel = await connection.createChannel();
await channel.assertExchange('topic_logs', 'topic', { durable: false });
channel.publish('topic_logs', key, Buffer.from(line));
console.log(`sent: ${key}: ${line}`);
await channel.close();
await connection.close();
