// Five thousand connections at once: each publishes a message and consumes it; then all are cut, and come
// back at the same time. How much memory one takes, and for how long the event loop stands still.
import { ScaleBroker } from './broker.mjs';
import { bodyOf } from './load.mjs';
import { argument, figure, finish } from './report.mjs';
import { memoryOf } from './watch.mjs';
import { Batch, Wire } from './wire.mjs';

const connections = argument('connections', 5_000);
/** How many a client opens at a time: more would wait in the queue of the listening socket. */
const ABREAST = 250;
const broker = new ScaleBroker();
await broker.start();
const before = memoryOf(broker.pid).own;

/** Opens them all, and returns them with the time that took. */
async function openAll() {
  const startMs = performance.now();
  const wires = [];
  let next = 0;
  const opener = async () => {
    while (next < connections) {
      next += 1;
      wires.push(await Wire.open(broker.address));
    }
  };
  await Promise.all(Array.from({ length: ABREAST }, opener));
  return { wires, ms: Math.round(performance.now() - startMs) };
}

/** Each declares a queue of its own, publishes a message to it and gets it back. */
async function useAll(wires) {
  let got = 0;
  const each = async (wire, n) => {
    const name = `own-${n}`;
    await wire.declareDurable([name]);
    const batch = new Batch([{ key: name, body: bodyOf(16), persistent: true }]);
    const end = batch.number(n, 1);
    const done = new Promise((resolve) => {
      wire.onMessage = (tag, _redelivered, bytes, at) => {
        if (bytes.readUInt32BE(at) === n) got += 1;
        wire.ack(tag, false);
        resolve();
      };
    });
    await wire.consume(name);
    wire.write(batch.bytes.subarray(0, end));
    await done;
  };
  await Promise.all(wires.map(each));
  return got;
}

const first = await openAll();
figure('opened', first.wires.length, first.wires.length === connections, String(connections));
figure('that took, ms', first.ms);
figure('KiB of memory each', ((memoryOf(broker.pid).own - before) * 1024) / connections);
figure('longest stall while they came, ms', (await broker.longestStall()).toFixed(1));
const got = await useAll(first.wires);
figure('messages that came back to who sent them', got, got === connections, String(connections));
figure('longest stall, ms', (await broker.longestStall()).toFixed(1));

for (const { socket } of first.wires) socket.destroy();
const again = await openAll();
figure('opened after all were cut', again.wires.length, again.wires.length === connections);
figure('that took, ms', again.ms);
figure('longest stall meanwhile, ms', (await broker.longestStall()).toFixed(1));
await Promise.all(again.wires.map((wire) => wire.close()));
figure('memory of its own at the end, MiB', memoryOf(broker.pid).own);
figure('warnings in the log', broker.warnings.length, broker.warnings.length === 0, '0');
await broker.remove();
finish();
