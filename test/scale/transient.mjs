// Five million transient messages wait: they leave memory for the scratch files, and come back whole.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { ScaleBroker } from './broker.mjs';
import { bodyOf, drain, makeBatches, publish, Seen } from './load.mjs';
import { argument, figure, finish, rate } from './report.mjs';
import { folderBytes, MemoryWatch, mib } from './watch.mjs';
import { Wire } from './wire.mjs';

const messages = argument('messages', 5_000_000);
const bytes = argument('bytes', 100);
const QUEUE = 'passing';
// How much memory the broker may have: an eighth of it is for these messages, and no more than 256 MiB.
const limitMib = argument('limit-mib', 8192);
const broker = new ScaleBroker({ LEVERET_VM_MEMORY_HIGH_WATERMARK_ABSOLUTE: `${limitMib}MiB` });
await broker.start();
const watch = new MemoryWatch(() => broker.pid);
const wire = await Wire.open(broker.address);
await wire.confirmSelect();
await wire.declareDurable([QUEUE]);
const batches = makeBatches([{ key: QUEUE, body: bodyOf(bytes), persistent: false }]);
const startMs = performance.now();
await publish(wire, batches, { total: messages });
figure('published a second', rate(messages, performance.now() - startMs));
const full = watch.take();
// 14 bytes a message for where it lies, and a budget for the rest.
const most = 600 + Math.round((messages * 14) / 2 ** 20);
figure('memory of its own, waiting, MiB', full.own, full.own < most, `below ${most}`);
figure('and at most', full.peakOwn);
// The scratch store is opened when first needed, and a short run is over by then.
const scratch = join(broker.folder, 'scratch');
let spilled = 0;
for (let tries = 0; spilled === 0 && tries < 200; tries++) {
  if (tries > 0) await setTimeout(50);
  if (existsSync(scratch)) spilled = folderBytes(scratch);
}
figure('scratch files, MiB', mib(spilled), spilled > 0, 'some');
const seen = new Seen(messages);
const { firstMs, lastMs } = await drain(broker.address, QUEUE, {
  total: messages,
  seen: (number) => seen.add(number),
});
const bad = seen.missing() + seen.again + seen.strange;
figure('lost, doubled or strange', bad, bad === 0, '0');
figure('drained a second', rate(messages, lastMs - firstMs));
figure('longest stall, ms', (await broker.longestStall()).toFixed(1));
await wire.close();
await broker.end('SIGTERM');
const left = existsSync(scratch);
figure('scratch files after a stop', left ? 'there' : 'gone', !left, 'gone');
watch.stop();
await broker.remove();
finish();
