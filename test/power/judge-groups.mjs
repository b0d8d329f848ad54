// What must hold after a power cut of messages that workers had: those of a group come in order, one at a time, and all of
// them come. Takes them out as a worker would, and lets time go by for those that wait.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { GROUPED, LEASE } from './topology.mjs';

/** Longer than anything waits to be tried again. */
const WAIT_MS = 3_600_000;
/** So often nothing may come before there is nothing. */
const EMPTY_MAX = 3;

export async function judgeGroups(broker, clock, messages, found, numberAt, counts) {
  for (const name of [GROUPED, LEASE]) {
    const queue = broker.vhosts.get('/').queues.get(name);
    const latest = new Map();
    const given = new Set();
    for (let empty = 0; empty < EMPTY_MAX; ) {
      const out = takeAll(queue);
      const groups = new Set();
      for (const { position } of out) {
        const number = numberAt(position);
        const { group } = messages[number];
        given.add(number);
        if (group === null) continue;
        if (groups.has(group) || number < (latest.get(group) ?? -1)) counts.groups += 1;
        groups.add(group);
        latest.set(group, number);
      }
      for (const { seq } of out) queue.settle(seq);
      empty = out.length > 0 ? 0 : empty + 1;
      if (empty > 0) await letTimePass(broker.core, clock);
    }
    const there = [...found].filter(([, places]) => places.some((place) => place.name === name));
    counts.groups += there.filter(([number]) => !given.has(number)).length;
  }
}

/** All that a queue gives out before something is acked. */
function takeAll(queue) {
  const out = [];
  for (let taken = queue.get(); taken !== null; taken = queue.get()) out.push({ ...taken });
  return out;
}

/** What waits becomes ready, and what has to be on the disk first gets there. */
async function letTimePass(core, clock) {
  clock.aheadMs += WAIT_MS;
  core.tick();
  core.deliver();
  const { batch } = core.store;
  if (!core.sealable || !core.prepareSeal()) return;
  core.seal();
  while (core.durableBatch < batch) await nextTurn();
}
