// A publisher process of the crash test: several publishers, each with its own connection and its
// confirm or transactional channel, that never publish one id twice.
import { setTimeout as sleep } from 'node:timers/promises';
import { answerSupervisor, commitTx, Journal, now, selectTx, stayConnected } from './client.mjs';
import { notThereBefore } from './held-up.mjs';
import { bodyOf, createPool, optionsOf } from './message.mjs';
import { createRandom } from './random.mjs';
import { placeOf } from './topology.mjs';

const config = JSON.parse(process.argv[2]);
const journal = new Journal(config.journal);
const pool = createPool(config.run);

const NOT_IMPLEMENTED = 540;

/** Returned on purpose, now and then: its confirm must come after its return. */
const UNROUTABLE_SHARE = 0.01;
/** Sent with a key of before, of one of the last so many: as one that knows no better sends again. */
const AGAIN_SHARE = 0.5;
const AGAIN_MOST = 60;
/** So many keys there are that are free again once their message is done. */
const JOBS = 40;

class Publisher {
  constructor({
    name,
    routes,
    window,
    persistent,
    tx,
    blind = false,
    pauseMs,
    most = Number.POSITIVE_INFINITY,
  }) {
    this.name = name;
    this.routes = routes;
    this.window = window;
    this.persistent = persistent;
    this.tx = tx;
    this.blind = blind;
    /** The longest pause between two bursts, where the load is to be less than it could be. */
    this.pauseMs = pauseMs ?? config.pauseMs;
    /** So many messages it publishes in a part, at most. */
    this.most = most;
    this.left = most;
    this.random = createRandom(`${config.run} ${name}`);
    this.seq = 0;
    this.link = null;
    this.tag = 0;
    this.unconfirmed = 0;
    this.publishing = true;
    /** Keys that were sent lately. */
    this.keys = [];
    this.unsupported = false;
  }

  run() {
    return stayConnected(config.urls, this.name, journal, (link) => this.hold(link));
  }

  async hold(link) {
    this.link = link;
    link.model.on('error', ({ code }) => {
      if (this.tx && code === NOT_IMPLEMENTED) this.unsupported = true;
    });
    // A broker without transactions is tested without them; the report says so.
    if (this.unsupported) return;
    this.tag = 0;
    this.unconfirmed = 0;
    const channel = link.watch(
      this.tx ? await link.model.createChannel() : await link.model.createConfirmChannel(),
    );
    channel.on('return', ({ properties: { headers } }) => {
      journal.note({ e: 'return', conn: link.conn, pub: headers.pub, seq: headers.seq });
    });
    if (this.tx) await this.publishInTransactions(link, channel);
    else await this.publishWithConfirms(link, channel);
  }

  async publishWithConfirms(link, channel) {
    channel.on('ack', ({ deliveryTag, multiple }) => {
      if (this.blind) return;
      this.noteConfirm(link, deliveryTag, multiple);
    });
    channel.on('nack', ({ deliveryTag, multiple }) => {
      journal.note({ e: 'refuse', conn: link.conn, tag: deliveryTag, multiple });
    });
    const settled = () => {
      if (link === this.link) this.unconfirmed--;
    };
    while (link.open) {
      for (let burst = this.random.int(1, 20); burst > 0 && this.mayPublish(link); burst--) {
        this.unconfirmed++;
        this.publish(link, channel, null, settled);
      }
      await sleep(this.random.int(0, this.pauseMs ?? 6));
    }
  }

  async publishInTransactions(link, channel) {
    await selectTx(channel);
    while (link.open) {
      if (this.mayPublish(link)) {
        const group = `${this.name}/${this.seq + 1}`;
        this.unconfirmed++;
        for (let n = this.random.int(2, 8); n > 0; n--) this.publish(link, channel, group);
        await commitTx(channel);
        this.noteConfirm(link, this.tag, true);
        this.unconfirmed--;
      }
      await sleep(this.random.int(0, this.pauseMs ?? 10));
    }
  }

  noteConfirm({ conn }, tag, multiple) {
    journal.note({ e: 'conf', conn, tag, multiple, t: now(), since: notThereBefore() });
  }

  mayPublish(link) {
    const may = this.publishing && link.open && this.left > 0;
    return may && (this.tx || this.unconfirmed < this.window);
  }

  publish(link, channel, group, callback) {
    const lost = group === null && this.persistent && this.random.chance(UNROUTABLE_SHARE);
    const place = placeOf(lost ? 'nowhere' : this.random.pick(this.routes), config.broker);
    const seq = ++this.seq;
    this.left--;
    const body = bodyOf(pool, this.name, seq);
    const options = optionsOf(config.run, this.name, seq, body, place, this.persistent);
    const once = place.once === undefined ? null : this.keyFor(place, seq);
    if (once !== null) options.headers['x-deduplication-header'] = once;
    journal.note({
      e: 'pub',
      conn: link.conn,
      tag: ++this.tag,
      pub: this.name,
      seq,
      to: place.queues,
      persistent: this.persistent,
      priority: options.priority ?? 0,
      delay: options.headers['x-delay'] ?? 0,
      t: now(),
      group,
      ...(once !== null && { once }),
    });
    channel.publish(place.exchange, place.key, body, { ...options, mandatory: true }, callback);
  }

  /** A key for a message: a new one, or one of before, whatever became of that. */
  keyFor({ exchange, key: queue, once }, seq) {
    const start = `${this.name} ${exchange}${queue}`;
    if (config.broker !== 'leveret') return `${start} ${seq}`;
    if (once === 'ack') return `${start} ${this.random.int(1, JOBS)}`;
    const again = this.keys.filter((key) => key.startsWith(start));
    if (again.length > 0 && this.random.chance(AGAIN_SHARE)) return this.random.pick(again);
    const key = `${start} ${seq}`;
    this.keys.push(key);
    if (this.keys.length > 2 * AGAIN_MOST) this.keys.shift();
    return key;
  }

  isIdle() {
    return this.link?.open === true && this.unconfirmed === 0;
  }
}

const publishers = config.clients.map((settings) => new Publisher(settings));
for (const publisher of publishers) publisher.run();

answerSupervisor({
  publish({ on }) {
    for (const publisher of publishers) publisher.publishing = on;
  },
  leaveHost({ host }) {
    for (const { link } of publishers) link?.leaveHost(host);
  },
  status: () => ({
    unsupported: publishers.filter(({ unsupported }) => unsupported).length,
    idle: publishers.every((publisher) => publisher.isIdle()),
    unconfirmed: publishers.map(({ name, unconfirmed }) => ({ name, unconfirmed })),
    seqs: Object.fromEntries(publishers.map(({ name, seq }) => [name, seq])),
  }),
  turn({ journal: path }) {
    journal.turnTo(path);
    for (const publisher of publishers) {
      publisher.link?.noteOpen();
      // What an earlier part sent is no longer known to the judge.
      publisher.keys = [];
      publisher.left = publisher.most;
    }
  },
  flush: () => journal.flush(),
});
