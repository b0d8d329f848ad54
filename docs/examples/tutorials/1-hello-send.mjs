// Tutorial 1, hello: puts one message into a queue.
//
//   node docs/examples/tutorials/1-hello-send.mjs [text]
import { connect } from 'amqplib';

const text = process.argv[2] ?? 'Hello World!';

const connection = await connect(process.env.AMQP_URL ?? 'amqp://localhost');
const channel = await connection.createChannel();
// Declaring is safe to repeat: the first program makes the queue.
await channel.assertQueue('hello', { durable: false });
channel.sendToQueue('hello', Buffer.from(text));
console.log(`sent: ${text}`);
// close() sends what is still buffered first.
await channel.close();
await connection.close();
