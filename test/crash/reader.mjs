// Reads the stream of the crash test as a whole, and notes what is where in it. Never judges.
import { connect } from 'amqplib';
import { askApi } from './api.mjs';
import { now } from './client.mjs';
import { faultOf } from './message.mjs';
import { GROUP, LOGIN, STREAM } from './topology.mjs';

const PREFETCH = 500;
const ACK_AT = 100;
const LIMIT_MS = 60_000;

/**
 * All that the stream has, from the first message to what is there as this begins.
 * @param {import('./broker.mjs').Broker} broker
 * @param {string} run
 * @param {Buffer} pool what bodies are made of
 * @returns {Promise<Extract<import('./check.d.mts').Entry, { e: 'reading' }>>}
 */
export async function readWhole(broker, run, pool) {
  const t = now();
  const messages = [];
  const faults = [];
  const model = await connect(broker.url);
  const channel = await model.createChannel();
  await channel.prefetch(PREFETCH);
  try {
    await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no end after ${LIMIT_MS} ms`)), LIMIT_MS);
      const end = (error) => {
        clearTimeout(late);
        if (error === undefined) resolve();
        else reject(error);
      };
      for (const each of [model, channel]) {
        each.on('error', end);
        each.on('close', () => end(new Error('the connection was lost')));
      }
      const take = (message) => {
        if (message === null) return end();
        const { pub, seq, 'x-stream-offset': offset } = message.properties.headers;
        const fault = faultOf(message, run, pool, null);
        if (fault !== null) faults.push(`offset ${offset}: ${fault}`);
        messages.push([offset, `${pub}/${seq}`]);
        if (messages.length % ACK_AT === 0) channel.ack(message, true);
      };
      const args = { 'x-stream-offset': 'first', 'x-stream-until': 'end' };
      channel.consume(STREAM, take, { arguments: args }).catch(end);
    });
  } finally {
    model.connection.stream.destroy(new Error('done'));
  }
  return { e: 'reading', t, queue: STREAM, messages, faults };
}

/** How many messages the group has not acked. */
export async function lagOf(broker) {
  const groups = await askApi(broker, `/api/queues/${LOGIN.vhost}/${STREAM}/groups`);
  return groups.find(({ name }) => name === GROUP)?.lag_messages ?? 0;
}
