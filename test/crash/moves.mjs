// The command line of the trial of dead letters that no consumer asks for:
//   node test/crash/moves.mjs [--rounds 20]
// Messages expire, exceed a length limit or come back too often while the broker is killed. Each one
// that was confirmed must then be in its queue or among its dead letters: never in both, never in neither.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { connect } from 'amqplib';
import { Broker, findFreePort } from './broker.mjs';
import { findFaults } from './moves-check.mjs';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '20' } } });

/** Each is a queue with its dead letters, and the reason that they must bear. */
const MOVES = [
  { reason: 'expired', args: { 'x-message-ttl': 40 } },
  { reason: 'maxlen', args: { 'x-max-length': 20 } },
  { reason: 'delivery_limit', args: { 'x-delivery-limit': 2 }, returns: true },
];
const sourceOf = ({ reason }) => `moves.${reason}`;
const deadOf = ({ reason }) => `moves.${reason}.dead`;

const folder = mkdtempSync(join(tmpdir(), 'leveret-moves-'));
const plan = { broker: 'leveret', leveret: 'bin/leveret', folder };
const broker = new Broker(plan, await findFreePort(), 0);
process.on('exit', () => {
  broker.killNow();
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

const faults = [];
const seen = { confirmed: 0, moved: 0, stayed: 0, unconfirmed: 0 };
broker.spawn();
await broker.listening();
for (let round = 0; round < Number(values.rounds); round++) await play(round);
console.log(JSON.stringify({ rounds: Number(values.rounds), ...seen }));
for (const fault of faults.slice(0, 20)) console.log(`fault: ${fault}`);
process.exit(faults.length > 0 || seen.moved === 0 ? 1 : 0);

async function play(round) {
  const model = await open();
  const channel = await model.createConfirmChannel();
  channel.on('error', () => {});
  for (const move of MOVES) await declare(channel, move);
  const returner = await model.createChannel();
  returner.on('error', () => {});
  await returner.prefetch(10);
  for (const move of MOVES) if (move.returns) await returnAll(returner, move);
  const confirmed = publishUntilClosed(channel, model, round);
  await sleep(80 + Math.random() * 400);
  await broker.kill();
  const sent = await confirmed;
  broker.spawn();
  await broker.listening();
  await judge(sent);
}

async function open() {
  const model = await connect(broker.url);
  model.on('error', () => {});
  return model;
}

async function declare(channel, move) {
  await channel.assertQueue(deadOf(move), { durable: true });
  const dead = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': deadOf(move) };
  const args = { ...dead, ...move.args };
  await channel.assertQueue(sourceOf(move), { durable: true, arguments: args });
}

/** Gives back each delivery. */
function returnAll(channel, move) {
  return channel.consume(sourceOf(move), (message) => {
    if (message !== null) channel.nack(message, false, true);
  });
}

/** Answers with what was sent: for each id whether it was confirmed. */
async function publishUntilClosed(channel, model, round) {
  const sent = new Map();
  let closed = false;
  model.on('close', () => {
    closed = true;
  });
  for (let n = 0; !closed; n++) {
    for (const move of MOVES) {
      const id = `${move.reason}-${round}-${n}`;
      sent.set(id, false);
      try {
        channel.publish('', sourceOf(move), Buffer.from(id), { persistent: true }, (error) => {
          if (error === null) sent.set(id, true);
        });
      } catch {
        sent.delete(id);
      }
    }
    await sleep(n % 4 === 0 ? 1 : 0);
  }
  return sent;
}

async function judge(sent) {
  const model = await open();
  const channel = await model.createChannel();
  const places = new Map();
  for (const move of MOVES) {
    // The source first: what moves meanwhile is found among the dead letters behind it.
    for (const queue of [sourceOf(move), deadOf(move)]) await drain(channel, queue, move, places);
  }
  faults.push(...findFaults(sent, places));
  for (const confirmed of sent.values()) seen[confirmed ? 'confirmed' : 'unconfirmed']++;
  await model.close();
}

async function drain(channel, queue, move, places) {
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (message === false) return;
    const id = message.content.toString();
    places.set(id, [...(places.get(id) ?? []), queue]);
    const death = message.properties.headers['x-death']?.[0];
    const dead = queue === deadOf(move);
    seen[dead ? 'moved' : 'stayed']++;
    if (dead && (death?.reason !== move.reason || death.count !== 1))
      faults.push(`${id} in ${queue} with the death ${JSON.stringify(death)}`);
  }
}
