// A purge and a deletion of a queue of ten million: for how long the event loop stands still, and that
// kill -9 in the midst of either brings nothing back.
import { connect } from 'amqplib';
import { ScaleBroker } from './broker.mjs';
import { bodyOf, makeBatches, publish } from './load.mjs';
import { argument, figure, finish } from './report.mjs';
import { bytesInUse, mib } from './watch.mjs';
import { Wire } from './wire.mjs';

const messages = argument('messages', 10_000_000);
const QUEUE = 'long';
const STALL_MS_MAX = 20;
const broker = new ScaleBroker();
await broker.start();

async function fill() {
  const wire = await Wire.open(broker.address);
  await wire.confirmSelect();
  await wire.declareDurable([QUEUE]);
  const batches = makeBatches([{ key: QUEUE, body: bodyOf(16), persistent: true }]);
  await publish(wire, batches, { total: messages });
  await wire.close();
}

const client = () => connect(`amqp://guest:guest@127.0.0.1:${broker.address.port}`);

for (const verb of ['purgeQueue', 'deleteQueue']) {
  for (const after of ['kill', 'wait']) {
    await fill();
    const connection = await client();
    const channel = await connection.createChannel();
    await broker.longestStall();
    const startMs = performance.now();
    const { messageCount } = await channel[verb](QUEUE);
    const tookMs = Math.round(performance.now() - startMs);
    figure(`${verb}: messages`, messageCount, messageCount === messages, String(messages));
    figure(`${verb}: answered after ms`, tookMs);
    connection.on('error', () => {});
    if (after === 'wait') {
      await swept();
      const stall = await broker.longestStall();
      figure(
        `${verb}: longest stall, ms`,
        stall.toFixed(1),
        stall < STALL_MS_MAX,
        `below ${STALL_MS_MAX}`,
      );
      await connection.close();
      continue;
    }
    await broker.end('SIGKILL');
    await broker.start();
    await broker.longestStall();
    const again = await client();
    const { messageCount: left } = await (await again.createChannel()).assertQueue(QUEUE);
    figure(`${verb}, then kill -9: messages back`, left, left === 0, '0');
    await swept();
    const stall = await broker.longestStall();
    figure(
      'swept after that: longest stall, ms',
      stall.toFixed(1),
      stall < STALL_MS_MAX,
      `below ${STALL_MS_MAX}`,
    );
    await again.close();
  }
}
figure('file in use at the end, MiB', mib(bytesInUse(broker.storeFolder)));
await broker.remove();
finish();

/** Waits until the file holds next to nothing. */
async function swept() {
  for (let tries = 0; tries < 600; tries++) {
    if (bytesInUse(broker.storeFolder) < 8 * 2 ** 20) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  figure('swept within a minute', 'no', false, 'yes');
}
