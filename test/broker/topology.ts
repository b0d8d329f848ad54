// Owns what the simulation declares and publishes: exchanges, queues, bindings, addresses, sizes.
// Never changes: the random choices among these are the world's.

import type { Random } from '../amqp/random.ts';
import type { BindingSpec, ExchangeSpec, QueueSpec, StreamSpec } from './model.ts';
import type { KeyRule } from './model-keys.ts';
import { NO_LIMITS, PAGE } from './model-stream.ts';

/**
 * Keys that last for a time; of which the last ones are known; that last as long as their messages are there. None that says
 * itself how long comes to where the last ones are known: there it keeps its place until it is found out to be over.
 */
const BRIEF: KeyRule = { ttlMs: 300, size: Infinity, release: 'ttl' };
const LAST: KeyRule = { ttlMs: Infinity, size: 12, release: 'ttl' };
const HELD: KeyRule = { ttlMs: Infinity, size: Infinity, release: 'ack' };

export const EXCHANGES: readonly ExchangeSpec[] = [
  { name: 'all', type: 'fanout', durable: true, alternate: null, keys: null },
  { name: 'some', type: 'direct', durable: true, alternate: null, keys: null },
  { name: 'passing', type: 'direct', durable: false, alternate: null, keys: null },
  { name: 'dlx', type: 'fanout', durable: true, alternate: null, keys: null },
  { name: 'first', type: 'fanout', durable: true, alternate: null, keys: BRIEF },
  { name: 'first-last', type: 'direct', durable: true, alternate: null, keys: LAST },
  { name: 'first-passing', type: 'direct', durable: false, alternate: null, keys: LAST },
  { name: 'unrouted', type: 'fanout', durable: true, alternate: null, keys: null },
  { name: 'with-rest', type: 'direct', durable: true, alternate: 'unrouted', keys: null },
];

const PLAIN = {
  deadLetterExchange: null,
  deadLetterRoutingKey: null,
  ttlMs: Infinity,
  lengthMax: Infinity,
  refusing: false,
  priorityMax: 0,
  returnsMax: Infinity,
  singleActive: false,
  retryMinMs: 0,
  groupMax: 0,
  unackedMax: Infinity,
  keys: null,
};

const queue = (name: string, durable: boolean, more: Partial<QueueSpec> = {}): QueueSpec => ({
  ...PLAIN,
  name,
  durable,
  ...more,
});

const deadTo = (deadLetterExchange: string, deadLetterRoutingKey: string | null = null) => ({
  deadLetterExchange,
  deadLetterRoutingKey,
});

/**
 * Dead letters go to a durable and a transient queue, by name, back to where they were, nowhere. A
 * queue in which messages die at the end of a turn has a queue for its dead letters to itself, since
 * the model does not know in which order the broker visits queues.
 */
export const QUEUES: readonly QueueSpec[] = [
  queue('durable-1', true, deadTo('dlx')),
  queue('durable-2', true, deadTo('', 'durable-3')),
  queue('durable-3', true),
  queue('passing-1', false, deadTo('dlx')),
  queue('passing-2', false, deadTo('nowhere')),
  queue('dead', true, deadTo('some', 'a')),
  queue('dead-passing', false, deadTo('', 'dead-passing')),
  queue('expiring', true, { ttlMs: 300, ...deadTo('', 'expired') }),
  queue('expired', true),
  queue('full', true, { lengthMax: 7, ...deadTo('', 'surplus') }),
  queue('surplus', true),
  queue('refusing', true, { lengthMax: 5, refusing: true }),
  queue('ranked', true, { priorityMax: 4, ...deadTo('', 'ranked-dead') }),
  queue('ranked-dead', true, { priorityMax: 2 }),
  queue('counted', true, { returnsMax: 1, ...deadTo('', 'tired') }),
  queue('tired', true),
  queue('retried', true, { returnsMax: 3, retryMinMs: 25, ...deadTo('', 'worn-out') }),
  queue('worn-out', true),
  queue('grouped', true, {
    groupMax: 1,
    retryMinMs: 25,
    returnsMax: 3,
    ...deadTo('', 'grouped-dead'),
  }),
  queue('grouped-dead', true, { groupMax: 3 }),
  queue('grouped-full', true, { groupMax: 1, lengthMax: 7, ttlMs: 300 }),
  queue('grouped-passing', false, { groupMax: 2 }),
  queue('grouped-single', true, { groupMax: 1, singleActive: true }),
  queue('bounded', true, { unackedMax: 3, ...deadTo('', 'log') }),
  queue('single', true, { singleActive: true }),
  queue('single-passing', false, { singleActive: true }),
  queue('single-other', true, { singleActive: true }),
  queue('full-logged', true, { lengthMax: 7, ttlMs: 300, ...deadTo('', 'log-brief') }),
  queue('once', true, { keys: BRIEF, ...deadTo('first') }),
  queue('once-last', true, { keys: LAST, retryMinMs: 25, returnsMax: 3 }),
  queue('job', true, {
    keys: HELD,
    retryMinMs: 25,
    returnsMax: 3,
    groupMax: 1,
    ...deadTo('', 'job-dead'),
  }),
  // What is rejected here goes back to where it died.
  queue('job-dead', true, { keys: HELD, ...deadTo('', 'job') }),
  queue('job-ranked', true, {
    keys: HELD,
    priorityMax: 2,
    retryMinMs: 25,
    returnsMax: 3,
    ...deadTo('', 'job-ranked'),
  }),
  queue('job-passing', false, { keys: HELD }),
  queue('job-full', true, { keys: HELD, lengthMax: 7, ttlMs: 300 }),
  queue('job-refusing', true, { keys: HELD, lengthMax: 5, refusing: true }),
];

