// Loaded into a broker before anything else: says on demand for how long its event loop stood still, and how
// much processor time its thread took at most from one look to the next: neither other programs on the machine
// nor threads beside it (the store's, garbage collection) hold up clients, so they do not count there.
import { closeSync, openSync, readSync } from 'node:fs';

const BEAT_MS = 1;

/** Processor time of the main thread alone, in ms; of all threads where the system does not tell. */
const cpuMs = (() => {
  try {
    const buffer = Buffer.alloc(64);
    const file = openSync('/proc/self/schedstat');
    // Its first number is the time that the thread ran, in ns.
    const read = () => Number.parseInt(buffer.latin1Slice(0, readSync(file, buffer, 0, 64, 0)), 10);
    if (read() > 0) return () => read() / 1e6;
    closeSync(file);
  } catch {
    // Only Linux has it.
  }
  return () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
})();

let last = performance.now();
let longest = 0;
let lastCpu = cpuMs();
let longestCpu = 0;
setInterval(() => {
  const now = performance.now();
  longest = Math.max(longest, now - last - BEAT_MS);
  last = now;
  const cpu = cpuMs();
  longestCpu = Math.max(longestCpu, cpu - lastCpu);
  lastCpu = cpu;
}, BEAT_MS).unref();

process.on('message', () => {
  process.send({ longestMs: longest, longestCpuMs: longestCpu });
  longest = 0;
  longestCpu = 0;
});
process.channel?.unref();
