// Timers: an order that is not paid within 15 minutes is cancelled, and a report is made each night. No table of
// timers, no program that polls: each order sets its timer as it is placed, and the broker keeps the time of the night.
//
//   orders -> [example.timers.check] -- 15 minutes --> worker -> paid: nothing
//                                                           +--> not paid: [example.timers.cancelled]
//   schedule, 02:30 -> [example.timers.reports] -> worker
//
//   node docs/examples/timers.mjs place    places 20 orders
//   node docs/examples/timers.mjs check    looks at each 15 minutes later
//
//   leveret schedule set nightly-report --cron '30 2 * * *' --time-zone Europe/Berlin -k example.timers.reports '{"kind":"sales"}'
//   node docs/examples/timers.mjs report   waits for the report, and makes it
//
// A minute takes 100 ms here; MINUTE_MS=60000 is a real one.
import { connect } from 'amqplib';

const MINUTE_MS = Number(process.env.MINUTE_MS ?? 100);
const ORDERS = 20;
/** Two processes round the time each for itself. */
const CLOCKS_MS = 5;
const QUEUES = ['check', 'cancelled', 'reports'].map((name) => `example.timers.${name}`);
const [CHECK, CANCELLED, REPORTS] = QUEUES;

const connection = await connect(process.env.AMQP_URL ?? 'amqp://localhost');
const channel = await connection.createConfirmChannel();
for (const queue of QUEUES) await channel.assertQueue(queue, { durable: true });

/** What the database of payments says. */
const isPaid = (order) => order % 4 > 0;

/** Calls `act` with one message after the other, until it returns true; what comes behind goes back to its queue. */
async function consume(queue, act) {
  let over = false;
  await new Promise((resolve) => {
    channel.consume(queue, (message) => {
      if (over) return;
      over = act(message);
      if (over) resolve();
    });
  });
}

async function place() {
  for (let order = 1; order <= ORDERS; order++) {
    const body = Buffer.from(JSON.stringify({ order, placedAt: Date.now() }));
    channel.sendToQueue(CHECK, body, { persistent: true, headers: { 'x-delay': 15 * MINUTE_MS } });
  }
  // From here on the timers are on the disk: a broker that is killed now keeps all of them.
  await channel.waitForConfirms();
  console.log(`${ORDERS} orders placed, each to be looked at in 15 minutes`);
}

async function check() {
  let looked = 0;
  let cancelled = 0;
  let early = 0;
  await consume(CHECK, (message) => {
    const { order, placedAt } = JSON.parse(message.content.toString());
    if (Date.now() + CLOCKS_MS < placedAt + 15 * MINUTE_MS) early += 1;
    looked += 1;
    if (isPaid(order)) channel.ack(message);
    else {
      cancelled += 1;
      // Cancelled and done with the timer, or neither.
      const headers = { 'x-ack-delivery-tag': message.fields.deliveryTag };
      channel.sendToQueue(CANCELLED, message.content, { persistent: true, headers });
    }
    return looked === ORDERS;
  });
  await channel.waitForConfirms();
  console.log(`${looked} looked at, ${early} of them too early, ${cancelled} cancelled`);
  process.exitCode = early === 0 ? 0 : 1;
}

async function report() {
  await consume(REPORTS, (message) => {
    const { kind } = JSON.parse(message.content.toString());
    console.log(`a report of ${kind}`);
    channel.ack(message);
    return true;
  });
  await channel.close();
  const cleaner = await connection.createChannel();
  for (const queue of QUEUES) await cleaner.deleteQueue(queue);
}

await { place, check, report }[process.argv[2]]();
await connection.close();
