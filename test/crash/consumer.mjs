// A consumer process of the crash test: consumers that check every byte, ack in multiples, requeue
// some, reject some to the dead-letter queue, now and then vanish, and fence their acks with
// barriers: a persistent publish on the same channel, whose confirm covers every ack before it, or
// where the acks are part of a transaction its commit.
import { setTimeout as sleep } from 'node:timers/promises';
import { answerSupervisor, commitTx, Journal, now, selectTx, stayConnected } from './client.mjs';
import { notThereBefore } from './held-up.mjs';
import { createPool, faultOf } from './message.mjs';
import { createRandom } from './random.mjs';
import { BARRIER, HANDED_ON, PROLONGED_MS, QUEUES, queuesOf } from './topology.mjs';

const config = JSON.parse(process.argv[2]);
const journal = new Journal(config.journal);
const pool = createPool(config.run);

const TICK_MS = config.tickMs ?? 15;
const QUIET_US = 100_000;
/** Once a tick, by chance: the consumer gives its connection up with deliveries unacked. */
const VANISH_SHARE = 0.002;
/** In how many ticks a slow consumer acks what it has. */
const SLOW_ACK_SHARE = 0.1;
/** A single nack for everything unacked, instead of one ack for everything. */
const REQUEUE_ALL_SHARE = 0.02;
/** Of those that hang: how many never ack, and how many prolong their lease. */
const NEVER_SHARE = 0.3;
const PROLONG_SHARE = 0.4;
const LATE_MS = [300, 2_500];

class Consumer {
  constructor({
    name,
    queue,
    prefetch,
    requeue,
    reject,
    tx = false,
    slow = false,
    handsOn = false,
    hang = 0,
    last = false,
    group = null,
  }) {
    this.name = name;
    this.queue = queue;
    this.prefetch = prefetch;
    this.requeue = requeue;
    this.reject = reject;
    this.tx = tx;
    this.slow = slow;
    this.hang = hang;
    this.arguments = group === null ? {} : { 'x-stream-group': group, 'x-stream-offset': 'first' };
    this.group = group;
    this.leased = QUEUES[queue].leaseMs !== undefined;
    this.nextQueue = handsOn ? QUEUES[queue].deadLetterTo : null;
    const sources = Object.entries(QUEUES).filter(([, { deadLetterTo }]) => deadLetterTo === queue);
    const [source] = sources;
    this.moved =
      source === undefined || source[1].diesOf === HANDED_ON
        ? null
        : { queue: source[0], reason: source[1].diesOf ?? 'rejected' };
    // Where messages wait, nothing coming for a while says nothing.
    const { delayMax = 0, retryMin = 0, deliveryLimit = 0 } = QUEUES[queue];
    this.quietUs = QUIET_US + 1_000 * Math.max(delayMax, retryMin * deliveryLimit);
    this.random = createRandom(`${config.run} ${name}`);
    this.rejected = new Set();
    /** It consumes when all is drained, and not before. */
    this.last = last;
    this.draining = false;
    this.resting = false;
    this.link = null;
    this.consuming = false;
    /** Deliveries not settled yet, oldest first. */
    this.unacked = [];
    /** Deliveries that hang, and when each will be acked. */
    this.hung = [];
    this.ackAt = 1;
    this.uncovered = 0;
    this.barriers = 0;
    this.passed = 0;
    this.lastDeliveryAt = 0;
  }

  run() {
    return stayConnected(config.urls, this.name, journal, (link) => this.hold(link));
  }

  async hold(link) {
    this.link = link;
    this.unacked = [];
    this.hung = [];
    this.consuming = false;
    this.uncovered = 0;
    this.barriers = 0;
    this.passed = 0;
    const channel = link.watch(
      this.tx ? await link.model.createChannel() : await link.model.createConfirmChannel(),
    );
    if (this.tx) await selectTx(channel);
    await channel.prefetch(this.prefetch);
    while (this.waits && link.open) await sleep(TICK_MS);
    const take = (message) => {
      if (message === null) link.drop();
      else if (link.open) this.take(link, channel, message);
    };
    await channel.consume(this.queue, take, { arguments: this.arguments });
    this.consuming = true;
    while (link.open) {
      await sleep(TICK_MS);
      if (!link.open) return;
      if (!this.draining && this.random.chance(VANISH_SHARE)) return link.drop();
      if (!this.slow || this.draining || this.random.chance(SLOW_ACK_SHARE)) {
        this.settleAll(link, channel);
      }
      this.ackLate(link, channel);
      if (this.uncovered > 0) this.raiseBarrier(link, channel);
    }
  }

  get waits() {
    return this.resting || (this.last && !this.draining);
  }

  take(link, channel, message) {
    const { headers } = message.properties;
    const { deliveryTag, redelivered } = message.fields;
    this.lastDeliveryAt = now();
    const found = {
      conn: link.conn,
      t: this.lastDeliveryAt,
      tag: deliveryTag,
      queue: this.queue,
      pub: headers?.pub,
      seq: headers?.seq,
      fault: faultOf(message, config.run, pool, this.moved),
    };
    if (this.group !== null) {
      journal.note({ e: 'read', ...found, offset: headers?.['x-stream-offset'] });
    } else {
      journal.note({
        e: 'dlv',
        ...found,
        ...(this.leased && { since: notThereBefore() }),
        redelivered,
        priority: message.properties.priority ?? 0,
        count: headers?.['x-delivery-count'] ?? 0,
      });
    }
    const roll = this.draining ? 1 : this.random.next();
    if (roll < this.requeue) {
      this.note(link, message, 'requeue', false);
      channel.nack(message, false, true);
    } else if (roll < this.requeue + this.reject && this.mayReject(headers)) {
      this.note(link, message, 'reject', false);
      channel.reject(message, false);
    } else if (this.hang > 0 && roll < this.requeue + this.hang) {
      this.hangOn(link, channel, message);
    } else if (this.nextQueue !== null) {
      this.handOn(link, channel, message);
    } else if (this.leased) {
      this.note(link, message, 'ack', false);
      channel.ack(message);
    } else {
      this.unacked.push(message);
      if (this.mayAck()) this.settleAll(link, channel);
    }
  }

