// Tutorial 4, routing: prints the lines of the severities asked for, and leaves a second after the
// last one.
//
//   node docs/examples/tutorials/4-routing-receive.mjs [severity...]
import { connect } from 'amqplib';

const given = process.argv.slice(2);
const severities = given.length > 0 ? given : ['info', 'warning', 'error'];

const connection = await connect(process.env.AMQP_URL ?? 'amqp://localhost');
const channel = await connection.createChannel();
await channel.assertExchange('direct_logs', 'direct', { durable: false });
const { queue } = await channel.assertQueue('', { exclusive: true });
// One binding for each severity.
for (const severity of severities) await channel.bindQueue(queue, 'direct_logs', severity);

let leave;
const print = (message) => {
  clearTimeout(leave);
  console.log(`received: ${message.fields.routingKey}: ${message.content}`);
  leave = setTimeout(() => connection.close(), 1000);
};
await channel.consume(queue, print, { noAck: true });
console.log(`waiting for ${severities.join(', ')}`);
