// The stream of the power test: a group that reads and acks it and notes what it saw, and what has to be so in an image.
import { numberOf } from './body.mjs';
import { STREAM } from './topology.mjs';

const GROUP = 'power';
const PREFETCH = 20;
const PAGE_ENTRIES = 256;

/**
 * Reads the stream as a group; `facts.seen` has each delivery, with how long the recording was as it had come, and before its
 * ack was sent, and as that was surely on the disk.
 */
export async function readStream(channel, facts, now) {
  facts.seen = [];
  await channel.prefetch(PREFETCH);
  const args = { 'x-stream-group': GROUP, 'x-stream-offset': 'first' };
  await channel.consume(
    STREAM,
    (message) => {
      const at = now();
      const offset = Number(message.properties.headers['x-stream-offset']);
      facts.seen.push({ number: numberOf(message.content), offset, at, ackedAt: Infinity });
      channel.ack(message);
    },
    { arguments: args },
  );
  await channel.prefetch(0);
}

/** All that was acked until now, for a confirm to come of the same channel. */
export function acksOf(facts) {
  const until = facts.seen.length;
  return (at) => {
    for (let n = until - 1; n >= 0 && facts.seen[n].ackedAt === Infinity; n--) {
      facts.seen[n].ackedAt = at;
    }
  };
}

/** Notes where each message of the stream is, and counts what is wrong with offsets and with the place of the group. */
export function judgeStream(stream, seen, cutAt, found, numberAt, counts) {
  const { entries, places } = stream;
  const numbers = new Map();
  let last = -1;
  for (let offset = entries.first; offset < entries.tail; offset++) {
    const number = Math.floor(offset / PAGE_ENTRIES);
    const page = entries.page(number);
    const read = page === null ? null : numberAt(page.positions[offset - number * PAGE_ENTRIES]);
    if (read === null) {
      counts.damaged += 1;
      continue;
    }
    numbers.set(offset, read);
    found.set(read, [...(found.get(read) ?? []), { name: STREAM, ready: true }]);
    // All are published on one channel.
    if (read < last) counts.offsets += 1;
    last = read;
  }
  // What was delivered was durable, so that its offset names it for ever.
  for (const { number, offset, at } of seen) {
    if (at <= cutAt && numbers.get(offset) !== number) counts.offsets += 1;
  }
  const place = places.of(GROUP)?.offset ?? 0;
  const acked = seen.filter(({ at }) => at <= cutAt).length;
  const sure = seen.filter(({ ackedAt }) => ackedAt <= cutAt).length;
  if (place > acked || place < sure) counts.places += 1;
}
