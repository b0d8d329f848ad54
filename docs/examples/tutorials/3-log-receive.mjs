// Tutorial 3, publish and subscribe: prints every line, and leaves a second after the last one.
//
//   node docs/examples/tutorials/3-log-receive.mjs
import { connect } from 'amqplib';

const connection = await connect(process.env.AMQP_URL ?? 'amqp://localhost');
const channel = await connection.createChannel();
await channel.assertExchange('logs', 'fanout', { durable: false });
// A queue of our own, named by the broker, that goes away with this connection.
const { queue } = await channel.assertQueue('', { exclusive: true });
await channel.bindQueue(queue, 'logs', '');

let leave;
const print = (message) => {
  clearTimeout(leave);
  console.log(`received: ${message.content}`);
  leave = setTimeout(() => connection.close(), 1000);
};
await channel.consume(queue, print, { noAck: true });
console.log('waiting for lines');
