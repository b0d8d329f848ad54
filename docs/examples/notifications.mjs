// Fan-out: every notification reaches every subscriber, in the order it was sent. Each subscriber
// has a queue of its own that goes away with its connection.
//
//                                                 +-> [queue of subscriber 1]
//   publisher -> (example.notifications) ---------+-> [queue of subscriber 2]
//                                         fanout  +-> ... 50 of them
//
//   node docs/examples/notifications.mjs
import { connect } from 'amqplib';

const SUBSCRIBERS = 50;
const NOTIFICATIONS = 20;
const EXCHANGE = 'example.notifications';

const url = process.env.AMQP_URL ?? 'amqp://localhost';
const publisher = await connect(url);
const channel = await publisher.createConfirmChannel();
await channel.assertExchange(EXCHANGE, 'fanout', { durable: false });

// Ten subscribers share a connection, each on a channel of its own.
const connections = [];
const inboxes = [];
const everythingArrived = [];
for (let n = 0; n < SUBSCRIBERS; n++) {
  if (n % 10 === 0) connections.push(await connect(url));
  const subscriber = await connections.at(-1).createChannel();
  const { queue } = await subscriber.assertQueue('', { exclusive: true });
  await subscriber.bindQueue(queue, EXCHANGE, '');
  const inbox = [];
  inboxes.push(inbox);
  everythingArrived.push(
    new Promise((resolve) => {
      const take = (message) => {
        inbox.push(message.content.toString());
        if (inbox.length === NOTIFICATIONS) resolve();
      };
      subscriber.consume(queue, take, { noAck: true });
    }),
  );
  // The next call on the channel ends after the consume, so the subscriber is ready.
  await subscriber.prefetch(0);
}
console.log(`${SUBSCRIBERS} subscribers, each with a queue of its own`);

const sent = [];
for (let n = 1; n <= NOTIFICATIONS; n++) {
  const text = `notification ${n}`;
  sent.push(text);
  channel.publish(EXCHANGE, '', Buffer.from(text));
}
await channel.waitForConfirms();
console.log(`${NOTIFICATIONS} notifications published once each`);

await Promise.all(everythingArrived);
const received = inboxes.reduce((sum, inbox) => sum + inbox.length, 0);
const inOrder = inboxes.every((inbox) => inbox.join() === sent.join());
console.log(`${received} received, ${inOrder ? 'all in order' : 'NOT in order'}`);

await channel.deleteExchange(EXCHANGE);
for (const connection of [...connections, publisher]) await connection.close();
process.exitCode = inOrder && received === SUBSCRIBERS * NOTIFICATIONS ? 0 : 1;
