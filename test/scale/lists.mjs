// What the HTTP API and the metrics answer where users made much (--messages N of each kind, 20,000 unless told):
// for each path, the most processor time of one turn of the broker, the least of --tries N (3). SET=WORD, PATH_HAS=WORD:
// those alone.
import amqp from 'amqplib';
import { ScaleBroker } from './broker.mjs';

const COUNT = option('--messages', 20_000);
const TRIES = option('--tries', 3);
const basic = (user) => `Basic ${Buffer.from(user).toString('base64')}`;
const AUTHORIZATION = basic('guest:guest');
const ALL = { configure: '.*', write: '.*', read: '.*' };

function option(name, otherwise) {
  const at = process.argv.indexOf(name);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
}

const many = (make, count = COUNT) => Array.from({ length: count }, (_, i) => make(i));

/** Runs jobs, at most so many at a time. */
async function each(count, job, atOnce = 200) {
  for (let from = 0; from < count; from += atOnce) {
    await Promise.all(many((i) => job(from + i), Math.min(atOnce, count - from)));
  }
}

/** A request to the HTTP API, or to the metrics, whose end it awaits; returns its text. */
async function request(broker, method, path, body, authorization = AUTHORIZATION) {
  const { management, prometheus } = broker.ports;
  const metrics = path.startsWith('/metrics');
  const url = `http://127.0.0.1:${metrics ? prometheus : management}${metrics ? '' : '/api'}${path}`;
  const answer = await fetch(url, {
    method,
    headers: { authorization, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok && answer.status !== 404) throw new Error(`${method} ${path}: ${text}`);
  return text;
}

const define = async (broker, definitions) => {
  // No more than 20,000 at a time: bodies have their bounds, too.
  for (const [key, rows] of Object.entries(definitions)) {
    for (let at = 0; at < rows.length; at += 20_000) {
      await request(broker, 'POST', '/definitions', { [key]: rows.slice(at, at + 20_000) });
    }
  }
};

const bound = (source, destination, routing_key) => ({
  source,
  vhost: '/',
  destination,
  destination_type: 'queue',
  routing_key,
  arguments: {},
});

/**
 * Each makes something and returns the paths to look at; `[path, body]` posts, `{user, path}` asks as a user,
 * `{atOnce, path}` as so many users at the same time.
 */
const SETS = {
  users: async ({ broker }) => {
    await define(broker, {
      users: many((i) => ({
        name: `u${i}`,
        password_hash: '',
        tags: '',
        limits: { 'max-channels': i },
      })),
      permissions: many((i) => ({ user: `u${i}`, vhost: '/', ...ALL })),
      topic_permissions: many((i) => ({ user: `u${i}`, vhost: '/', exchange: 'x', ...ALL })),
    });
    return [
      '/users',
      '/users?page=1&name=u1',
      '/users/without-permissions',
      '/users/u5',
      '/users/u5/permissions',
      '/users/u5/topic-permissions',
      '/user-limits',
      '/user-limits/u5',
      '/permissions',
      '/permissions/%2F/u5',
      '/topic-permissions',
      '/topic-permissions/%2F/u5',
      '/vhosts/%2F/permissions',
      '/vhosts/%2F/topic-permissions',
      '/definitions',
    ];
  },
  vhosts: async ({ broker }) => {
    await request(broker, 'PUT', '/users/looker', { password: 'p', tags: 'management' });
    await define(broker, {
      vhosts: many((i) => ({ name: `v${i}`, limits: [] })),
      permissions: many((i) => ({ user: 'looker', vhost: `v${i}`, ...ALL })),
      parameters: many((i) => ({
        component: 'vhost-limits',
        name: 'limits',
        vhost: `v${i}`,
        value: { 'max-queues': i },
      })),
    });
    return [
      '/vhosts',
      '/vhosts/v5',
      '/vhost-limits',
      '/vhost-limits/v5',
      '/overview',
      '/nodes',
      '/queues',
      '/exchanges?page=1',
      '/parameters',
      '/users/looker/permissions',
      '/users/looker/topic-permissions',
      '/set-aside',
      '/definitions',
      '/definitions/v5',
      '/policies',
      '/consumers',
      ...['/vhosts', '/overview', '/queues', '/vhost-limits', '/queues/v5'].map((path) => ({
        user: 'looker:p',
        path,
      })),
      '/metrics',
    ];
  },
  queues: async ({ broker }) => {
    await define(broker, {
      queues: many((i) => ({
        name: `q${i}`,
        vhost: '/',
        durable: true,
        auto_delete: false,
        arguments: {},
      })),
      bindings: many((i) => bound('amq.direct', `q${i}`, `q${i}`)),
    });
    return [
      '/queues',
      '/queues?page=1&page_size=100&sort=messages&sort_reverse=true',
      '/queues?page=1&page_size=100&name=q99&use_regex=true',
      '/queues?columns=name,messages',
      { atOnce: 40, path: '/queues?page=1&page_size=1' },
      '/queues?sort=oldest_message_age_ms',
      '/queues/%2F',
      '/queues/%2F/q5',
      '/queues/%2F/q5/bindings',
      '/overview',
      '/nodes',
      '/nodes/leveret@localhost/memory',
      '/vhosts',
      '/vhosts/%2F',
      '/bindings',
      '/bindings?page=1',
      '/bindings/%2F',
      '/exchanges/%2F/amq.default/bindings/source',
      '/exchanges/%2F/amq.direct/bindings/source',
      '/bindings/%2F/e/amq.direct/q/q5',
      '/consumers',
      '/definitions',
      '/definitions/%2F',
      '/health/checks/alarms',
      '/health/checks/set-aside',
      '/health/checks/virtual-hosts',
      '/health/checks/node-is-quorum-critical',
      '/aliveness-test/%2F',
      '/metrics',
      '/metrics/per-object',
      '/metrics/detailed',
    ];
  },
  bindings: async ({ broker }) => {
    await define(broker, {
      queues: [{ name: 'q', vhost: '/', durable: true, auto_delete: false, arguments: {} }],
      bindings: many((i) => bound('amq.direct', 'q', `k${i}`)),
    });
    return [
      '/bindings',
      '/bindings?page=1&name=none',
      '/queues/%2F/q/bindings',
      '/queues/%2F/q',
      '/exchanges/%2F/amq.direct/bindings/source',
      '/exchanges/%2F/amq.direct/bindings/destination',
      '/bindings/%2F/e/amq.direct/q/q',
      `/bindings/%2F/e/amq.direct/q/q/k${COUNT - 1}`,
      '/bindings/%2F/e/amq.direct/q/q/none',
      '/definitions',
    ];
  },
  consumers: async ({ broker, connection }) => {
    const channel = await connection.createChannel();
    await channel.assertQueue('heard');
    await each(COUNT, (i) => channel.consume('heard', () => {}, { consumerTag: `t${i}` }));
    const [{ name }] = JSON.parse(
      await request(broker, 'GET', '/channels?sort=consumer_count&sort_reverse=true'),
    );
    return [
      '/consumers',
      '/consumers/%2F',
      '/queues/%2F/heard',
      '/queues/%2F/heard?columns=name',
      `/channels/${encodeURIComponent(name)}`,
      '/queues',
      '/overview',
      '/metrics/per-object',
    ];
  },
  channels: async ({ broker }) => {
    let name = '';
    for (let made = 0; made < COUNT; made += 2000) {
      const connection = await connectTo(broker);
      await each(Math.min(2000, COUNT - made), () => connection.createChannel());
    }
    [{ name }] = JSON.parse(
      await request(broker, 'GET', '/connections?sort=channels&sort_reverse=true'),
    );
    const path = encodeURIComponent(name);
    return [
      '/channels',
      '/channels?page=1&name=none',
      `/channels/${encodeURIComponent(`${name} (2000)`)}`,
      '/channels/none',
      `/connections/${path}/channels`,
      '/vhosts/%2F/channels',
      '/connections',
      '/overview',
      '/metrics',
      '/metrics/per-object',
      { user: 'looker:p', path: '/channels' },
    ];
  },
  connections: async ({ broker }) => {
    const count = Math.min(COUNT, 2000);
    await each(count, () => connectTo(broker), 50);
    const [{ name }] = JSON.parse(await request(broker, 'GET', '/connections'));
    const path = encodeURIComponent(name);
    return [
      '/connections',
      '/connections?page=1&name=none',
      `/connections/${path}`,
      '/connections/none',
      `/connections/${path}/channels`,
      '/connections/username/none',
      '/vhosts/%2F/connections',
      '/metrics/per-object',
      { user: 'looker:p', path: '/connections' },
    ];
  },
  exchanges: async ({ broker }) => {
    await define(broker, {
      exchanges: many((i) => ({
        name: `x${i}`,
        vhost: '/',
        type: 'direct',
        durable: true,
        auto_delete: false,
        internal: false,
        arguments: {},
      })),
    });
    return [
      '/exchanges',
      '/exchanges/%2F',
      '/exchanges/%2F/x5',
      '/bindings',
      '/definitions',
      '/overview',
    ];
  },
  policies: async ({ broker }) => {
    await define(broker, {
      policies: many((i) => ({
        name: `p${i}`,
        vhost: '/',
        pattern: '^none$',
        'apply-to': 'all',
        definition: { 'max-length': 5 },
        priority: 0,
      })),
      parameters: [
        ...many((i) => ({ component: 'c', name: `n${i}`, vhost: '/', value: i })),
        ...many((i) => ({
          component: 'operator_policy',
          name: `o${i}`,
          vhost: '/',
          value: {
            pattern: '^none$',
            'apply-to': 'queues',
            definition: { 'max-length': 5 },
            priority: 0,
          },
        })),
      ],
      global_parameters: many((i) => ({ name: `g${i}`, value: i })),
    });
    return [
      '/policies',
      '/policies/%2F',
      '/policies/%2F/p5',
      '/operator-policies',
      '/operator-policies/%2F/o5',
      '/parameters',
      '/parameters/c/%2F',
      '/parameters/c/%2F/n5',
      '/parameters/none',
      '/global-parameters',
      '/global-parameters/g5',
      '/cluster-name',
      '/overview',
      '/definitions',
      '/definitions/%2F',
    ];
  },
  messages: async ({ channel }) => {
    await channel.assertQueue('full');
    for (let i = 0; i < COUNT; i++) channel.sendToQueue('full', Buffer.from(`message ${i}`));
    await channel.waitForConfirms();
    const get = { count: 10_000, ackmode: 'ack_requeue_true', encoding: 'auto' };
    return [
      ['/queues/%2F/full/get', get],
      '/queues/%2F/full/messages?count=1000',
      '/queues/%2F/full/messages?count=1000&key=none',
      '/queues/%2F/full',
    ];
  },
};

const connectTo = async (broker) => {
  const connection = await amqp.connect({
    port: broker.address.port,
    username: 'guest',
    password: 'guest',
  });
  // The broker ends before its clients do.
  connection.on('error', () => {});
  return connection;
};

/** The most processor time of one turn while a path is answered, the least of some tries. */
async function longest(broker, asked) {
  let least = Number.POSITIVE_INFINITY;
  let chars = 0;
  for (let i = 0; i < TRIES; i++) {
    await broker.longestTurn();
    const [path, body] = Array.isArray(asked) ? asked : [asked.path ?? asked];
    const authorization = basic(asked.user ?? 'guest:guest');
    const method = body === undefined ? 'GET' : 'POST';
    const ask = (given) => request(broker, method, path, body, given);
    if (asked.atOnce === undefined) ({ length: chars } = await ask(authorization));
    else await Promise.all(many((n) => ask(basic(`many${n}:p`)), asked.atOnce));
    least = Math.min(least, await broker.longestTurn());
    if (least < 5) break;
  }
  return { least, chars };
}

async function measure(set, prepare) {
  const broker = new ScaleBroker({
    LEVERET_MANAGEMENT_TCP_PORT: '0',
    LEVERET_CONFIG_ROOT: '/nonexistent',
    LEVERET_IN_CONTAINER: 'false',
    LEVERET_PROMETHEUS_TCP_PORT: '0',
  });
  await broker.start();
  const connection = await connectTo(broker);
  const channel = await connection.createConfirmChannel();
  await request(broker, 'GET', '/whoami');
  await request(broker, 'GET', '/metrics');
  await request(broker, 'PUT', '/users/looker', { password: 'p', tags: 'management' });
  for (let n = 0; n < 40; n++) {
    await request(broker, 'PUT', `/users/many${n}`, { password: 'p', tags: 'administrator' });
    await request(broker, 'GET', '/whoami', undefined, basic(`many${n}:p`));
  }
  const paths = await prepare({ broker, connection, channel });
  await new Promise((resolve) => setTimeout(resolve, 500));
  for (const asked of paths) {
    const path = Array.isArray(asked) ? asked[0] : (asked.path ?? asked);
    if (!path.includes(process.env['PATH_HAS'] ?? '')) continue;
    const { least, chars } = await longest(broker, asked);
    const users = asked.atOnce === undefined ? '' : ` (${asked.atOnce} users at once)`;
    const who = asked.user === undefined ? users : ' (tag management)';
    const shown = decodeURIComponent(path).replaceAll('|', ' ');
    console.log(
      `| ${set} | ${shown}${who} | ${(chars / 1024).toFixed(0)} KiB | ${least.toFixed(0)} ms |`,
    );
  }
  await broker.remove();
}

const only = process.env['SET'];
console.log(
  `${COUNT.toLocaleString('en')} of each:\n\n| of | path | answer | longest turn, of processor time |`,
);
console.log('|---|---|---|---|');
for (const [set, prepare] of Object.entries(SETS)) {
  if (only === undefined || set.includes(only)) await measure(set, prepare);
}
process.exit(0);
