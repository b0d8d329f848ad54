// Tutorial 6, RPC: answers with Fibonacci numbers, and leaves a second after the last answer.
//
//   node docs/examples/tutorials/6-rpc-server.mjs
import { connect } from 'amqplib';

const connection = await connect(process.env.AMQP_URL ?? 'amqp://localhost');
const channel = await connection.createChannel();
await channel.assertQueue('rpc_queue', { durable: false });
await channel.prefetch(1);

let leave;
await channel.consume('rpc_queue', (message) => {
  clearTimeout(leave);
  const n = Number(message.content.toString());
  const { replyTo, correlationId } = message.properties;
  channel.sendToQueue(replyTo, Buffer.from(String(fibonacci(n))), { correlationId });
  channel.ack(message);
  console.log(`answered: fibonacci(${n})`);
  leave = setTimeout(() => connection.close(), 1000);
});
console.log('waiting for questions');

function fibonacci(n) {
  let [before, number] = [0n, 1n];
  for (let i = 0; i < n; i++) [before, number] = [number, before + number];
  return before;
}
