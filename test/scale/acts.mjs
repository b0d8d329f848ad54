// Acts whose work grows with what users made (--messages N of them, 20,000 unless told): for each, the most
// processor time of one turn of the broker, the least of --tries N (3). ACT=WORDS: those of that name alone.
import amqp from 'amqplib';
import { ScaleBroker } from './broker.mjs';

const COUNT = option('--messages', 20_000);
const TRIES = option('--tries', 3);

function option(name, otherwise) {
  const at = process.argv.indexOf(name);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
}

/** Runs jobs, at most so many at a time. */
async function each(count, job, atOnce = 200) {
  for (let from = 0; from < count; from += atOnce) {
    const some = Array.from({ length: Math.min(atOnce, count - from) }, (_, i) => job(from + i));
    await Promise.all(some);
  }
}

async function filled(channel, queue, count) {
  await channel.assertQueue(queue);
  for (let i = 0; i < count; i++) channel.sendToQueue(queue, Buffer.from(String(i)));
  await channel.waitForConfirms();
}

/** Has so many deliveries outstanding on a channel of its own; returns that, with the last tag. */
async function taken(connection, queue, count) {
  const channel = await connection.createChannel();
  let last = 0;
  await new Promise((resolve) => {
    const take = (message) => {
      last = message.fields.deliveryTag;
      if (last === count) resolve();
    };
    channel.consume(queue, take, { consumerTag: 'taker' });
  });
  await channel.cancel('taker');
  return { channel, message: { fields: { deliveryTag: last } } };
}

/** Has so many consumers of one queue. */
async function subscribed(channel, queue) {
  await channel.assertQueue(queue);
  await each(COUNT, (i) => channel.consume(queue, () => {}, { consumerTag: `t${i}` }));
}

/** Has as many durable queues behind a fanout exchange. */
async function bindWide(channel, connection) {
  const other = await connection.createChannel();
  await channel.assertExchange('wide', 'fanout');
  await each(COUNT, async (i) => {
    await other.assertQueue(`w${i}`, { durable: true });
    await other.bindQueue(`w${i}`, 'wide', '');
  });
}

