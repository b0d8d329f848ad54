// An audit trail of order matching: each act of each user, stored once though the engine dies and does its work again, in the
// order in which it was done, in partitions by user.
//
//   engine -- x-stream-publisher: matching ------> (example.audit) -- hash of the user --> [example.audit-0..2]
//             x-stream-publishing-id: its number                                                   |
//                                              two auditors, one group: x-stream-group  <----------+
//
//   node docs/examples/audit-trail.mjs
import { connect } from 'amqplib';

const AUDIT = 'example.audit';
const PARTITIONS = 3;
const ACTS = 600;
const USERS = 25;

const url = process.env.AMQP_URL ?? 'amqp://localhost';
const connection = await connect(url);
const channel = await connection.createConfirmChannel();

/** As `leveret streams add example.audit --partitions 3` makes it. */
const exchange = { durable: true, arguments: { 'x-super-stream': true } };
await channel.assertExchange(AUDIT, 'direct', exchange);
for (let n = 0; n < PARTITIONS; n++) {
  const stream = { durable: true, arguments: { 'x-queue-type': 'stream' } };
  await channel.assertQueue(`${AUDIT}-${n}`, stream);
  const order = { 'x-stream-partition-order': n };
  await channel.bindQueue(`${AUDIT}-${n}`, AUDIT, String(n), order);
}

/** What the engine does, always in the same order: it reads the same orders again after its end. */
const acts = Array.from({ length: ACTS }, (_, n) => ({
  number: n + 1,
  user: `user-${(n * 7) % USERS}`,
  act: ['placed', 'matched', 'settled'][n % 3],
}));

/** Tells the trail of all acts, up to the one at which it dies; without asking what it told before. */
async function engine(diesAt) {
  const own = await connect(url);
  const telling = await own.createConfirmChannel();
  for (const { number, user, act } of acts) {
    if (number === diesAt) break;
    const headers = { 'x-stream-publisher': 'matching', 'x-stream-publishing-id': number };
    const body = Buffer.from(JSON.stringify({ number, user, act }));
    telling.publish(AUDIT, user, body, { persistent: true, headers });
  }
  await telling.waitForConfirms();
  await own.close();
}
await engine(250);
await engine(400);
await engine(ACTS + 1);
console.log(`${ACTS} acts of ${USERS} users, told by an engine that died twice and began anew`);

const stored = [];
for (let n = 0; n < PARTITIONS; n++) {
  stored.push((await channel.checkQueue(`${AUDIT}-${n}`)).messageCount);
}
const sum = stored.reduce((a, b) => a + b);
console.log(`${sum} stored in ${stored.filter((count) => count > 0).length} partitions`);

// --- two auditors share the partitions ---

const seen = [];
const mine = [new Set(), new Set()];
const auditors = await Promise.all(mine.map(() => connect(url)));
await new Promise((resolve) => {
  auditors.forEach(async (auditor, n) => {
    const reading = await auditor.createChannel();
    await reading.prefetch(50);
    const args = { 'x-stream-group': 'auditors', 'x-stream-offset': 'first' };
    const take = (message) => {
      mine[n].add(message.properties.headers['x-stream-partition']);
      seen.push(JSON.parse(message.content.toString()));
      reading.ack(message);
      if (seen.length >= ACTS) resolve();
    };
    await reading.consume(AUDIT, take, { arguments: args });
  });
});
for (const auditor of auditors) await auditor.close();

const last = new Map();
let outOfOrder = 0;
for (const { number, user } of seen) {
  if (number <= (last.get(user) ?? 0)) outOfOrder += 1;
  last.set(user, number);
}
const distinct = new Set(seen.map(({ number }) => number)).size;
console.log(
  `${distinct} acts audited, ${seen.length - distinct} twice, ${outOfOrder} out of order`,
);
const read = new Set([...mine[0], ...mine[1]]).size;
console.log(`two auditors read ${read} partitions`);

for (let n = 0; n < PARTITIONS; n++) await channel.deleteQueue(`${AUDIT}-${n}`);
await channel.deleteExchange(AUDIT);
await connection.close();
