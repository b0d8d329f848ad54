// RPC: a client asks, one of three servers answers. The reply queue says where the answer goes, the
// correlation id says which question it belongs to.
//
//   client -> [example.rpc] -> 3 servers
//     ^                           |
//     +------ [reply queue] <-----+    the answer has the correlation id of its question
//
//   node docs/examples/rpc.mjs
import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';

const QUESTIONS = 'example.rpc';
const SERVERS = 3;
const CALLS = 60;

const url = process.env.AMQP_URL ?? 'amqp://localhost';

const servers = [];
const answered = Array(SERVERS).fill(0);
for (let n = 0; n < SERVERS; n++) servers.push(await serve(n));

const client = await connectClient();
const numbers = Array.from({ length: CALLS }, (_, n) => n + 1);
// All at once: the answers come back in any order.
const squares = await Promise.all(numbers.map((number) => client.call(number)));
const right = squares.filter((square, at) => square === numbers[at] ** 2).length;
console.log(`${CALLS} calls, ${right} right answers`);
answered.forEach((times, n) => {
  console.log(`server ${n + 1} answered ${times} times`);
});

for (const connection of servers) await connection.close();
await client.channel.deleteQueue(QUESTIONS);
await client.connection.close();
process.exitCode = right === CALLS && answered.every((times) => times > 0) ? 0 : 1;

async function serve(n) {
  const connection = await connect(url);
  const channel = await connection.createChannel();
  await channel.assertQueue(QUESTIONS, { durable: false });
  // One question at a time: the servers share the work by how fast they are.
  await channel.prefetch(1);
  await channel.consume(QUESTIONS, (message) => {
    const number = Number(message.content.toString());
    const { replyTo, correlationId } = message.properties;
    answered[n]++;
    channel.sendToQueue(replyTo, Buffer.from(String(number ** 2)), { correlationId });
    channel.ack(message);
  });
  return connection;
}

async function connectClient() {
  const connection = await connect(url);
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  const waiting = new Map();
  await channel.consume(
    queue,
    (message) => {
      const { correlationId } = message.properties;
      waiting.get(correlationId)?.(Number(message.content.toString()));
      waiting.delete(correlationId);
    },
    { noAck: true },
  );
  const call = (number) =>
    new Promise((resolve) => {
      const correlationId = randomUUID();
      waiting.set(correlationId, resolve);
      channel.sendToQueue(QUESTIONS, Buffer.from(String(number)), {
        correlationId,
        replyTo: queue,
      });
    });
  return { connection, channel, call };
}
