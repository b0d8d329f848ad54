// Ten million durable messages of 16 bytes wait in one queue: how much memory that takes, how soon a
// restart delivers, how fast they drain, after a clean stop and after kill -9.
import { ScaleBroker } from './broker.mjs';
import { bodyOf, drain, makeBatches, publish, Seen } from './load.mjs';
import { argument, figure, finish, rate } from './report.mjs';
import { bytesInUse, memoryOf, mib } from './watch.mjs';
import { Wire } from './wire.mjs';

const messages = argument('messages', 10_000_000);
const QUEUE = 'backlog';
const broker = new ScaleBroker();
await broker.start();

async function fill() {
  const wire = await Wire.open(broker.address);
  await wire.confirmSelect();
  await wire.declareDurable([QUEUE]);
  const batches = makeBatches([{ key: QUEUE, body: bodyOf(16), persistent: true }]);
  const startMs = performance.now();
  await publish(wire, batches, { total: messages });
  figure('confirmed publishes a second', rate(messages, performance.now() - startMs));
  await wire.close();
}

/** Takes all out and sees that each came once. */
async function drainAll(what) {
  const seen = new Seen(messages);
  const { firstMs, lastMs } = await drain(broker.address, QUEUE, {
    total: messages,
    seen: (number) => seen.add(number),
  });
  const bad = seen.missing() + seen.again + seen.strange;
  figure(`${what}: lost, doubled or strange`, bad, bad === 0, '0');
  return { firstMs, drainRate: rate(messages, lastMs - firstMs) };
}

function memory(what) {
  const { rss, own } = memoryOf(broker.pid);
  figure(`${what}: memory of its own (RssAnon), MiB`, own, own < 300, 'below 300');
  figure(`${what}: pages of mapped files (the rest of VmRSS)`, rss - own);
}

for (const signal of ['SIGTERM', 'SIGKILL']) {
  await fill();
  memory('waiting');
  await broker.end(signal);
  figure(`${signal}: file in use, MiB`, mib(bytesInUse(broker.storeFolder)));
  const startMs = await broker.start();
  memory(`restarted after ${signal}`);
  const { firstMs, drainRate } = await drainAll(signal);
  const readyMs = Math.round(startMs + firstMs);
  figure(`${signal}: start to first delivery, ms`, readyMs, readyMs < 3000, 'below 3000');
  figure(`${signal}: drained a second`, drainRate, drainRate >= 500_000, '500000 or more');
}
await broker.remove();
finish();
