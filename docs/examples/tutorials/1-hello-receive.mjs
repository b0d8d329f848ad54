// Tutorial 1, hello: waits for one message, prints it and leaves.
//
//   node docs/examples/tutorials/1-hello-receive.mjs
import { connect } from 'amqplib';

const connection = await connect(process.env.AMQP_URL ?? 'amqp://localhost');
const channel = await connection.createChannel();
await channel.assertQueue('hello', { durable: false });
await channel.consume('hello', async (message) => {
  console.log(`received: ${message.content}`);
  channel.ack(message);
  await channel.close();
  await connection.close();
});
console.log('waiting for a message');
