// What programs do with amqplib; one line per step on standard output.
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'amqplib';

const URL = process.env.AMQP_URL;
const RESTARTS = process.env.AMQP_RESTARTS === '1';
const EXCHANGE = 'clients.amqplib';
const QUEUE = 'clients.amqplib.work';
const DEAD = 'clients.amqplib.dead';
const OPTIONS = { persistent: true, mandatory: true, headers: { n: 1, list: [1, 'two'] } };

const STEPS = [
  ['declare exchanges and a durable queue with a dead-letter exchange, bind', declare],
  ['publish with confirms', publishWithConfirms],
  ['get a mandatory message returned', returnMandatory],
  ['consume with a prefetch of 2', consumeWithPrefetch],
  ['nack with requeue, and get it redelivered', requeue],
  ['nack without requeue, and find it dead-lettered with x-death', deadLetter],
  ['call a procedure over direct reply-to', callProcedure],
  ['get an error that closes a channel', getChannelError],
  ['be told that a queue with a consumer was deleted', noticeDeletion],
  ['reconnect after a cut socket', reconnectAfterCut],
  ['go on after a restart of the broker', goOnAfterRestart],
  ['delete queues and exchanges', deleteAll],
];

let model;
let channel;
await open();
for (const name of [QUEUE, DEAD]) await channel.deleteQueue(name);
for (const name of [EXCHANGE, DEAD]) await channel.deleteExchange(name);
for (const [name, step] of STEPS) await take(name, step);
process.exit(0);

async function take(name, step) {
  if (step === goOnAfterRestart && !RESTARTS) {
    console.log(`skipped ${name}: this broker is not ours to restart`);
    return;
  }
  try {
    await step();
    console.log(`ok ${name}`);
  } catch (error) {
    console.log(`failed ${name}: ${error.message}`);
    console.error(error);
    process.exit(1);
  }
}

async function open() {
  for (let attempt = 0; ; attempt++) {
    try {
      model = await connect(URL);
      break;
    } catch (error) {
      if (attempt === 99) throw error;
      await sleep(100);
    }
  }
  model.on('error', () => {});
  channel = await model.createConfirmChannel();
  channel.on('error', () => {});
}

/** Not `once` of node:events, which an 'error' before it would break off. */
function close() {
  const closing = model;
  return new Promise((resolve) => closing.once('close', resolve));
}

function expect(actual, expected) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${a} instead of ${b}`);
}

/** A message that may be on its way between queues. */
async function fetch(queue) {
  for (let attempt = 0; attempt < 200; attempt++) {
    const message = await channel.get(queue);
    if (message !== false) return message;
    await sleep(20);
  }
  throw new Error(`no message in ${queue}`);
}

async function publish(...bodies) {
  for (const body of bodies) channel.publish(EXCHANGE, 'a.b', Buffer.from(body), OPTIONS);
  await channel.waitForConfirms();
}

async function declare() {
  await channel.assertExchange(EXCHANGE, 'topic');
  await channel.assertExchange(DEAD, 'fanout');
  await channel.assertQueue(DEAD);
  await channel.bindQueue(DEAD, DEAD, '');
  await channel.assertQueue(QUEUE, { deadLetterExchange: DEAD, maxLength: 1000 });
  await channel.bindQueue(QUEUE, EXCHANGE, 'a.*');
  expect(await channel.checkQueue(QUEUE), { queue: QUEUE, messageCount: 0, consumerCount: 0 });
}

async function publishWithConfirms() {
  await publish('one', 'two', 'three');
  expect((await channel.checkQueue(QUEUE)).messageCount, 3);
}

async function returnMandatory() {
  const returned = once(channel, 'return');
  channel.publish(EXCHANGE, 'z', Buffer.from('nowhere'), OPTIONS);
  const [message] = await returned;
  expect([message.fields.replyCode, message.content.toString()], [312, 'nowhere']);
  await channel.waitForConfirms();
}

async function consumeWithPrefetch() {
  await channel.prefetch(2);
  const seen = [];
  const { consumerTag } = await channel.consume(QUEUE, (message) => seen.push(message));
  await sleep(200);
  expect(
    seen.map(({ content }) => content.toString()),
    ['one', 'two'],
  );
  expect(seen[0].properties.headers, { n: 1, list: [1, 'two'] });
  channel.ack(seen[1], true);
  while (seen.length < 3) await sleep(10);
  channel.ack(seen[2]);
  await channel.cancel(consumerTag);
  expect((await channel.checkQueue(QUEUE)).messageCount, 0);
}

async function requeue() {
  await publish('again');
  const first = await fetch(QUEUE);
  expect(first.fields.redelivered, false);
  channel.nack(first, false, true);
  const second = await fetch(QUEUE);
  expect([second.fields.redelivered, second.content.toString()], [true, 'again']);
  channel.ack(second);
}

async function deadLetter() {
  await publish('bad');
  channel.nack(await fetch(QUEUE), false, false);
  const message = await fetch(DEAD);
  const { queue, reason, count } = message.properties.headers['x-death'][0];
  expect({ queue, reason, count }, { queue: QUEUE, reason: 'rejected', count: 1 });
  channel.ack(message);
}

async function callProcedure() {
  const server = await model.createChannel();
  const { queue } = await server.assertQueue('', { exclusive: true });
  await server.consume(
    queue,
    ({ properties: { replyTo, correlationId }, content }) =>
      server.sendToQueue(replyTo, Buffer.from(`${content}!`), { correlationId }),
    { noAck: true },
  );
  const caller = await model.createChannel();
  const answer = new Promise((resolve) => {
    caller.consume('amq.rabbitmq.reply-to', resolve, { noAck: true });
  });
  caller.sendToQueue(queue, Buffer.from('hello'), {
    replyTo: 'amq.rabbitmq.reply-to',
    correlationId: '7',
  });
  const { content, properties } = await answer;
  expect([content.toString(), properties.correlationId], ['hello!', '7']);
  await server.close();
  await caller.close();
}

async function getChannelError() {
  const other = await model.createChannel();
  const error = once(other, 'error');
  await other.checkQueue('clients.amqplib.absent').catch(() => {});
  expect((await error)[0].code, 404);
}

async function noticeDeletion() {
  const { queue } = await channel.assertQueue('', { exclusive: true });
  const cancelled = new Promise((resolve) => {
    channel.consume(queue, resolve);
  });
  await channel.deleteQueue(queue);
  expect(await cancelled, null);
}

async function reconnectAfterCut() {
  await publish('unacked');
  await fetch(QUEUE);
  const closed = close();
  model.connection.stream.destroy(new Error('cut'));
  await closed;
  await open();
  const message = await fetch(QUEUE);
  expect([message.fields.redelivered, message.content.toString()], [true, 'unacked']);
  channel.ack(message);
}

async function goOnAfterRestart() {
  await publish('kept');
  const closed = close();
  const input = createInterface({ input: process.stdin });
  console.log('restart');
  await once(input, 'line');
  await closed;
  await open();
  const message = await fetch(QUEUE);
  expect([message.content.toString(), message.properties.deliveryMode], ['kept', 2]);
  channel.ack(message);
  await publish('and new');
  channel.ack(await fetch(QUEUE));
}

async function deleteAll() {
  for (const name of [QUEUE, DEAD]) expect(await channel.deleteQueue(name), { messageCount: 0 });
  for (const name of [EXCHANGE, DEAD]) await channel.deleteExchange(name);
  await model.close();
}
