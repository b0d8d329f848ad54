// The exchanges and queues the crash test runs on, and who publishes to and consumes from them.
// Data only, and the one function that declares it.

export const FANOUT = 'crash.fan';
export const DEAD_EXCHANGE = 'crash.dlx';
/** Knows keys: what passes goes to two queues. */
export const FIRST = 'crash.first';
/** Fan-out to a queue and to the stream. */
export const EVENTS = 'crash.events';
export const STREAM = 'crash.stream';
/** Fan-out to queues that deliver after the commit. */
export const SURE = 'crash.sure';
/** Reads it, and goes on where it was. */
export const GROUP = 'crash';
export const BARRIER = 'crash.barrier';
/** For bodies of megabytes. */
export const LARGE = 'crash.large';
/** Fills, and is consumed in the end. */
export const BACKLOG = 'crash.backlog';
export const NOWHERE = 'crash.nowhere';

/** How a client logs in, and where: nothing of it is there by itself. */
export const LOGIN = { user: 'crash', password: 'crash', vhost: 'crash' };
/** How a message leaves a queue whose worker publishes the next step. */
export const HANDED_ON = 'handed on';
/** Full by policy, so that every publish is refused for as long as the policy is there. */
export const FULL = 'crash.full';
/** Where schedules publish, and nothing consumes. */
export const TICKS = 'crash.ticks';
/** Declaring it is refused for as long as the user's permissions are there. */
export const FORBIDDEN = 'elsewhere';

const TTL_MS = 150;
const LENGTH_MAX = 40;
const DELIVERY_LIMIT = 2;
const PRIORITY_MAX = 4;
/** How long messages wait, at most; and what the delays of those that come back are made of. */
const DELAY_MAX_MS = 400;
const RETRY_MIN_MS = 60;
/** How long a delivery is its worker's, and how long from the moment on that it prolongs that. */
const LEASE_MS = 1_000;
/** Groups of one publisher, and how often a message of them may come back. */
const GROUPS = 50;
const GROUPED_LIMIT = 20;
export const PROLONGED_MS = 2_500;
/** So many messages the stream keeps, and a page more: some rounds of them, and few enough to read them all after each. */
const KEPT = 4_096;

/**
 * `ordered`: one consumer, so the order of first deliveries is checked, within each priority.
 * `deadLetterTo`: where rejected messages go, or with `diesOf` those that the queue itself moves.
 * `deliveryLimit`: the most that `x-delivery-count` may be. `priorityMax`: for `x-max-priority`.
 * `delayMax`: messages wait so long at most, ms. `retryMin`: for `x-delayed-retry-min`.
 * `leaseMs`: for `x-consumer-timeout`; then the message is given to another worker.
 * `groups`: each publisher has so many, by the header `group`: then two consumers get the messages of each in order.
 * `once`: of messages with one key, all but the first are dropped, also when that is gone, here or by the exchange FIRST;
 * or with 'ack' while that is there.
 * `keeps`: it is a stream, and keeps so many messages at least. `group`: reads it, and goes on where it was.
 * HANDED_ON: its worker moves them, by a publish that acks what it was given. `held`: none is seen that a kill then undoes.
 * `sure`: it delivers after the commit: what any consumer has seen is in all queues of its publish, confirmed or not.
 * @type {import('./check.d.mts').History['queues']}
 */
