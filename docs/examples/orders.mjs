// Orders as a saga: a payment worker and a shipping worker, each step handed on by a publish that acks what it was given.
// An order that is placed twice with the same idempotency key, its number, is taken once. A payment that fails is tried three times, and then lies among the failed ones with its reason; after the fix,
// `leveret redrive` sends it back.
//
//   orders.place -> [orders.pay] -> worker -> [orders.ship] -> worker -> [orders.done]
//                        |  ^                      |
//             third time |  | leveret redrive      +-> [orders.refund] -> worker -> [orders.cancelled]
//                        v  |
//                  [orders.failed]
//
//   node docs/examples/orders.mjs          places 60 orders and works on them
//   leveret redrive orders.failed          once the card terminal is mended
//   node docs/examples/orders.mjs fixed    works on what is left
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'amqplib';

const ORDERS = 60;
/** Every so many orders the broken card terminal fails, and every so many goods are not there. */
const FAILS = 10;
const SOLD_OUT = 15;
const fixed = process.argv[2] === 'fixed';
const names = ['pay', 'ship', 'refund', 'done', 'cancelled', 'failed'];
const queues = Object.fromEntries(names.map((name) => [name, `example.orders.${name}`]));

const connection = await connect(process.env.AMQP_URL ?? 'amqp://localhost');
const control = await connection.createConfirmChannel();
for (const name of names) {
  const limited = { 'x-delivery-limit': 2, 'x-delayed-retry-min': 20 };
  const once = { 'x-message-deduplication': true, 'x-cache-ttl': 24 * 3_600_000 };
  const dead = { deadLetterExchange: '', deadLetterRoutingKey: queues.failed };
  const options = name === 'pay' ? { ...dead, arguments: { ...limited, ...once } } : {};
  await control.assertQueue(queues[name], { durable: true, ...options });
}

/** What the bank has: a payment with a number that it knows already is not made twice. */
const charged = new Set();

function pay(order) {
  if (order.number % FAILS === 0 && !fixed) throw new Error('the card terminal does not answer');
  charged.add(order.number);
  return 'ship';
}

const ship = (order) => (order.number % SOLD_OUT === 7 ? 'refund' : 'done');

function refund(order) {
  charged.delete(order.number);
  return 'cancelled';
}

/** Works on a queue: `act` says to which queue an order goes next. */
async function work(name, act) {
  const channel = await connection.createConfirmChannel();
  await channel.prefetch(5);
  await channel.consume(queues[name], (message) => {
    // Null: its queue was deleted, at the end.
    if (message === null) return;
    try {
      const next = act(JSON.parse(message.content.toString()));
      // The order is in the next queue and acked in this one, or neither: also if the broker is killed now.
      channel.sendToQueue(queues[next], message.content, {
        persistent: true,
        mandatory: true,
        headers: { 'x-ack-delivery-tag': message.fields.deliveryTag },
      });
    } catch {
      channel.nack(message);
    }
  });
}

if (!fixed) {
  for (let number = 1; number <= ORDERS; number++) {
    const body = Buffer.from(JSON.stringify({ number }));
    const headers = { 'x-deduplication-header': number };
    // As a shop does that got no answer to the first try.
    for (let tries = 0; tries < 2; tries++) {
      control.sendToQueue(queues.pay, body, { persistent: true, headers });
    }
  }
  await control.waitForConfirms();
  const { messageCount } = await control.checkQueue(queues.pay);
  console.log(`${ORDERS} orders placed twice and confirmed, ${messageCount} taken`);
}
await work('pay', pay);
await work('ship', ship);
await work('refund', refund);

const count = async (name) => (await control.checkQueue(queues[name])).messageCount;
for (;;) {
  const [done, cancelled, failed] = await Promise.all(['done', 'cancelled', 'failed'].map(count));
  if (done + cancelled + failed === ORDERS) {
    console.log(`${done} done, ${cancelled} cancelled and paid back, ${failed} failed`);
    console.log(`${charged.size} charged in this run`);
    break;
  }
  await sleep(20);
}

if (fixed) {
  const numbers = [];
  for (const name of ['done', 'cancelled']) {
    for (let got = await control.get(queues[name]); got !== false; ) {
      numbers.push(JSON.parse(got.content.toString()).number);
      control.ack(got);
      got = await control.get(queues[name]);
    }
  }
  const twice = numbers.length - new Set(numbers).size;
  console.log(`${numbers.length} orders, ${twice} of them twice`);
  for (const name of names) await control.deleteQueue(queues[name]);
  process.exitCode = twice === 0 && numbers.length === ORDERS ? 0 : 1;
}
await connection.close();
