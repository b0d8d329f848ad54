// Declares and deletes durable exchanges, queues and bindings while the broker is being killed, and
// looks up after each restart whether every -ok was kept.
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'amqplib';
import { FORBIDDEN, FULL } from './topology.mjs';

const KEEP_AT_MOST = 12;
/** So many channels declare at the same time. */
const AT_ONCE = 8;
const ANSWER_LIMIT_MS = 60_000;
/** Set before the first kill, and each shows itself by what it refuses. */
const STANDING = [
  { what: 'policy', name: FULL, expected: true },
  { what: 'permission', name: FORBIDDEN, expected: true },
];

export class Churn {
  /**
   * @param {{ readonly url: string }} broker
   * @param {import('./random.mjs').Random} random
   * @param {{ rule: string, text: string }[]} incidents
   */
  constructor(broker, random, incidents) {
    this.broker = broker;
    this.model = null;
    this.incidents = incidents;
    this.random = random;
    this.number = 0;
    /** Declared and answered: each must exist after the restart. */
    this.kept = [];
    /** Deleted and answered, or transient: each must be gone after the restart. */
    this.gone = [];
    this.lookups = [];
    this.working = null;
  }

  /** Looks up what the last broker process answered for, then goes on declaring until a kill. */
  start() {
    this.working = this.verifyAndDeclare().catch((error) => {
      // A reply code that is not a shutdown's: the broker refused what it should not.
      if (typeof error.code !== 'number' || error.code === 320) return;
      this.incidents.push({ rule: 'I10', text: `declaring: ${error.message}` });
    });
  }

  /** Ends with the kill of the broker, which every call below notices. */
  async ended() {
    await this.working;
  }

  /** Only looks up; for the end of a run. */
  async verifyOnly() {
    const model = await this.open();
    const late = sleep(ANSWER_LIMIT_MS, 'late', { ref: false });
    if ((await Promise.race([this.verify(model), late])) === 'late') {
      const text = `a look-up is not answered after ${ANSWER_LIMIT_MS} ms`;
      this.incidents.push({ rule: 'I11', text });
    }
    model.connection.stream.destroy(new Error('done'));
  }

  /** Ends without a word, where no kill of the broker ends it. */
  leave() {
    this.model?.connection.stream.destroy(new Error('left'));
  }

  /** The broker goes on: what is transient is there still. */
  keepTransient() {
    this.gone = this.gone.filter(({ what }) => what !== 'transient queue');
  }

  async open() {
    const model = await connect(this.broker.url, { timeout: 5000, noDelay: true });
    model.on('error', () => {});
    this.model = model;
    return model;
  }

  async verifyAndDeclare() {
    const model = await this.open();
    // A close that waits for its close-ok is not told by amqplib that the connection is lost.
    const lost = new Promise((_, reject) => {
      model.on('close', () => reject(new Error('connection lost')));
    });
    await Promise.race([this.work(model), lost]);
  }

  async work(model) {
    await this.verify(model);
    const channel = await model.createChannel();
    channel.on('error', () => {});
    const others = [];
    for (let n = 0; n < AT_ONCE; n++) {
      const other = await model.createChannel();
      other.on('error', () => {});
      others.push(other);
    }
    for (;;) {
      await sleep(this.random.int(5, 120));
      await this.declareSome(channel);
      // One answer behind the other on one connection: they wait for the disk together.
      if (this.random.chance(0.3)) await this.declareAtOnce(others);
      if (this.kept.length > KEEP_AT_MOST || this.random.chance(0.3)) await this.deleteOne(channel);
    }
  }

