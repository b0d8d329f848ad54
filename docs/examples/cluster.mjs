// A producer and a consumer with a list of hosts, over changes of the leader: nothing that was confirmed is lost, and what
// comes twice is flagged or known by its id.
//
//   producer -> [example.cluster] -> consumer, which knows what comes twice by its id
//      |               on the node that leads         |
//      +--- the next host of the list when it is gone --+
//
//   HOSTS=amqp://n1:5672,amqp://n2:5672,amqp://n3:5672 SECONDS=120 node docs/examples/cluster.mjs
//
// Kill the leader as often as you like meanwhile: docs/cluster.md has a cluster to try it on.
import { connect } from 'amqplib';

const hosts = (process.env.HOSTS ?? process.env.AMQP_URL ?? 'amqp://localhost').split(',');
const seconds = Number(process.env.SECONDS ?? 5);
const QUEUE = process.env.QUEUE ?? 'example.cluster';
/** A node that hangs is noticed by its silence alone: after two heartbeats. */
const HEARTBEAT_SECONDS = 5;
const IN_FLIGHT = 100;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A connection to a node that serves, however long that takes. */
async function connectToAny() {
  for (let turn = 0; ; turn += 1) {
    try {
      const url = new URL(hosts[turn % hosts.length]);
      url.searchParams.set('heartbeat', String(HEARTBEAT_SECONDS));
      return await connect(url.href, { timeout: 3000 });
    } catch {
      await pause(100);
    }
  }
}

/** Runs `work` with a channel until it says that it is done; where the connection is lost, again with another. */
async function withChannel(open, work) {
  for (;;) {
    const connection = await connectToAny();
    const lost = new Promise((resolve) => {
      connection.on('error', () => {}); // 'close' comes after it
      connection.on('close', () => resolve(false));
    });
    try {
      const channel = await open(connection);
      channel.on('error', () => {});
      await channel.assertQueue(QUEUE, { durable: true });
      const isDone = await Promise.race([work(channel), lost]);
      if (isDone) {
        await connection.close();
        return;
      }
    } catch {
      // What was under way has no answer: `work` does it again.
    }
    await Promise.race([lost, pause(1000)]);
    connection.connection?.stream.destroy();
  }
}

let published = 0;
const confirmed = new Set();
const seen = new Map();
let flagged = 0;
let isOver = false;

async function produce() {
  const unconfirmed = new Set();
  const until = Date.now() + seconds * 1000;
  await withChannel(
    (connection) => connection.createConfirmChannel(),
    async (channel) => {
      const send = (id) => {
        unconfirmed.add(id);
        const options = { persistent: true, messageId: String(id) };
        channel.sendToQueue(QUEUE, Buffer.from(`event ${id}`), options, (error) => {
          if (error !== null) return;
          unconfirmed.delete(id);
          confirmed.add(id);
        });
      };
      // Some of these may be there already: the consumer knows them by their ids.
      for (const id of [...unconfirmed]) send(id);
      while (Date.now() < until) {
        if (unconfirmed.size < IN_FLIGHT) send(published++);
        else await pause(1);
      }
      await channel.waitForConfirms();
      return unconfirmed.size === 0;
    },
  );
}

async function consume() {
  await withChannel(
    (connection) => connection.createChannel(),
    async (channel) => {
      await channel.prefetch(IN_FLIGHT);
      await channel.consume(QUEUE, (message) => {
        if (message === null) return;
        const id = Number(message.properties.messageId);
        if (message.fields.redelivered) flagged += 1;
        seen.set(id, (seen.get(id) ?? 0) + 1);
        channel.ack(message);
      });
      while (!(isOver && [...confirmed].every((id) => seen.has(id)))) await pause(50);
      // The last acks are on their way.
      await channel.checkQueue(QUEUE);
      return true;
    },
  );
}

const consuming = consume();
await produce();
isOver = true;
await consuming;

const lost = [...confirmed].filter((id) => !seen.has(id));
const again = [...seen.values()].filter((times) => times > 1).length;
console.log(
  `${confirmed.size} confirmed of ${published}, ${seen.size} received, ${lost.length} lost`,
);
console.log(`${again} came more than once, ${flagged} deliveries were flagged as repeated`);
const cleaning = await connectToAny();
await (await cleaning.createChannel()).deleteQueue(QUEUE);
await cleaning.close();
process.exitCode = lost.length === 0 && confirmed.size === published ? 0 : 1;
