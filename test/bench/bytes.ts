// Owns what the way of a message may allocate: a baseline for each bench, and the comparison with it. It does not
// depend on the machine, only on the code and on V8. Never about time.

import { allocatedBytes, type Bench } from './kit.ts';
import { benchClock } from './loopback.ts';

/**
 * Bytes for each operation, the larger of Node 20 and 24. A change that allocates less lowers them; one that has to
 * allocate more raises them and says why.
 */
const BASELINE: Readonly<Record<string, number>> = {
  'push, take, settle': 1.3,
  'push, take, settle, after 2 GiB': 17.1,
  'push, take, settle, stored but gone': 2.5,
  'push, deliver, settle': 1,
  'push, deliver, settle, after 2 GiB': 16.8,
  'push, deliver, seal, settle, stored': 7.8,
  'fan-out to 100 queues, per delivery': 2.7,
  '16 B, no-ack': 1.1,
  '16 B, no-ack, after 2 GiB': 33,
  '16 B, ack every 100': 1.2,
  '16 B, no-ack, topic, 10,000 bindings, 2,000 keys in turn': 294.2,
  '16 B, ack each': 1.1,
  '16 B, stored, confirmed, ack every 100': 2.2,
  '1 KiB, stored, confirmed, ack every 50': 124.6,
};

/** V8 counts a little more or less from run to run. The smallest object has 16 bytes. */
const MARGIN_BYTES = 8;

/** Prints what each bench that has a baseline allocates; whether none allocates more. */
export async function compareBytes(benches: readonly Bench[]): Promise<boolean> {
  benchClock.slow();
  let fine = true;
  for (const bench of benches) {
    const baseline = BASELINE[bench.name];
    if (baseline === undefined) continue;
    const bytes = await allocatedBytes(bench, baseline + MARGIN_BYTES);
    const verdict = bytes <= baseline + MARGIN_BYTES ? 'ok' : 'MORE than before';
    if (verdict !== 'ok') fine = false;
    console.log(
      `${bench.name.padEnd(48)}${bytes.toFixed(1).padStart(10)} B/op, baseline ${baseline.toFixed(1)}: ${verdict}`,
    );
  }
  return fine;
}
