// An event store: what happens to an order is appended to a stream, and only if nothing else happened to that order since it was
// looked at. What an order is, and what all of them are, is a replay.
//
//   writers -- x-stream-publisher: the order -----> [example.events] -- x-stream-filter: the order --> one order
//              x-stream-expected-id: its version          |
//                                                         +-- all, until the end -----------------> read models
//                                                         +-- x-stream-group: payments -----------> the saga, which appends
//
//   node docs/examples/event-store.mjs
import { connect } from 'amqplib';

const EVENTS = 'example.events';
const ORDERS = 20;
const ITEMS = 3;

class Conflict extends Error {}

const connection = await connect(process.env.AMQP_URL ?? 'amqp://localhost');
const writing = await connection.createConfirmChannel();
await writing.assertQueue(EVENTS, { durable: true, arguments: { 'x-queue-type': 'stream' } });

/** Appends an event to an order of which `version` events are known. Throws Conflict where there are others by now. */
function append(order, version, event) {
  const headers = {
    'x-stream-publisher': order,
    'x-stream-expected-id': version,
    'x-stream-filter-value': order,
  };
  const body = Buffer.from(JSON.stringify({ order, ...event }));
  return new Promise((resolve, reject) => {
    writing.sendToQueue(EVENTS, body, { persistent: true, headers }, (refused) => {
      if (refused) reject(new Conflict(order));
      else resolve();
    });
  });
}

/** Calls `see` with each event from a place on until what is the end now, with its offset; of one order if it is named. */
async function replay(from, see, order) {
  const channel = await connection.createChannel();
  await channel.prefetch(200);
  const args = { 'x-stream-offset': from, 'x-stream-until': 'end' };
  if (order !== undefined) args['x-stream-filter'] = order;
  await new Promise((resolve) => {
    const take = (message) => {
      // The broker cancels the consumer: that was all.
      if (message === null) return resolve();
      channel.ack(message);
      see(JSON.parse(message.content.toString()), message.properties.headers['x-stream-offset']);
    };
    channel.consume(EVENTS, take, { arguments: args });
  });
  await channel.close();
}

// --- one order ---

const NEW = { version: 0, items: [], state: 'new' };

function apply(order, event) {
  const next = { ...order, version: order.version + 1 };
  if (event.type === 'placed') next.state = 'placed';
  if (event.type === 'item added') next.items = [...order.items, event.item];
  if (event.type === 'paid' || event.type === 'cancelled') next.state = event.type;
  return next;
}

async function load(id) {
  let order = NEW;
  await replay('first', (event) => (order = apply(order, event)), id);
  return order;
}

let conflicts = 0;

/** Lets `decide` say what happens to an order as it is: again, where something else happened meanwhile. */
async function change(id, decide) {
  for (;;) {
    const order = await load(id);
    const event = decide(order);
    if (event === null) return;
    try {
      await append(id, order.version, event);
      return;
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
      conflicts += 1;
    }
  }
}

const ids = Array.from({ length: ORDERS }, (_, n) => `order-${n}`);
for (const id of ids) await append(id, 0, { type: 'placed' });

/** Adds the items of all orders, of which none must be there twice; another writer does the same. */
async function writer() {
  for (const id of ids) {
    for (let item = 0; item < ITEMS; item++) {
      const wanted = (order) => (order.items.includes(item) ? null : { type: 'item added', item });
      await change(id, wanted);
    }
  }
}
await Promise.all([writer(), writer()]);
console.log(`${ORDERS} orders, two writers at the same events: ${conflicts} conflicts, each seen`);
const one = await load('order-7');
console.log(`order-7 by itself: version ${one.version}, items ${one.items}`);

// --- read models ---

/** All orders by what they are; `model` is taken further from a place on. Returns the offset behind the last event. */
async function project(model, from) {
  let next = from === 'first' ? 0 : from;
  await replay(from, (event, offset) => {
    model.set(event.order, apply(model.get(event.order) ?? NEW, event));
    next = offset + 1;
  });
  return next;
}

const total = (model) => [...model.values()].reduce((sum, { items }) => sum + items.length, 0);
const snapshot = new Map();
const snapshotAt = await project(snapshot, 'first');
console.log(
  `a read model from all ${snapshotAt} events: ${snapshot.size} orders, ${total(snapshot)} items`,
);

// --- a saga: an order is paid, or cancelled ---

/** What the bank says. */
const isCovered = (id) => Number(id.split('-')[1]) % 5 > 0;

async function saga() {
  const channel = await connection.createChannel();
  await channel.prefetch(10);
  let left = ORDERS;
  await new Promise((resolve, reject) => {
    const take = async (message) => {
      const { order: id, type } = JSON.parse(message.content.toString());
      if (type === 'placed') {
        // It may come here again after a crash: what was decided is in the order by then.
        await change(id, ({ state }) =>
          state === 'placed' ? { type: isCovered(id) ? 'paid' : 'cancelled' } : null,
        );
        left -= 1;
      }
      channel.ack(message);
      if (left === 0) resolve();
    };
    const args = { 'x-stream-group': 'payments', 'x-stream-offset': 'first' };
    channel.consume(EVENTS, (message) => take(message).catch(reject), { arguments: args });
  });
  await channel.close();
}
await saga();

const tailed = new Map(snapshot);
const end = await project(tailed, snapshotAt);
const fresh = new Map();
await project(fresh, 'first');
const same = JSON.stringify([...tailed]) === JSON.stringify([...fresh]);
console.log(
  `the snapshot and ${end - snapshotAt} events after it are ${same ? '' : 'not '}what all events are`,
);
const count = (wanted) => [...fresh.values()].filter(({ state }) => state === wanted).length;
console.log(
  `the saga: ${count('paid')} paid, ${count('cancelled')} cancelled, ${count('placed')} left`,
);

await writing.deleteQueue(EVENTS);
await connection.close();