/** A request to the HTTP API, whose end it awaits. */
async function request(broker, method, path, body) {
  const answer = await fetch(`http://127.0.0.1:${broker.ports.management}/api${path}`, {
    method,
    headers: {
      authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}`,
      'content-type': 'application/json',
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`);
  await answer.text();
}

/** As many policies, none of which holds for anything. */
const manyPolicies = () =>
  Array.from({ length: COUNT }, (_, i) => ({
    vhost: '/',
    name: `none${i}`,
    pattern: `^none${i}[a-c]$`,
    definition: { 'max-length': 10 },
    'apply-to': 'all',
    priority: 0,
  }));

/** Each prepares something and returns the act, whose end it awaits. */
const ACTS = {
  'a publish to N queues of a fanout exchange': async ({ channel, connection }) => {
    await bindWide(channel, connection);
    return async () => {
      channel.publish('wide', '', Buffer.from('m'), { persistent: true });
      await channel.waitForConfirms();
    };
  },
  'a publish to a headers exchange with N bindings': async ({ channel }) => {
    await channel.assertExchange('h', 'headers');
    await channel.assertQueue('headed');
    // Numbers lie on no shelf: each binding is tried.
    await each(COUNT, (i) => channel.bindQueue('headed', 'h', '', { 'x-match': 'any', n: i }));
    return async () => {
      channel.publish('h', '', Buffer.from('m'), { headers: { n: -1 } });
      await channel.waitForConfirms();
    };
  },
  'a publish through N exchanges bound in a row': async ({ channel }) => {
    await each(COUNT, (i) => channel.assertExchange(`row${i}`, 'fanout'));
    await each(COUNT - 1, (i) => channel.bindExchange(`row${i + 1}`, `row${i}`, ''));
    return async () => {
      channel.publish('row0', '', Buffer.from('m'));
      await channel.waitForConfirms();
    };
  },
  'a publish through N alternate exchanges': async ({ channel }) => {
    await each(COUNT, (i) =>
      channel.assertExchange(`alt${i}`, 'direct', { alternateExchange: `alt${i + 1}` }),
    );
    return async () => {
      channel.publish('alt0', '', Buffer.from('m'));
      await channel.waitForConfirms();
    };
  },
  'a dead letter to N queues': async ({ channel, connection }) => {
    await bindWide(channel, connection);
    await channel.assertQueue('last', { arguments: { 'x-dead-letter-exchange': 'wide' } });
    channel.sendToQueue('last', Buffer.from('m'), { persistent: true });
    await channel.waitForConfirms();
    const { channel: own, message } = await taken(connection, 'last', 1);
    return async () => {
      own.nack(message, false, false);
      await own.checkQueue('last');
      channel.sendToQueue('last', Buffer.from('m'), { persistent: true });
      await channel.waitForConfirms();
    };
  },
  'a publish with N keys in CC': async ({ channel }) => {
    // An entry of the header has 4,096 at most.
    const CC = Array.from({ length: Math.min(COUNT, 4000) }, (_, i) => `c${i}`);
    await channel.assertExchange('copied', 'topic');
    await channel.assertQueue('copies');
    await channel.bindQueue('copies', 'copied', '#.b.#');
    return async () => {
      channel.publish('copied', 'a', Buffer.from('m'), { CC });
      await channel.waitForConfirms();
    };
  },
  'deliveries of one publish to N consumers': async ({ channel, connection }) => {
    const own = await connection.createChannel();
    await channel.assertExchange('heard', 'fanout');
    let heard = 0;
    await each(COUNT, async (i) => {
      await own.assertQueue(`h${i}`, { durable: false });
      await own.bindQueue(`h${i}`, 'heard', '');
      await own.consume(`h${i}`, () => heard++, { noAck: true });
    });
    return async () => {
      channel.publish('heard', '', Buffer.from('m'));
      while (heard < COUNT) await new Promise((resolve) => setTimeout(resolve, 10));
    };
  },
  'a commit of 20 publishes to N queues': async ({ channel, connection }) => {
    await bindWide(channel, connection);
    const own = await connection.createChannel();
    await transact(own, 'tx.select');
    for (let i = 0; i < 20; i++) own.publish('wide', '', Buffer.from('m'), { persistent: true });
    return () => transact(own, 'tx.commit');
  },
  'the deletion of a user with 500 connections': async ({ broker }) => {
    await request(broker, 'PUT', '/users/many', { password: 'p', tags: '' });
    const all = { configure: '.*', write: '.*', read: '.*' };
    await request(broker, 'PUT', '/permissions/%2F/many', all);
    const { port } = broker.address;
    let open = 0;
    await each(
      500,
      async () => {
        const connection = await amqp.connect({ port, username: 'many', password: 'p' });
        open += 1;
        connection.on('error', () => {});
        connection.on('close', () => open--);
        const channel = await connection.createChannel();
        channel.on('error', () => {});
        for (let n = 0; n < 10; n++) await channel.assertQueue('', { exclusive: true });
      },
      25,
    );
    return async () => {
      await request(broker, 'DELETE', '/users/many');
      while (open > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    };
  },
  'the first request to the HTTP API':
    async ({ broker }) =>
    () =>
      request(broker, 'GET', '/whoami'),
  'a policy over N queues': async ({ broker, channel }) => {
    await each(COUNT, (n) => channel.assertQueue(`p${n}`));
    await request(broker, 'GET', '/whoami');
    return async () => {
      await request(broker, 'PUT', '/policies/%2F/all', {
        pattern: '.*',
        definition: { 'max-length': 10 },
        'apply-to': 'all',
      });
      await channelTurn(broker);
    };
  },
  'a policy beside N others, over 100 queues': async ({ broker, channel }) => {
    await each(100, (n) => channel.assertQueue(`p${n}`));
    await request(broker, 'POST', '/definitions', { policies: manyPolicies() });
    return async () => {
      const definition = { 'max-length': 10 };
      await request(broker, 'PUT', '/policies/%2F/all', {
        pattern: '.*',
        definition,
        priority: -1,
      });
      await channelTurn(broker);
    };
  },
  'an import of N policies beside 100 queues': async ({ broker, channel }) => {
    await each(100, (n) => channel.assertQueue(`p${n}`));
    await request(broker, 'GET', '/whoami');
    return () => request(broker, 'POST', '/definitions', { policies: manyPolicies() });
  },
  'an import of N queues with their bindings': async ({ broker }) => {
    await request(broker, 'GET', '/whoami');
    const names = Array.from({ length: COUNT }, (_, i) => ({ name: `i${i}`, vhost: '/' }));
    const queues = names.map((each) => ({ ...each, durable: true, arguments: {} }));
    const bindings = names.map(({ name, vhost }) => ({
      source: 'amq.direct',
      vhost,
      destination: name,
      destination_type: 'queue',
      routing_key: name,
      arguments: {},
    }));
    return () => request(broker, 'POST', '/definitions', { queues, bindings });
  },
  'the deletion of a vhost with N queues': async ({ broker }) => {
    await request(broker, 'PUT', '/vhosts/going', {});
    const queues = Array.from({ length: COUNT }, (_, i) => ({
      name: `v${i}`,
      vhost: 'going',
      durable: true,
      arguments: {},
    }));
    await request(broker, 'POST', '/definitions', { queues });
    return () => request(broker, 'DELETE', '/vhosts/going');
  },
  'the deletion of a user with N permissions': async ({ broker }) => {
    await request(broker, 'PUT', '/users/leaving', { password: 'p', tags: '' });
    const vhosts = Array.from({ length: COUNT }, (_, i) => ({ name: `u${i}` }));
    const all = { configure: '.*', write: '.*', read: '.*' };
    const permissions = vhosts.map(({ name }) => ({ user: 'leaving', vhost: name, ...all }));
    await request(broker, 'POST', '/definitions', { vhosts, permissions });
    return () => request(broker, 'DELETE', '/users/leaving');
  },
  'the close of a channel with N consumers': async ({ connection }) => {
    const channel = await connection.createChannel();
    await subscribed(channel, 'heard');
    return () => channel.close();
  },
  'the deletion of a queue with N consumers': async ({ connection }) => {
    const channel = await connection.createChannel();
    await subscribed(channel, 'heard2');
    return () => channel.deleteQueue('heard2');
  },
  'nack with requeue of N at once': async ({ channel, connection }) => {
    await filled(channel, 'requeued', COUNT);
    const { channel: own, message } = await taken(connection, 'requeued', COUNT);
    return async () => {
      own.nack(message, true, true);
      await own.close();
    };
  },
  'ack of N at once': async ({ channel, connection }) => {
    await filled(channel, 'acked', COUNT);
    const { channel: own, message } = await taken(connection, 'acked', COUNT);
    return async () => {
      own.ack(message, true);
      await own.close();
    };
  },
  'the close of a channel with N unacked': async ({ channel, connection }) => {
    await filled(channel, 'unacked', COUNT);
    const { channel: own } = await taken(connection, 'unacked', COUNT);
    return () => own.close();
  },
  'the close of a connection with N exclusive queues': async ({ broker }) => {
    const connection = await connectTo(broker);
    const channel = await connection.createChannel();
    await each(COUNT, () => channel.assertQueue('', { exclusive: true }));
    return () => connection.close();
  },
  'a commit of N publishes': async ({ connection, channel: other }) => {
    await other.assertQueue('committed');
    const channel = await connection.createChannel();
    await transact(channel, 'tx.select');
    for (let i = 0; i < COUNT; i++)
      channel.sendToQueue('committed', Buffer.from('m'), { persistent: true });
    return () => transact(channel, 'tx.commit');
  },
  'the deletion of a queue with N bindings': async ({ channel }) => {
    await channel.assertQueue('bound');
    await channel.assertExchange('many', 'direct');
    await each(COUNT, (i) => channel.bindQueue('bound', 'many', `k${i}`));
    return () => channel.deleteQueue('bound');
  },
  'the deletion of an exchange with N bindings': async ({ channel }) => {
    await channel.assertQueue('bound2');
    await channel.assertExchange('many2', 'direct');
    await each(COUNT, (i) => channel.bindQueue('bound2', 'many2', `k${i}`));
    return () => channel.deleteExchange('many2');
  },
  'a purge of N messages': async ({ channel }) => {
    await filled(channel, 'purged', COUNT);
    return () => channel.purgeQueue('purged');
  },
  'N dead letters at once': async ({ channel }) => {
    await channel.assertQueue('dead');
    await channel.assertQueue('dying', {
      arguments: {
        'x-message-ttl': 3000,
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': 'dead',
      },
    });
    for (let i = 0; i < COUNT; i++) channel.sendToQueue('dying', Buffer.from(String(i)));
    await channel.waitForConfirms();
    return async () => {
      for (;;) {
        const { messageCount } = await channel.checkQueue('dying');
        if (messageCount === 0) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
  },
  'a key of 127 words against N patterns of wildcards': async ({ channel }) => {
    await channel.assertQueue('topics');
    const word = (n) => ['*', '#', 'a'][n % 3];
    await channel.assertExchange('t', 'topic');
    await each(COUNT, (i) => {
      const words = Array.from({ length: 12 }, (_, n) => word(Math.floor(i / 3 ** n)));
      return channel.bindQueue('topics', 't', words.join('.'));
    });
    const key = Array.from({ length: 127 }, () => 'a').join('.');
    return async () => {
      channel.publish('t', key, Buffer.from('m'));
      await channel.waitForConfirms();
    };
  },
};

/** Transactions, which amqplib does not know. */
async function transact(channel, name) {
  const defs = await import(
    new URL('../../node_modules/amqplib/lib/defs.js', import.meta.url).href
  );
  const [request, reply] =
    name === 'tx.select'
      ? [defs.default.TxSelect, defs.default.TxSelectOk]
      : [defs.default.TxCommit, defs.default.TxCommitOk];
  return channel.rpc(request, {}, reply);
}

const connectTo = (broker) =>
  amqp.connect({ port: broker.address.port, username: 'guest', password: 'guest' });

/** Everything that was under way in the broker has had some turns. */
async function channelTurn(broker) {
  const connection = await connectTo(broker);
  await connection.close();
}

async function measure(name, prepare) {
  let shortest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < TRIES; i++) {
    const broker = new ScaleBroker({
      LEVERET_MANAGEMENT_TCP_PORT: '0',
      LEVERET_CONFIG_ROOT: '/nonexistent',
      LEVERET_IN_CONTAINER: 'false',
      LEVERET_PROMETHEUS_TCP_PORT: '0',
    });
    await broker.start();
    const connection = await connectTo(broker);
    // The broker ends before its clients do.
    connection.on('error', () => {});
    const channel = await connection.createConfirmChannel();
    channel.on('error', () => {});
    const act = await prepare({ broker, connection, channel });
    await new Promise((resolve) => setTimeout(resolve, 500));
    await broker.longestTurn();
    await act();
    await new Promise((resolve) => setTimeout(resolve, 200));
    shortest = Math.min(shortest, await broker.longestTurn());
    await broker.remove();
  }
  console.log(`| ${name.replace('N', COUNT.toLocaleString('en'))} | ${shortest.toFixed(0)} ms |`);
}

const only = process.env['ACT'];
console.log('| act | longest turn, of processor time |\n|---|---|');
for (const [name, prepare] of Object.entries(ACTS)) {
  if (only === undefined || name.includes(only)) await measure(name, prepare);
}