export const QUEUES = {
  'crash.fan.1': { ordered: true, deadLetterTo: null },
  'crash.fan.2': { ordered: true, deadLetterTo: null },
  'crash.fan.3': { ordered: false, deadLetterTo: null },
  'crash.direct': { ordered: true, deadLetterTo: null },
  'crash.work': { ordered: true, deadLetterTo: 'crash.dead' },
  'crash.dead': { ordered: false, deadLetterTo: null },
  'crash.transient': { ordered: true, deadLetterTo: null },
  'crash.ttl': { ordered: false, deadLetterTo: 'crash.ttl.dead', diesOf: 'expired' },
  'crash.ttl.dead': { ordered: false, deadLetterTo: null },
  'crash.max': { ordered: false, deadLetterTo: 'crash.max.dead', diesOf: 'maxlen' },
  'crash.max.dead': { ordered: false, deadLetterTo: null },
  'crash.limit': {
    ordered: false,
    deadLetterTo: 'crash.limit.dead',
    diesOf: 'delivery_limit',
    deliveryLimit: DELIVERY_LIMIT,
  },
  'crash.limit.dead': { ordered: false, deadLetterTo: null },
  'crash.priority': { ordered: true, deadLetterTo: null, priorityMax: PRIORITY_MAX },
  'crash.later': { ordered: false, deadLetterTo: null, delayMax: DELAY_MAX_MS },
  'crash.retry': {
    ordered: false,
    deadLetterTo: 'crash.retry.dead',
    diesOf: 'delivery_limit',
    deliveryLimit: DELIVERY_LIMIT,
    retryMin: RETRY_MIN_MS,
  },
  'crash.retry.dead': { ordered: false, deadLetterTo: null },
  'crash.step': {
    ordered: false,
    deadLetterTo: 'crash.step.done',
    diesOf: HANDED_ON,
    held: true,
  },
  'crash.step.done': { ordered: false, deadLetterTo: null },
  'crash.lease': { ordered: false, deadLetterTo: null, leaseMs: LEASE_MS },
  'crash.once': { ordered: false, deadLetterTo: null, once: true },
  'crash.job': { ordered: false, deadLetterTo: null, once: 'ack' },
  'crash.first.1': { ordered: false, deadLetterTo: null, once: true },
  'crash.first.2': { ordered: false, deadLetterTo: null, once: true },
  'crash.grouped': {
    ordered: true,
    deadLetterTo: null,
    groups: GROUPS,
    retryMin: RETRY_MIN_MS,
    deliveryLimit: GROUPED_LIMIT,
  },
  'crash.sure.1': { ordered: true, deadLetterTo: null, sure: true },
  'crash.sure.2': { ordered: true, deadLetterTo: null, sure: true },
  [LARGE]: { ordered: true, deadLetterTo: null },
  [BACKLOG]: { ordered: true, deadLetterTo: null },
  [STREAM]: { ordered: false, deadLetterTo: null, keeps: KEPT, group: GROUP },
};

const AFTER_COMMIT = { 'x-deliver-after-commit': true };
const KEYS = { 'x-message-deduplication': true, 'x-cache-size': 100_000 };

/** Arguments beyond those for dead-lettering; the TTL comes from a policy. */
const ARGUMENTS = {
  'crash.max': { 'x-max-length': LENGTH_MAX },
  'crash.limit': { 'x-queue-type': 'quorum', 'x-delivery-limit': DELIVERY_LIMIT },
  'crash.priority': { 'x-max-priority': PRIORITY_MAX },
  'crash.retry': { 'x-delayed-retry-min': RETRY_MIN_MS, 'x-delivery-limit': DELIVERY_LIMIT },
  'crash.grouped': {
    'x-group-header': 'group',
    'x-delayed-retry-min': RETRY_MIN_MS,
    'x-delivery-limit': GROUPED_LIMIT,
  },
  'crash.sure.1': AFTER_COMMIT,
  'crash.sure.2': AFTER_COMMIT,
  'crash.once': KEYS,
  'crash.job': { 'x-message-deduplication': true, 'x-cache-release': 'ack' },
  [STREAM]: { 'x-queue-type': 'stream', 'x-max-length': KEPT },
  'crash.lease': { 'x-consumer-timeout': LEASE_MS, 'x-consumer-timeout-action': 'requeue' },
};

/** They tick at different times, so that a kill meets one soon. */
export const SCHEDULES = [1_000, 1_130, 1_270, 1_410].map((every) => ({
  vhost: LOGIN.vhost,
  name: `every ${every} ms`,
  every,
  routing_key: TICKS,
  payload: 'tick',
}));

/** Loaded once, at the first start: each later one must find them on the disk. */
export const DEFINITIONS = {
  users: [{ name: LOGIN.user, password: LOGIN.password, tags: 'policymaker' }],
  vhosts: [{ name: LOGIN.vhost }],
  permissions: [
    {
      user: LOGIN.user,
      vhost: LOGIN.vhost,
      configure: '^crash\\.',
      write: '^(crash|amq)\\.',
      read: '^crash\\.',
    },
  ],
  policies: [
    policy('ttl', '^crash\\.ttl$', { 'message-ttl': TTL_MS }),
    policy('full', '^crash\\.full$', { 'max-length': 0, overflow: 'reject-publish' }),
  ],
  schedules: SCHEDULES,
};

function policy(name, pattern, definition) {
  return { vhost: LOGIN.vhost, name, pattern, 'apply-to': 'queues', definition, priority: 1 };
}

const FIRST_QUEUES = ['crash.first.1', 'crash.first.2'];
const EVENT_QUEUES = ['crash.fan.2', STREAM];
const SURE_QUEUES = ['crash.sure.1', 'crash.sure.2'];
export const FAN_QUEUES = ['crash.fan.1', 'crash.fan.2', 'crash.fan.3'];

