// Loaded into a node of the crash test before its program (node --import): its clocks are what the file that CRASH_CLOCK names
// says. Never used by the product, which knows nothing of it.
import { readFileSync } from 'node:fs';

/** How often the file is read, ms. */
const LOOK_MS = 20;
/** A machine that is suspended stands still for longer than a process that waits for its turn. */
const SUSPENDED_MS = 1000;

const file = process.env.CRASH_CLOCK;
const wallNow = Date.now;
const monotonicNow = performance.now.bind(performance);

/** By how much each clock is ahead, ms, and whether the monotonic one stands still while the process does. */
let set = { wallMs: 0, monotonicMs: 0, stands: false };
let [lastMs, stoodMs] = [monotonicNow(), 0];

function look() {
  try {
    set = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // There is none yet: the clocks are those of the machine.
  }
}

Date.now = () => wallNow() + set.wallMs;
Object.defineProperty(performance, 'now', {
  value: () => {
    const nowMs = monotonicNow();
    if (set.stands && nowMs - lastMs > SUSPENDED_MS) stoodMs += nowMs - lastMs;
    lastMs = nowMs;
    return nowMs - stoodMs + set.monotonicMs;
  },
});

look();
setInterval(look, LOOK_MS).unref();
