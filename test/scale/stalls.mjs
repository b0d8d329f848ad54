// Loaded into a broker before anything else: says on demand for how long its event loop stood still.
const BEAT_MS = 1;

let last = performance.now();
let longest = 0;
setInterval(() => {
  const now = performance.now();
  longest = Math.max(longest, now - last - BEAT_MS);
  last = now;
}, BEAT_MS).unref();

process.on('message', () => {
  process.send({ longestMs: longest });
  longest = 0;
});
process.channel?.unref();