const MIXED_ROUTES = ['fan', 'direct', 'work', 'events', 'sure'];
const DYING_ROUTES = ['ttl', 'max', 'limit', 'priority', 'later', 'retry'];

/**
 * One entry a process, one item a publisher with its own connection. `window` is how many
 * publishes may wait for their confirms. One that is `blind` is told of them and notes none, so that nothing is owed to it.
 */
export const PUBLISHERS = [
  [
    { name: 'p1', routes: ['fan'], window: 200, persistent: true, tx: false },
    { name: 'p2', routes: ['direct', 'events'], window: 1, persistent: true, tx: false },
    { name: 'p3', routes: ['transient'], window: 100, persistent: false, tx: false },
    { name: 'p7', routes: DYING_ROUTES, window: 20, persistent: true, tx: false },
    { name: 'p8', routes: ['step'], window: 50, persistent: true, tx: false },
    { name: 'p9', routes: ['lease'], window: 10, persistent: true, tx: false },
    { name: 'p11', routes: ['once', 'first', 'job'], window: 20, persistent: true, tx: false },
    { name: 'p13', routes: ['sure'], window: 30, persistent: true, tx: false, blind: true },
    { name: 'p10', routes: ['grouped'], window: 10, persistent: true, tx: false },
  ],
  [
    { name: 'p4', routes: MIXED_ROUTES, window: 50, persistent: true, tx: false },
    { name: 'p5', routes: ['work'], window: 200, persistent: true, tx: false },
    { name: 'p12', routes: ['events'], window: 20, persistent: true, tx: false },
    { name: 'p6', routes: MIXED_ROUTES, window: 0, persistent: true, tx: true },
  ],
];

/**
 * One entry a process, one item a consumer with its own connection. `requeue` and `reject` are
 * the shares of deliveries settled that way instead of by an ack. One that is `slow` acks but once
 * in a while, so that its queue grows. One that `handsOn` publishes each message to the next queue,
 * and acks with that publish. `hang` is the share of deliveries whose ack comes late or never; some of these prolong
 * their lease. Those of a `group` of a stream take turns.
 */
export const CONSUMERS = [
  [
    { name: 'c1', queue: 'crash.fan.1', prefetch: 100, requeue: 0, reject: 0 },
    { name: 'c2', queue: 'crash.fan.3', prefetch: 20, requeue: 0.1, reject: 0 },
    { name: 'c3', queue: 'crash.dead', prefetch: 50, requeue: 0.1, reject: 0 },
    { name: 'c32', queue: 'crash.sure.1', prefetch: 200, requeue: 0.02, reject: 0 },
    { name: 'c4', queue: 'crash.direct', prefetch: 10, requeue: 0.1, reject: 0, tx: true },
  ],
  [
    { name: 'c30', queue: STREAM, group: GROUP, prefetch: 50, requeue: 0.02, reject: 0 },
    { name: 'c5', queue: 'crash.fan.2', prefetch: 300, requeue: 0.1, reject: 0 },
    { name: 'c6', queue: 'crash.fan.3', prefetch: 50, requeue: 0.1, reject: 0 },
    { name: 'c7', queue: 'crash.work', prefetch: 50, requeue: 0.05, reject: 0.15 },
    { name: 'c26', queue: 'crash.job', prefetch: 5, requeue: 0.1, reject: 0 },
    { name: 'c27', queue: 'crash.first.1', prefetch: 20, requeue: 0.1, reject: 0 },
    { name: 'c25', queue: 'crash.once', prefetch: 20, requeue: 0.1, reject: 0 },
    { name: 'c23', queue: 'crash.grouped', prefetch: 60, requeue: 0.03, reject: 0 },
    { name: 'c22', queue: 'crash.lease', prefetch: 30, requeue: 0.05, reject: 0, hang: 0.05 },
    { name: 'c8', queue: 'crash.transient', prefetch: 100, requeue: 0.1, reject: 0 },
  ],
  [
    { name: 'c31', queue: STREAM, group: GROUP, prefetch: 100, requeue: 0.02, reject: 0 },
    { name: 'c9', queue: 'crash.ttl', prefetch: 2, requeue: 0.1, reject: 0, slow: true },
    { name: 'c10', queue: 'crash.ttl.dead', prefetch: 50, requeue: 0.05, reject: 0 },
    { name: 'c11', queue: 'crash.max', prefetch: 3, requeue: 0.1, reject: 0, slow: true },
    { name: 'c12', queue: 'crash.max.dead', prefetch: 50, requeue: 0.05, reject: 0 },
    { name: 'c13', queue: 'crash.limit', prefetch: 50, requeue: 0.6, reject: 0, slow: true },
    { name: 'c14', queue: 'crash.limit.dead', prefetch: 50, requeue: 0.05, reject: 0 },
    { name: 'c15', queue: 'crash.priority', prefetch: 5, requeue: 0.05, reject: 0 },
    { name: 'c16', queue: 'crash.later', prefetch: 20, requeue: 0.1, reject: 0 },
    { name: 'c17', queue: 'crash.retry', prefetch: 50, requeue: 0.6, reject: 0, slow: true },
    { name: 'c18', queue: 'crash.retry.dead', prefetch: 50, requeue: 0.05, reject: 0 },
    { name: 'c19', queue: 'crash.step', prefetch: 20, requeue: 0.1, reject: 0, handsOn: true },
    { name: 'c20', queue: 'crash.step.done', prefetch: 50, requeue: 0.05, reject: 0 },
    { name: 'c33', queue: 'crash.sure.2', prefetch: 20, requeue: 0.05, reject: 0 },
    { name: 'c24', queue: 'crash.grouped', prefetch: 60, requeue: 0.03, reject: 0 },
    { name: 'c28', queue: 'crash.first.2', prefetch: 50, requeue: 0.1, reject: 0 },
    { name: 'c29', queue: 'crash.job', prefetch: 20, requeue: 0.1, reject: 0 },
    { name: 'c21', queue: 'crash.lease', prefetch: 30, requeue: 0.05, reject: 0, hang: 0.15 },
  ],
];

