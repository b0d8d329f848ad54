// What scenarios do with connections: publish so many messages within a window of confirms, and
// drain a queue. Numbers go into the first four bytes of a body, and come out there.
import { Batch, Wire } from './wire.mjs';

const BATCH_BYTES_MAX = 256 * 1024;
const BATCH_MESSAGES_MAX = 512;
const BATCHES = 6;
const WINDOW = 20_000;
const IDLE_LIMIT_MS = 120_000;

const filling = Buffer.alloc(2 ** 20, 'How much can a queue hold before it is too much? ');

/** A body of so many bytes, at least four; larger ones differ from each other in their numbers only. */
export function bodyOf(bytes) {
  return Buffer.from(filling.subarray(0, bytes));
}

/** So many batches of the same messages, one after the other of `cycle`. */
export function makeBatches(cycle) {
  const bytes = cycle.reduce((sum, { body }) => sum + body.length + 100, 0);
  const most = Math.min(BATCH_MESSAGES_MAX, Math.floor(BATCH_BYTES_MAX / (bytes / cycle.length)));
  // A whole number of cycles, so that what a number stands for stays the same.
  const repeats = Math.max(1, Math.floor(most / cycle.length));
  const messages = Array.from({ length: repeats }, () => cycle).flat();
  return Array.from({ length: BATCHES }, () => new Batch(messages));
}

/**
 * Publishes messages numbered `first` to `first + total - 1` and waits until all are confirmed.
 * @param {Wire} wire in confirm mode
 * @param {Batch[]} batches what `makeBatches` gave
 */
export async function publish(wire, batches, { first = 0, total, window = WINDOW, pace = null }) {
  const before = wire.confirmed;
  let sent = 0;
  let wake = () => {};
  wire.onConfirm = () => wake();
  const change = () =>
    new Promise((resolve) => {
      wake = resolve;
    });
  while (sent < total) {
    const batch = batches.find(({ busy }) => !busy);
    const count = Math.min(batches[0].count, total - sent);
    if (wire.failure !== null) throw wire.failure;
    if (batch === undefined || (sent > 0 && sent + count - (wire.confirmed - before) > window)) {
      await change();
      continue;
    }
    const end = batch.number(first + sent, count);
    batch.busy = true;
    wire.write(batch.bytes.subarray(0, end), () => {
      batch.busy = false;
      wake();
    });
    sent += count;
    if (pace !== null) await pace(sent);
  }
  while (wire.confirmed - before < total) {
    if (wire.failure !== null) throw wire.failure;
    await change();
  }
  if (wire.refused > 0) throw new Error(`${wire.refused} publishes were refused`);
}

/**
 * Takes `total` messages out of a queue with acks, and calls `seen` with the number of each.
 * @returns when the first came and when the last did, in ms from the start
 */
export async function drain(broker, queue, options) {
  const { total, prefetch = 1000, ackEvery = 200, seen = () => {} } = options;
  const wire = await Wire.open(broker);
  const start = performance.now();
  let firstMs = 0;
  let count = 0;
  await wire.qos(prefetch);
  const done = new Promise((resolve, reject) => {
    wire.onEnd = () => reject(wire.failure);
    wire.onMessage = (tag, redelivered, bytes, at, bodyBytes) => {
      if (count === 0) firstMs = performance.now() - start;
      count += 1;
      seen(bytes.readUInt32BE(at), redelivered, bodyBytes);
      if (count % ackEvery === 0 || count === total) wire.ack(tag, true);
      if (count === total) resolve();
    };
  });
  const watch = failWhenIdle(() => count, `${queue} gives no more after`);
  await Promise.race([wire.consume(queue).then(() => done), watch.failed]);
  watch.stop();
  wire.onEnd = () => {};
  const lastMs = performance.now() - start;
  await wire.close();
  return { firstMs, lastMs };
}

/** Rejects when a count stands still. */
export function failWhenIdle(countNow, what, limitMs = IDLE_LIMIT_MS) {
  let last = -1;
  let timer;
  const failed = new Promise((_resolve, reject) => {
    timer = setInterval(() => {
      if (countNow() === last) reject(new Error(`${what} ${last} messages`));
      last = countNow();
    }, limitMs);
  });
  failed.catch(() => {});
  return { failed, stop: () => clearInterval(timer) };
}

/** Knows which numbers were seen, and how often in excess. */
export class Seen {
  constructor(total) {
    this.counts = new Uint8Array(total);
    this.again = 0;
    this.strange = 0;
  }

  add(number) {
    if (number >= this.counts.length) this.strange += 1;
    else if (this.counts[number]++ > 0) this.again += 1;
  }

  /** How many of the numbers that `wanted` names were not seen. */
  missing(wanted = () => true) {
    let missing = 0;
    for (let i = 0; i < this.counts.length; i++)
      if (this.counts[i] === 0 && wanted(i)) missing += 1;
    return missing;
  }

  /** How many were seen that `wanted` does not name. */
  unwanted(wanted) {
    let unwanted = 0;
    for (let i = 0; i < this.counts.length; i++)
      if (this.counts[i] > 0 && !wanted(i)) unwanted += 1;
    return unwanted;
  }
}
