// Tutorial 3, publish and subscribe: sends lines to all listeners. Without a listener they are
// gone.
//
//   node docs/examples/tutorials/3-log-emit.mjs [line...]
import { connect } from 'amqplib';

const given = process.argv.slice(2);
const lines = given.length > 0 ? given : ['started', 'running', 'stopped'];

const connection = await connect(process.env.AMQP_URL ?? 'amqp://localhost');
const channel = await connection.createChannel();
await channel.assertExchange('logs', 'fanout', { durable: false });
for (const line of lines) {
  // A fanout exchange does not look at the routing key.
  channel.publish('logs', '', Buffer.from(line));
  console.log(`sent: ${line}`);
}
await channel.close();
await connection.close();
