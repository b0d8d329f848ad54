// Messages that wait while clocks are set: one that is due soon, and one that is not for hours. Says what is wrong with when
// they came. Never sets a clock.
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'amqplib';
import { now } from '../client.mjs';

const QUEUE = 'crash.witness';
const US_PER_MS = 1000;
/** Long enough for the next leader to find it waiting. */
const SOON_MS = 8_000;
/** More than any clock is set by. */
const LONG_MS = 24 * 3_600_000;
const LATE_LIMIT_MS = 20_000;
const AGAIN_MS = 100;
/** The leader may change of itself as it begins. */
const TRIES = 5;

export class TimeWitness {
  /** @param {import('./cluster.mjs').Cluster} cluster */
  constructor(cluster) {
    this.cluster = cluster;
    this.sentAt = 0;
  }

  /** Has both wait; they are durable then. */
  async begin(tries = TRIES) {
    try {
      await this.send();
    } catch (error) {
      if (tries === 1) throw error;
      await sleep(AGAIN_MS);
      await this.cluster.until('a node leads', () => this.cluster.leader !== null);
      await this.begin(tries - 1);
    }
  }

  async send() {
    await this.with(async (channel) => {
      // A try before may have left something in it.
      await channel.deleteQueue(QUEUE);
      await channel.assertQueue(QUEUE, { durable: true });
      this.sentAt = now();
      for (const delay of [SOON_MS, LONG_MS]) {
        const options = { persistent: true, headers: { 'x-delay': delay } };
        channel.sendToQueue(QUEUE, Buffer.from(String(delay)), options);
      }
      await channel.waitForConfirms();
    });
  }

  /** Waits for the first under whichever node leads by now; resolves with what is wrong, in sentences. */
  async end() {
    const limitUs = (SOON_MS + LATE_LIMIT_MS) * US_PER_MS;
    const faults = [];
    for (let found = false; !found; ) {
      found = await this.with(async (channel) => {
        for (;;) {
          // It goes with its queue: where this connection is lost first, it is there for the next one.
          const message = await channel.get(QUEUE);
          const ms = Math.round((now() - this.sentAt) / US_PER_MS);
          if (message === false) {
            if (now() - this.sentAt > limitUs) throw new Error(`${SOON_MS} ms are ${ms} and more`);
            await sleep(AGAIN_MS);
            continue;
          }
          const delay = Number(message.content.toString());
          if (ms < delay) faults.push(`what waits for ${delay} ms came after ${ms}`);
          if (delay === SOON_MS) break;
        }
        await channel.deleteQueue(QUEUE);
        return true;
      }).catch((error) => {
        if (now() - this.sentAt > limitUs) {
          faults.push(`what waits did not come: ${error.message}`);
          return true;
        }
        return false;
      });
    }
    return faults;
  }

  /** Whatever becomes of the connection is seen by what is done with it. */
  async with(act) {
    const model = await connect(this.cluster.url, { timeout: 5000, noDelay: true });
    const lost = new Promise((_, reject) => {
      model.on('close', () => reject(new Error('connection lost')));
    });
    lost.catch(() => {});
    model.on('error', () => {});
    try {
      const channel = await model.createConfirmChannel();
      channel.on('error', () => {});
      return await Promise.race([act(channel), lost]);
    } finally {
      model.connection.stream.destroy(new Error('done'));
    }
  }
}
