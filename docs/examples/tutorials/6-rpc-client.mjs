// Tutorial 6, RPC: asks for a Fibonacci number and waits for the answer.
//
//   node docs/examples/tutorials/6-rpc-client.mjs [n]
import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';

const n = process.argv[2] ?? '30';

const connection = await connect(process.env.AMQP_URL ?? 'amqp://localhost');
const channel = await connection.createChannel();
const { queue } = await channel.assertQueue('', { exclusive: true });
const correlationId = randomUUID();
const takeAnswer = async (message) => {
  // An answer to another question would have another id.
  if (message.properties.correlationId !== correlationId) return;
  console.log(`answer: fibonacci(${n}) = ${message.content}`);
  await connection.close();
};
await channel.consume(queue, takeAnswer, { noAck: true });
channel.sendToQueue('rpc_queue', Buffer.from(n), { correlationId, replyTo: queue });
console.log(`asked: fibonacci(${n})`);