/** One keeps all; the others some, of what all, dead letters and what has no other way bring. */
export const STREAMS: readonly StreamSpec[] = [
  { name: 'log', limits: NO_LIMITS },
  { name: 'log-short', limits: { ...NO_LIMITS, lengthMax: PAGE + 50 } },
  { name: 'log-small', limits: { ...NO_LIMITS, lengthBytesMax: 200_000 } },
  { name: 'log-brief', limits: { ...NO_LIMITS, maxAgeMs: 1_000 } },
];

const binding = (source: string, to: string, bindingKey = ''): BindingSpec => ({
  source,
  queue: to,
  bindingKey,
});

export const BINDINGS: readonly BindingSpec[] = [
  binding('all', 'durable-1'),
  binding('all', 'durable-2'),
  binding('all', 'passing-1'),
  binding('all', 'passing-2'),
  binding('some', 'durable-1', 'a'),
  binding('some', 'passing-1', 'a'),
  binding('some', 'durable-2', 'b'),
  binding('some', 'passing-2', 'b'),
  binding('passing', 'durable-3', 'a'),
  binding('all', 'full'),
  binding('all', 'refusing'),
  binding('all', 'full-logged'),
  binding('some', 'ranked', 'b'),
  binding('some', 'counted', 'a'),
  binding('all', 'counted'),
  binding('all', 'grouped'),
  binding('some', 'grouped-passing', 'a'),
  binding('some', 'bounded', 'b'),
  binding('all', 'single'),
  binding('some', 'single-passing', 'a'),
  binding('some', 'single-other', 'b'),
  binding('all', 'once-last'),
  binding('first', 'job-ranked'),
  binding('first-last', 'job-refusing', 'a'),
  binding('first-last', 'durable-3', 'a'),
  binding('first-last', 'job', 'b'),
  binding('first-passing', 'job-passing', 'a'),
  binding('first-passing', 'job', 'a'),
  binding('all', 'job'),
  binding('all', 'log'),
  binding('all', 'log-small'),
  binding('some', 'log-short', 'a'),
  binding('some', 'log', 'b'),
  binding('passing', 'log-brief', 'a'),
  binding('first', 'log-short'),
  binding('first-last', 'log', 'b'),
  binding('first-passing', 'log-short', 'a'),
  binding('with-rest', 'durable-3', 'a'),
  binding('unrouted', 'log-brief'),
  binding('unrouted', 'passing-2'),
  binding('dlx', 'log-short'),
  binding('dlx', 'dead'),
  binding('dlx', 'dead-passing'),
];

/** Where a message is sent. */
export interface Address {
  readonly exchange: string;
  readonly routingKey: string;
}

/** Where a message may be sent; the last one leads nowhere. */
const ADDRESSES: readonly Address[] = [
  { exchange: 'all', routingKey: 'x'.repeat(200) },
  { exchange: 'some', routingKey: 'a' },
  { exchange: 'some', routingKey: 'b' },
  { exchange: 'passing', routingKey: 'a' },
  { exchange: 'passing', routingKey: 'nobody' },
  { exchange: 'first', routingKey: '' },
  { exchange: 'first', routingKey: '' },
  { exchange: 'first-last', routingKey: 'a' },
  { exchange: 'first-last', routingKey: 'b' },
  { exchange: 'first-last', routingKey: 'nobody' },
  { exchange: 'first-passing', routingKey: 'a' },
  { exchange: 'with-rest', routingKey: 'a' },
  { exchange: 'with-rest', routingKey: 'nobody' },
  ...[...QUEUES, ...STREAMS].map(({ name }) => ({ exchange: '', routingKey: name })),
  { exchange: '', routingKey: 'no such queue' },
];

export function randomAddress(random: Random): Address {
  return random.pick(ADDRESSES);
}

/** Mostly small; some with a segment of their own, some larger than a segment. */
export function randomBodyBytes(random: Random): number {
  const dice = random.next();
  if (dice < 0.75) return 8 + random.below(100);
  if (dice < 0.93) return 8 + random.below(4_000);
  if (dice < 0.985) return 4_000 + random.below(12_000);
  if (dice < 0.995) return 15_000 + random.below(30_000);
  return 60_000 + random.below(140_000);
}

/** A body that tells which message it is of, and whether it is whole. */
export function bodyOf(id: number, length: number): Buffer {
  const body = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) body.writeUInt32BE((id + at) >>> 0, at);
  return body;
}