  async declareSome(channel) {
    const name = `crash.churn.${++this.number}`;
    const type = this.random.pick(['direct', 'topic', 'fanout', 'headers']);
    await channel.assertExchange(`${name}.x`, type, { durable: true });
    this.kept.push({ what: 'exchange', name: `${name}.x` });
    const options = { durable: true, ...this.random.pick([{}, { maxLength: 1000 }]) };
    await channel.assertQueue(`${name}.q`, options);
    this.kept.push({ what: 'queue', name: `${name}.q` });
    await channel.bindQueue(`${name}.q`, `${name}.x`, 'key', {});
    this.kept.push({ what: 'binding', name });
    if (this.random.chance(0.3)) {
      await channel.assertQueue(`${name}.t`, { durable: false });
      this.gone.push({ what: 'transient queue', name: `${name}.t` });
    }
  }

  /** Channels declare and bind at the same time, and delete at the same time. */
  async declareAtOnce(channels) {
    const declaring = channels.map(async (channel) => {
      const name = `crash.churn.${++this.number}`;
      await channel.assertQueue(`${name}.q`, { durable: true });
      this.kept.push({ what: 'queue', name: `${name}.q` });
      await channel.assertExchange(`${name}.x`, 'topic', { durable: true });
      this.kept.push({ what: 'exchange', name: `${name}.x` });
      await channel.bindQueue(`${name}.q`, `${name}.x`, 'key', {});
      this.kept.push({ what: 'binding', name });
    });
    await Promise.all(declaring);
    await Promise.all(channels.slice(1).map((channel) => this.deleteOne(channel)));
  }

  async deleteOne(channel) {
    const queues = this.kept.filter(({ what }) => what === 'queue');
    if (queues.length === 0) return;
    const { name } = this.random.pick(queues);
    const base = name.slice(0, -2);
    // From here to the answer nothing is promised about them.
    this.kept = this.kept.filter((item) => item.name !== name && item.name !== base);
    await channel.deleteQueue(name);
    this.gone.push({ what: 'queue', name });
    if (!this.kept.some((item) => item.name === `${base}.x`)) return;
    this.kept = this.kept.filter((item) => item.name !== `${base}.x`);
    await channel.deleteExchange(`${base}.x`);
    this.gone.push({ what: 'exchange', name: `${base}.x` });
  }

  async verify(model) {
    const expectations = [
      ...STANDING,
      ...this.kept.map((item) => ({ ...item, expected: true })),
      ...this.gone.map((item) => ({ ...item, expected: false })),
    ];
    for (const item of expectations) {
      const found = await isThere(model, item);
      this.lookups.push({ ...item, found });
    }
    this.gone = [];
  }
}

/** Each on a channel of its own: a 404 closes it. A lost connection is thrown, not an answer. */
async function isThere(model, { what, name }) {
  const channel = await model.createConfirmChannel();
  let closeCode = 0;
  channel.on('error', (error) => {
    closeCode = error.code;
  });
  try {
    if (what === 'binding') return await isBound(channel, name);
    if (what === 'policy') return await isRefused(channel, name);
    if (what === 'permission') await channel.assertQueue(name, { durable: false });
    else if (what === 'exchange') await channel.checkExchange(name);
    else await channel.checkQueue(name);
    await channel.close();
    return what !== 'permission';
  } catch (error) {
    if (closeCode === 403 && what === 'permission') return true;
    if (closeCode === 404) return false;
    throw error;
  }
}

/** Through the binding and out of the queue again; a returned message has found no binding. */
async function isBound(channel, name) {
  let returned = false;
  channel.on('return', () => {
    returned = true;
  });
  const options = { mandatory: true, persistent: true };
  channel.publish(`${name}.x`, 'key', Buffer.from(name), options);
  await channel.waitForConfirms();
  if (!returned) await channel.get(`${name}.q`, { noAck: true });
  await channel.close();
  return !returned;
}

/** A policy leaves no place in the queue: a publish to it is refused. */
async function isRefused(channel, name) {
  channel.sendToQueue(name, Buffer.from(name), { persistent: true });
  const refused = await channel.waitForConfirms().then(
    () => false,
    (error) => {
      if (error.message !== 'message nacked') throw error;
      return true;
    },
  );
  await channel.close();
  return refused;
}
