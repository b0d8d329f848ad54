// The queues, exchanges and schedules that the power test runs on. Data, and the one function that declares it.

export const [KEPT, ACKED] = ['power.kept', 'power.acked'];
/** Messages wait here before they are ready, or before they are tried again; those of STEP are handed on to NEXT. */
export const [LATER, RETRY, STEP, NEXT] = ['later', 'retry', 'step', 'next'].map(
  (name) => `power.${name}`,
);
/** Workers hang here, and their messages are taken back. */
export const LEASE = 'power.lease';
/** Messages of one group go out one by one. */
export const GROUPED = 'power.grouped';
/** A key is known for ever; as long as its message is there; as long as it is among the last ones. */
export const [ONCE, JOB, LAST] = ['once', 'job', 'last'].map((name) => `power.${name}`);
/** An exchange that knows keys for ever, and the queues that it goes to. */
export const FIRST = 'power.first';
export const FIRST_QUEUES = ['power.first.1', 'power.first.2'];
/** All of it stays, and a group reads it. */
export const STREAM = 'power.stream';
/** Where schedules publish, and nothing consumes. */
export const TICKS = 'power.ticks';

export const QUEUES = [
  ...[KEPT, ACKED, LATER, RETRY, STEP, NEXT, LEASE, GROUPED, ONCE, JOB, LAST, STREAM],
  ...FIRST_QUEUES,
];
export const SCHEDULES = [1_000, 1_130, 1_270].map((every) => ({
  vhost: '/',
  name: `every ${every} ms`,
  every,
  routing_key: TICKS,
  payload: 'tick',
}));
export const DEFINITIONS = {
  users: [{ name: 'guest', password: 'guest', tags: 'administrator' }],
  vhosts: [{ name: '/' }],
  permissions: [{ user: 'guest', vhost: '/', configure: '.*', write: '.*', read: '.*' }],
  schedules: SCHEDULES,
};

const RETRY_MIN_MS = 100;
export const LEASE_MS = 1_000;
/** How many keys LAST knows. */
export const LAST_KEYS = 10;
const FOR_EVER = { 'x-message-deduplication': true, 'x-cache-size': 1_000_000 };
const ARGUMENTS = {
  [RETRY]: { 'x-delayed-retry-min': RETRY_MIN_MS },
  [LEASE]: { 'x-consumer-timeout': LEASE_MS, 'x-consumer-timeout-action': 'requeue' },
  [GROUPED]: { 'x-group-header': 'group', 'x-delayed-retry-min': RETRY_MIN_MS },
  [ONCE]: FOR_EVER,
  [JOB]: {
    'x-message-deduplication': true,
    'x-cache-release': 'ack',
    'x-delayed-retry-min': RETRY_MIN_MS,
  },
  [STREAM]: { 'x-queue-type': 'stream' },
  [LAST]: { 'x-message-deduplication': true, 'x-cache-size': LAST_KEYS },
};

/** @param {import('amqplib').Channel} channel */
export async function declareTopology(channel) {
  await channel.assertQueue(TICKS, { durable: true });
  for (const queue of QUEUES) {
    await channel.assertQueue(queue, { durable: true, arguments: ARGUMENTS[queue] ?? {} });
  }
  await channel.assertExchange(FIRST, 'fanout', { durable: true, arguments: FOR_EVER });
  for (const queue of FIRST_QUEUES) await channel.bindQueue(queue, FIRST, '');
}
