// Traffic in which each counter of a broker grows: publishes, returns, deliveries and gets in each way, acks, dead letters,
// and clients that come and go. Never looks at what comes of it.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'amqplib';

const PAUSE_MS = 100;

/** Runs until the answer is called; that waits for the end. */
export async function startTraffic(url) {
  const client = await connect(url);
  const channel = await client.createConfirmChannel();
  const plain = await client.createChannel();
  for (const queue of ['automatic', 'manual', 'polled', 'kept']) await channel.assertQueue(queue);
  await channel.assertExchange('dead', 'fanout');
  await channel.bindQueue('kept', 'dead', '');
  await channel.assertQueue('short', { maxLength: 1, deadLetterExchange: 'dead' });
  await channel.assertQueue('lossy', { maxLength: 1 });
  await channel.assertQueue('quorum', { arguments: { 'x-queue-type': 'quorum' } });
  await channel.consume('automatic', () => {}, { noAck: true });
  await channel.consume('quorum', (message) => channel.ack(message));
  await channel.consume('manual', (message) =>
    message.fields.redelivered ? channel.ack(message) : channel.nack(message),
  );
  let running = true;
  const ended = (async () => {
    while (running) {
      await round(channel, plain, url);
      await sleep(PAUSE_MS);
    }
    await client.close();
  })();
  ended.catch(() => {});
  return () => {
    running = false;
    return ended;
  };
}

async function round(channel, plain, url) {
  for (const queue of ['automatic', 'manual', 'polled', 'polled', 'short', 'lossy', 'quorum']) {
    channel.sendToQueue(queue, Buffer.from('traffic'));
  }
  channel.sendToQueue('nowhere', Buffer.from('dropped'));
  const returned = once(channel, 'return');
  channel.publish('', 'nowhere', Buffer.from('returned'), { mandatory: true });
  await Promise.all([returned, channel.waitForConfirms()]);
  await plain.get('polled', { noAck: true });
  const message = await plain.get('polled');
  if (message !== false) plain.ack(message);
  await plain.get('polled', { noAck: true });
  await plain.purgeQueue('kept');
  const other = await connect(url);
  const another = await other.createChannel();
  await another.assertQueue('short-lived');
  await another.deleteQueue('short-lived');
  await another.close();
  await other.close();
}
