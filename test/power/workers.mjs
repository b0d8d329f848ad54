// The consumers of the power test: they ack, put back, hand on, hang and prolong their leases, and note how long the
// recording was when they did.
import { numberOf } from './body.mjs';
import { ACKED, GROUPED, JOB, LEASE, LEASE_MS, NEXT, ONCE, RETRY, STEP } from './topology.mjs';

/** From its prolonging on a lease holds longer than any run takes. */
const PROLONGED_MS = 600_000;
/** So often what has to do with leases has to come about before the run is long enough. */
const SEEN_MIN = 4;

/** Starts them on a channel; all that they ack they ack there. */
export async function startWorkers({ channel, facts, now, random, keys }) {
  const workers = new Workers(channel, facts, now, random, keys);
  await channel.consume(ACKED, (message) => workers.ackSome(message, 4));
  await channel.consume(ONCE, (message) => workers.ackSome(message, 3));
  await channel.consume(JOB, (message) => {
    if (!workers.putBack(message, 1 / 4)) workers.ackSome(message, 10);
  });
  // What comes back waits for another try, and is left alone then.
  await channel.consume(RETRY, (message) => workers.putBack(message, 3 / 4));
  await channel.consume(GROUPED, (message) => {
    if (!workers.putBack(message, 1 / 3)) workers.ackSome(message, 12);
  });
  await channel.consume(STEP, (message) => workers.handOn(message));
  // While one of them is late the other gets what is taken back.
  for (let n = 0; n < 2; n++) await channel.consume(LEASE, (message) => workers.lease(message));
  return workers;
}

class Workers {
  acks = [];
  /** Deliveries whose lease runs out, by the number of the message. */
  hung = new Map();
  /** How often it came about that a lease was over, that one was settled late, or long after it was prolonged. */
  seen = { takenBack: 0, late: 0, prolonged: 0 };
  /** Messages whose lease the broker has prolonged. */
  held = new Set();
  stopped = false;

  constructor(channel, facts, now, random, keys) {
    this.channel = channel;
    this.facts = facts;
    this.now = now;
    this.random = random;
    this.keys = keys;
  }

  get leasesEnded() {
    return Object.values(this.seen).every((count) => count >= SEEN_MIN);
  }

  stop() {
    this.stopped = true;
  }

  /** The facts of what was acked until now, for when that is certain. */
  acksUntilNow() {
    const { length } = this.acks;
    return () => this.acks.slice(0, length);
  }

  factOf(message) {
    return this.facts.messages[numberOf(message.content)];
  }

  ack(message) {
    if (this.stopped) return;
    const fact = this.factOf(message);
    fact.ackedFrom = Math.min(fact.ackedFrom, this.now());
    this.acks.push(fact);
    this.keys.acked(fact);
    this.channel.ack(message);
  }

  /** One of so many is left alone; some are acked at once, some a little later. */
  ackSome(message, leftOf) {
    const { random } = this;
    if (random.below(leftOf) === 0) return;
    if (random.below(2) === 0) this.ack(message);
    else setTimeout(() => this.ack(message), random.below(30));
  }

  putBack(message, share) {
    const again = !message.fields.redelivered && this.random.next() < share;
    if (again) this.channel.nack(message);
    return again;
  }

  handOn(message) {
    if (this.random.below(4) === 0) return;
    const fact = this.factOf(message);
    fact.handedFrom = this.now();
    const headers = { 'x-ack-delivery-tag': message.fields.deliveryTag };
    this.channel.sendToQueue(NEXT, message.content, { persistent: true, headers }, (error) => {
      if (!error) fact.handedAt = this.now();
    });
  }

  /** What is not left alone until its lease is over is acked once the broker says that the lease holds. */
  lease(message) {
    const { random, seen, hung } = this;
    const number = numberOf(message.content);
    const late = hung.get(number);
    hung.delete(number);
    if (message.fields.redelivered) seen.takenBack += 1;
    if (late !== undefined && random.below(2) === 0) {
      // Another one has the message: this ack ends nothing.
      this.channel.ack(late);
      seen.late += 1;
    }
    // It is not to come again: no one acks it then.
    if (this.held.has(number)) return;
    if (random.below(3) === 0) hung.set(number, message);
    else this.prolong(message, () => this.ackHeld(number, message));
  }

  ackHeld(number, message) {
    this.held.add(number);
    if (this.random.below(3) === 0) return this.ack(message);
    setTimeout(() => {
      this.ack(message);
      this.seen.prolonged += 1;
    }, 2 * LEASE_MS);
  }

  prolong({ fields }, then) {
    const headers = { 'x-consumer-timeout': PROLONGED_MS };
    const tag = String(fields.deliveryTag);
    this.channel.publish('amq.leases', tag, Buffer.alloc(0), { headers }, (error) => {
      if (!error) then();
    });
  }
}
