// What one test message looks like: its id, its body, and how a consumer tells that nothing of it
// was changed. Never talks to a broker.
import { createCipheriv, createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

const POOL_BYTES = 4 * 1024 * 1024;

/** Body sizes and how often each is drawn, per thousand. */
const SIZES = [
  [0, 100],
  [1, 100],
  [100, 350],
  [1024, 300],
  [4095, 125],
  [65536, 23],
  [307200, 2],
];
/** Those of publishers whose name begins so: what is replicated comes in parts. */
const BIG = 'big';
const BIG_SIZES = [
  [1024, 500],
  [900_000, 150],
  [2_500_000, 350],
];

/**
 * Random bytes every process of a run derives alike; bodies are ranges of it.
 * @param {string} seed
 */
export function createPool(seed) {
  const key = createHash('sha256').update(`pool ${seed}`).digest();
  const cipher = createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16, 32));
  return cipher.update(Buffer.alloc(POOL_BYTES));
}

/** A number from 0 to 2^32 - 1 that depends on nothing but the id. */
function hashId(publisher, seq, salt) {
  let hash = 0x811c9dc5 ^ salt;
  for (let i = 0; i < publisher.length; i++) {
    hash = Math.imul(hash ^ publisher.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ seq, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function sizeOf(publisher, seq) {
  let roll = hashId(publisher, seq, 1) % 1000;
  for (const [bytes, share] of publisher.startsWith(BIG) ? BIG_SIZES : SIZES) {
    if (roll < share) return bytes;
    roll -= share;
  }
  return 0;
}

/** The body that belongs to an id; a view of the pool, so it costs nothing to compare. */
export function bodyOf(pool, publisher, seq) {
  const bytes = sizeOf(publisher, seq);
  const from = hashId(publisher, seq, 2) % (pool.length - bytes);
  return pool.subarray(from, from + bytes);
}

/** The priority that belongs to an id. */
export function priorityOf(publisher, seq, max) {
  return hashId(publisher, seq, 3) % (max + 1);
}

/** How long the message of an id waits, ms; every third is ready at once. */
export function delayOf(publisher, seq, max) {
  const hash = hashId(publisher, seq, 4);
  return hash % 3 === 0 ? 0 : hash % max;
}

/** The publish options of a message: everything a consumer will check again. */
export function optionsOf(run, publisher, seq, body, where, persistent) {
  const { priorityMax, delayMax, groups } = where;
  const delay = delayMax === undefined ? 0 : delayOf(publisher, seq, delayMax);
  return {
    ...(priorityMax !== undefined && { priority: priorityOf(publisher, seq, priorityMax) }),
    persistent,
    contentType: 'application/octet-stream',
    messageId: `${run}/${publisher}/${seq}`,
    headers: {
      run,
      pub: publisher,
      seq,
      crc: crc32(body),
      exchange: where.exchange,
      key: where.key,
      ...(delay > 0 && { 'x-delay': delay }),
      ...(groups !== undefined && { group: `${publisher} ${seq % groups}` }),
    },
  };
}

/**
 * Names what is wrong with a delivered message, or null when every byte is as it was published.
 * `moved` is the queue it was dead-lettered from and the reason why, or null.
 */
export function faultOf(message, run, pool, moved) {
  const { headers, messageId, contentType } = message.properties;
  if (headers?.run !== run) return `it belongs to another run: ${headers?.run}`;
  const { pub, seq, crc, exchange, key } = headers;
  if (messageId !== `${run}/${pub}/${seq}`) return `message-id is ${messageId}`;
  if (contentType !== 'application/octet-stream') return `content-type is ${contentType}`;
  const expected = bodyOf(pool, pub, seq);
  if (message.content.length !== expected.length) {
    return `the body has ${message.content.length} bytes instead of ${expected.length}`;
  }
  if (crc32(message.content) !== crc) return 'the body does not match its CRC';
  if (!message.content.equals(expected)) return 'the body is not that of this id';
  if (moved !== null) return deathFaultOf(headers, moved);
  if (message.fields.exchange !== exchange) return `exchange is ${message.fields.exchange}`;
  if (message.fields.routingKey !== key) return `routing key is ${message.fields.routingKey}`;
  return null;
}

/** A message that moved once died once, and says why. */
function deathFaultOf(headers, moved) {
  const death = headers['x-death'];
  if (!Array.isArray(death) || death.length !== 1) return 'x-death does not have one entry';
  const { queue, reason, count } = death[0];
  if (queue !== moved.queue || reason !== moved.reason || count !== 1) {
    return `x-death says queue ${queue}, reason ${reason}, count ${count}`;
  }
  const [first, last] = [headers['x-first-death-reason'], headers['x-last-death-reason']];
  if (first !== reason) return `x-first-death-reason is ${first}`;
  if (last !== undefined && last !== reason) return `x-last-death-reason is ${last}`;
  return null;
}
