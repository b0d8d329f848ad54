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

/**
 * By how much each clock is ahead, ms, whether the monotonic one stands still while the process does, and whether both stand
 * still while it goes on.
 */
let set = { wallMs: 0, monotonicMs: 0, stands: false, stopped: false };
let [lastMs, stoodMs] = [monotonicNow(), 0];
let stoppedAtWallMs = 0;

function look() {
  const before = set;
  try {
    set = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // There is none yet: the clocks are those of the machine.
  }
  if (set.stopped && !before.stopped) stoppedAtWallMs = wallNow() + set.wallMs;
}

Date.now = () => (set.stopped ? stoppedAtWallMs : wallNow() + set.wallMs);
Object.defineProperty(performance, 'now', {
  value: () => {
    const nowMs = monotonicNow();
    const stood = set.stopped || (set.stands && nowMs - lastMs > SUSPENDED_MS);
    if (stood) stoodMs += nowMs - lastMs;
    lastMs = nowMs;
    return nowMs - stoodMs + set.monotonicMs;
  },
});

look();
setInterval(look, LOOK_MS).unref();
