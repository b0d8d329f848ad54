// Loaded into a broker before anything else: says on demand for how long its event loop stood still, and how
// much the processor did at most from one look to the next: other programs on the machine do not count there.
const BEAT_MS = 1;

let last = performance.now();
let longest = 0;
let lastCpu = process.cpuUsage();
let longestCpuUs = 0;
setInterval(() => {
  const now = performance.now();
  longest = Math.max(longest, now - last - BEAT_MS);
  last = now;
  const { user, system } = process.cpuUsage(lastCpu);
  longestCpuUs = Math.max(longestCpuUs, user + system);
  lastCpu = process.cpuUsage();
}, BEAT_MS).unref();

process.on('message', () => {
  process.send({ longestMs: longest, longestCpuMs: longestCpuUs / 1000 });
  longest = 0;
  longestCpuUs = 0;
});
process.channel?.unref();
