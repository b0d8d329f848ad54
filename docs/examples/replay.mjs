// A replay of a part of yesterday after a fix: a service that sums up payments had a bug for a while. The stream still has
// the payments; the mended code reads the hours in question again, beside the service that goes on with what is new.
//
//   payments -> [example.payments: a stream] -+-> totals, at the tail, group `totals`
//                                             +-> the replay, from a time to a time, in no group
//
//   node docs/examples/replay.mjs
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'amqplib';

const STREAM = 'example.payments';

const url = process.env.AMQP_URL ?? 'amqp://localhost';
const connection = await connect(url);
const publisher = await connection.createConfirmChannel();
await publisher.deleteQueue(STREAM);
await publisher.assertQueue(STREAM, {
  durable: true,
  arguments: { 'x-queue-type': 'stream', 'x-max-age': '7D' },
});

let number = 0;
async function pay(count) {
  for (let i = 0; i < count; i++) {
    number += 1;
    const payment = JSON.stringify({ number, cents: 1_000 + number });
    publisher.publish('', STREAM, Buffer.from(payment), { persistent: true });
  }
  await publisher.waitForConfirms();
}

/** Reads payments by these arguments, and calls `take` with each; resolves when the replay is at its end. */
async function read(channel, args, take) {
  await channel.prefetch(50);
  await new Promise((resolve) => {
    const given = (message) => {
      // The broker cancels a consumer that is at its end.
      if (message === null) return resolve();
      take(JSON.parse(message.content.toString()));
      channel.ack(message);
    };
    channel.consume(STREAM, given, { arguments: args });
    if (args['x-stream-until'] === undefined) resolve();
  });
}

// Timestamps of AMQP have seconds: each part begins in a second of its own.
const seconds = () => Math.ceil(Date.now() / 1_000);
const untilSecond = (second) => sleep(second * 1_000 - Date.now() + 50);

const totals = new Map();
let broken = false;
const live = await connection.createChannel();
await read(live, { 'x-stream-group': 'totals', 'x-stream-offset': 'first' }, (payment) => {
  // The bug: it counts cents as whole units.
  totals.set(payment.number, broken ? payment.cents * 100 : payment.cents);
});

await pay(100);
const from = seconds() + 1;
await untilSecond(from);
broken = true;
await pay(200);
const to = seconds() + 1;
await untilSecond(to);
while (totals.size < number) await sleep(20);
broken = false;
await pay(100);
while (totals.size < number) await sleep(20);

const wrong = () => [...totals].filter(([n, cents]) => cents !== 1_000 + n).length;
console.log(`${number} payments, ${wrong()} of them summed up by the bug`);

const replay = await connection.createChannel();
let again = 0;
await read(
  replay,
  {
    'x-stream-offset': { '!': 'timestamp', value: from },
    'x-stream-until': { '!': 'timestamp', value: to },
  },
  (payment) => {
    again += 1;
    totals.set(payment.number, payment.cents);
  },
);
console.log(`the replay read ${again} payments, and then was at its end`);
console.log(`${wrong()} are wrong now`);

await publisher.deleteQueue(STREAM);
await connection.close();