/** No other broker has groups of streams, nor classic queues that deliver after the commit: then these are not there. */
export function queuesOf(broker) {
  if (broker === 'leveret') return QUEUES;
  const known = Object.entries(QUEUES).filter(([name, { sure }]) => name !== STREAM && !sure);
  return Object.fromEntries(known);
}

/** Where a message of a route is published, and the queues it must then be in. */
export function placeOf(route, broker) {
  if (route === 'events') {
    const queues = EVENT_QUEUES.filter((name) => name in queuesOf(broker));
    return { exchange: EVENTS, key: 'event', queues };
  }
  if (route === 'sure') {
    const queues = SURE_QUEUES.filter((name) => name in queuesOf(broker));
    return { exchange: SURE, key: 'sure', queues };
  }
  if (route === 'fan') return { exchange: FANOUT, key: 'news', queues: FAN_QUEUES };
  if (route === 'first') return { exchange: FIRST, key: '', queues: FIRST_QUEUES, once: true };
  if (route === 'nowhere') return { exchange: '', key: NOWHERE, queues: [] };
  const queue = `crash.${route}`;
  const { priorityMax, delayMax, groups, once } = QUEUES[queue];
  return { exchange: '', key: queue, queues: [queue], priorityMax, delayMax, groups, once };
}

/**
 * @param {import('amqplib').Channel} channel
 * @param {'leveret' | 'rabbitmq'} broker
 */
export async function declareTopology(channel, broker) {
  const queues = queuesOf(broker);
  await channel.assertExchange(FANOUT, 'fanout', { durable: true });
  await channel.assertExchange(DEAD_EXCHANGE, 'direct', { durable: true });
  for (const [name, { deadLetterTo, diesOf }] of Object.entries(queues)) {
    const dead =
      deadLetterTo === null || diesOf === HANDED_ON
        ? {}
        : { deadLetterExchange: DEAD_EXCHANGE, deadLetterRoutingKey: deadLetterTo };
    await channel.assertQueue(name, { durable: true, ...dead, arguments: ARGUMENTS[name] });
    if (name.endsWith('.dead')) await channel.bindQueue(name, DEAD_EXCHANGE, name);
  }
  for (const name of FAN_QUEUES) await channel.bindQueue(name, FANOUT, '');
  await channel.assertExchange(EVENTS, 'fanout', { durable: true });
  for (const name of EVENT_QUEUES) {
    if (name in queues) await channel.bindQueue(name, EVENTS, '');
  }
  await channel.assertExchange(SURE, 'fanout', { durable: true });
  for (const name of SURE_QUEUES) {
    if (name in queues) await channel.bindQueue(name, SURE, '');
  }
  await channel.assertExchange(FIRST, 'fanout', { durable: true, arguments: KEYS });
  for (const name of FIRST_QUEUES) await channel.bindQueue(name, FIRST, '');
  await channel.bindQueue('crash.dead', DEAD_EXCHANGE, 'crash.dead');
  await channel.assertQueue(BARRIER, { durable: true });
  await channel.assertQueue(FULL, { durable: true });
  await channel.assertQueue(TICKS, { durable: true });
}