  /** The next step, and the ack of this one, in one publish; where the broker knows no such publish, in two acts. */
  handOn(link, channel, message) {
    const { headers, messageId, contentType } = message.properties;
    this.note(link, message, 'hand', false);
    const tag = message.fields.deliveryTag;
    const own = { ...headers, exchange: '', key: this.nextQueue, 'x-ack-delivery-tag': tag };
    delete own['x-delivery-count'];
    delete own['x-acquired-count'];
    channel.sendToQueue(this.nextQueue, message.content, {
      ...{ persistent: true, mandatory: true, messageId, contentType },
      headers: own,
    });
    if (config.broker !== 'leveret') channel.ack(message);
  }

  /** Keeps a message for long, or until the connection ends; some have their lease prolonged. */
  hangOn(link, channel, message) {
    const lateUs = 1_000 * this.random.int(...LATE_MS);
    const never = this.random.chance(NEVER_SHARE);
    this.hung.push({ message, at: now() + lateUs, never });
    if (config.broker !== 'leveret' || !this.random.chance(PROLONG_SHARE)) return;
    const tag = message.fields.deliveryTag;
    const t = now();
    const headers = { 'x-consumer-timeout': PROLONGED_MS };
    channel.publish('amq.leases', String(tag), Buffer.alloc(0), { headers }, (error) => {
      if (error !== null) return;
      journal.note({ e: 'prolonged', conn: link.conn, tag, until: t + 1_000 * PROLONGED_MS });
    });
  }

  /** Their lease may be over by now: then the ack means nothing, and is no error. */
  ackLate(link, channel) {
    const due = this.hung.filter(({ at, never }) => at <= now() && (!never || this.draining));
    this.hung = this.hung.filter((each) => !due.includes(each));
    for (const { message } of due) {
      this.note(link, message, 'ack', false);
      channel.ack(message);
    }
  }

  /** A slow one acks only with some ticks, unless all there is shall be drained. */
  mayAck() {
    return this.unacked.length >= this.ackAt && (!this.slow || this.draining);
  }

  /** An id is rejected once: if it comes back it is acked, so it must not be in both queues. */
  mayReject({ pub, seq }) {
    const id = `${pub}/${seq}`;
    if (this.rejected.has(id)) return false;
    this.rejected.add(id);
    return true;
  }

  settleAll(link, channel) {
    const last = this.unacked.at(-1);
    if (last === undefined) return;
    this.unacked = [];
    this.ackAt = this.random.int(1, Math.min(30, this.prefetch));
    const again = !this.draining && this.requeue > 0 && this.random.chance(REQUEUE_ALL_SHARE);
    this.note(link, last, again ? 'requeue' : 'ack', true);
    if (again) channel.nack(last, true, true);
    else channel.ack(last, true);
  }

  note(link, message, how, multiple) {
    const tag = message.fields.deliveryTag;
    journal.note({ e: 'settle', conn: link.conn, t: now(), tag, multiple, how });
    this.uncovered++;
  }

  raiseBarrier(link, channel) {
    this.uncovered = 0;
    const n = ++this.barriers;
    journal.note({ e: 'barrier', conn: link.conn, n });
    const passed = () => {
      journal.note({ e: 'passed', conn: link.conn, n, t: now() });
      if (link === this.link && link.open) this.passed = n;
    };
    if (this.tx) {
      commitTx(channel).then(passed, () => {});
      return;
    }
    const barrier = { persistent: true };
    channel.sendToQueue(BARRIER, Buffer.from(`${link.conn} ${n}`), barrier, (error) => {
      if (error === null) passed();
      else if (link === this.link && link.open) this.passed = n;
    });
  }

  /** Nothing unacked, nothing coming, and every settle behind a barrier that has passed. */
  isIdle() {
    if (this.link?.open !== true || !this.consuming) return false;
    if (this.unacked.length + this.hung.length > 0 || now() - this.lastDeliveryAt < this.quietUs)
      return false;
    return this.uncovered === 0 && this.passed === this.barriers;
  }
}

const theirs = config.clients.filter(({ queue }) => queue in queuesOf(config.broker));
const consumers = theirs.map((settings) => new Consumer(settings));
for (const consumer of consumers) consumer.run();

answerSupervisor({
  drain({ on }) {
    for (const consumer of consumers) consumer.draining = on;
  },
  /** Everybody leaves without a word, and does not consume again until told: queues grow. */
  rest({ on }) {
    for (const consumer of consumers) {
      consumer.resting = on;
      if (on && consumer.link?.open === true) consumer.link.drop();
    }
  },
  leaveHost({ host }) {
    for (const { link } of consumers) link?.leaveHost(host);
  },
  status: () => ({
    idle: consumers.every((consumer) => consumer.isIdle()),
    unacked: consumers.map(({ name, unacked }) => ({ name, unacked: unacked.length })),
  }),
  turn({ journal: path }) {
    journal.turnTo(path);
    for (const { link, rejected } of consumers) {
      link?.noteOpen();
      rejected.clear();
    }
  },
  flush: () => journal.flush(),
});
