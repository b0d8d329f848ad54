// Spoils a history in what queues do by themselves: moves, counts, priorities, times and leases; and in ticks of schedules. Never judges.
import { IN_SOCKET_US } from '../check-places.mjs';
import {
  blank,
  deliveriesOf,
  entriesOf,
  find,
  idOf,
  movedForGood,
  movedOnes,
  passedBehind,
  redeliver,
  settleOf,
} from './places.mjs';

/** @type {import('../mutants.d.mts').Mutant[]} */
export const QUEUE_MUTANTS = [
  { name: 'an expired message is in both queues', rule: 'I8', spoil: doubleOwnMove },
  { name: 'an expired message is in neither queue', rule: 'I8', spoil: loseOwnMove },
  { name: 'an expired message was moved twice', rule: 'I8', spoil: moveTwice },
  { name: 'a return is not counted', rule: 'I13', spoil: loseReturnCount },
  { name: 'a count behind a barrier is lost by a kill', rule: 'I13', spoil: loseDurableCount },
  { name: 'a message came back beyond the limit', rule: 'I13', spoil: exceedLimit },
  { name: 'priorities change places after a restart', rule: 'I14', spoil: swapPriorities },
  { name: 'a message comes before its time', rule: 'I15', spoil: hurry },
  { name: 'one that came back comes too early', rule: 'I15', spoil: hurryReturn },
  { name: 'another worker is given a message within a lease', rule: 'I16', spoil: breakLease },
  { name: 'a tick is published twice', rule: 'I17', spoil: repeatTick },
  { name: 'a tick is noted, and its message is gone', rule: 'I17', spoil: loseTick },
];

function doubleOwnMove(history) {
  const moved = movedForGood(history, 'crash.ttl.dead').at(-1);
  if (moved === undefined) return false;
  return redeliver(history, moved[0], { queue: 'crash.ttl' });
}

function loseOwnMove(history) {
  const [moved] = movedOnes(history, 'crash.ttl.dead');
  if (moved === undefined) return false;
  blank([...moved, ...(deliveriesOf(history).get(`${idOf(moved[0].entry)} crash.ttl`) ?? [])]);
  return true;
}

function moveTwice(history) {
  for (const place of entriesOf(history, 'dlv')) {
    const { queue, conn, t } = place.entry;
    if (queue !== 'crash.ttl.dead' || settleOf(place)?.how !== 'ack') continue;
    return redeliver(history, place, { conn, t: t + 1 });
  }
  return false;
}

/** Two deliveries of one message from the queue with a limit, the later one given a count. */
function spoilCount(history, accept, countOf) {
  for (const places of deliveriesOf(history).values()) {
    if (places[0].entry.queue !== 'crash.limit') continue;
    for (const [i, later] of places.entries()) {
      const earlier = places.slice(0, i).find((place) => accept(place, later));
      if (earlier === undefined) continue;
      later.journal[later.at] = { ...later.entry, count: countOf(earlier.entry) };
      return true;
    }
  }
  return false;
}

function loseReturnCount(history) {
  return spoilCount(
    history,
    (first, second) => first.entry.conn === second.entry.conn,
    ({ count }) => count,
  );
}

/** Requeued by itself, a barrier passed after it, and delivered again after the next start. */
function loseDurableCount(history) {
  const accept = (first, second) => {
    if (!history.spawns.some((t) => t > first.entry.t && t < second.entry.t)) return false;
    const settle = settleOf(first);
    if (settle?.how !== 'requeue' || settle.multiple) return false;
    const passed = passedBehind(first.journal, settle.settledAt);
    return passed !== undefined && passed.t < second.entry.t;
  };
  return spoilCount(history, accept, ({ count }) => count);
}

/** A message whose delay is long is published later than it was. */
function hurry(history) {
  for (const journal of Object.values(history.journals)) {
    const at = journal.findIndex(({ e, delay }) => e === 'pub' && delay > 50);
    if (at < 0) continue;
    const id = `${journal[at].pub}/${journal[at].seq}`;
    for (const entry of entriesOf(history, 'dlv')) {
      if (`${entry.entry.pub}/${entry.entry.seq}` !== id) continue;
      journal[at] = { ...journal[at], t: entry.entry.t };
      return true;
    }
  }
  return false;
}

/** What was put back was put back just as it came again. */
function hurryReturn(history) {
  for (const journal of Object.values(history.journals)) {
    const settles = new Map();
    for (const [at, entry] of journal.entries()) {
      if (entry.e === 'settle' && entry.how === 'requeue' && !entry.multiple) {
        settles.set(`${entry.conn} ${entry.tag}`, at);
      }
    }
    const latest = new Map();
    for (const entry of journal) {
      if (entry.e !== 'dlv' || entry.queue !== 'crash.retry') continue;
      const id = `${entry.conn} ${entry.pub}/${entry.seq}`;
      const before = latest.get(id);
      latest.set(id, entry);
      const at = before && settles.get(`${before.conn} ${before.tag}`);
      if (at === undefined) continue;
      journal[at] = { ...journal[at], t: entry.t };
      return true;
    }
  }
  return false;
}

/** What hangs with a worker comes again at once, though neither its lease is over nor has it gone back. */
function breakLease(history) {
  const ends = new Map();
  for (const { entry } of entriesOf(history, 'leave')) ends.set(entry.conn, entry.t);
  for (const { entry } of entriesOf(history, 'settle')) {
    ends.set(`${entry.conn} ${entry.tag}`, entry.t ?? Number.POSITIVE_INFINITY);
  }
  const again = ({ t }) => t + 1_000;
  // More than the judge takes for the difference of clocks.
  const surely = (entry) => again(entry) + 10_000;
  const leaseUs = 1_000 * history.queues['crash.lease'].leaseMs;
  const place = find(history, 'dlv', (entry) => {
    if (entry.queue !== 'crash.lease') return false;
    const { conn, tag } = entry;
    const endings = [conn, `${conn} ${tag}`].map(
      (key) => ends.get(key) ?? Number.POSITIVE_INFINITY,
    );
    const leaseEnd = (entry.since ?? entry.t) + leaseUs;
    return Math.min(...endings) > surely(entry) && leaseEnd > surely(entry) + IN_SOCKET_US;
  });
  if (place === null) return false;
  const t = again(place.entry);
  return redeliver(history, place, { conn: place.entry.conn, t, since: t });
}

function repeatTick(history) {
  return spoilTicks(history, 1);
}

function loseTick(history) {
  return spoilTicks(history, -1);
}

function spoilTicks(history, by) {
  const last = history.ticks.at(-1);
  if (last === undefined) return false;
  history.ticks = [...history.ticks.slice(0, -1), { ...last, found: last.found + by }];
  return true;
}

function exceedLimit(history) {
  return spoilCount(
    history,
    () => true,
    () => 99,
  );
}

/** Two messages from before a kill, of different priority, on the first connection after it. */
function swapPriorities(history) {
  const opens = new Map();
  for (const { entry } of entriesOf(history, 'open')) opens.set(entry.conn, entry.t);
  const published = new Map();
  for (const { entry } of entriesOf(history, 'pub'))
    published.set(idOf(entry), opens.get(entry.conn));
  for (const spawn of history.spawns.slice(1)) {
    const isOld = ({ entry }) => published.get(idOf(entry)) < spawn;
    const next = history.spawns.find((t) => t > spawn) ?? Number.POSITIVE_INFINITY;
    const places = [...entriesOf(history, 'dlv')].filter(({ entry }) => {
      const openedAt = opens.get(entry.conn);
      return entry.queue === 'crash.priority' && openedAt > spawn && openedAt < next;
    });
    const old = places.filter(isOld).filter(({ entry }) => entry.conn === places[0].entry.conn);
    const first = old[0];
    const second = old.find(({ entry }) => entry.priority < first.entry.priority);
    if (second === undefined) continue;
    const { pub, seq, priority } = first.entry;
    const other = second.entry;
    first.journal[first.at] = {
      ...first.entry,
      pub: other.pub,
      seq: other.seq,
      priority: other.priority,
    };
    second.journal[second.at] = { ...other, pub, seq, priority };
    return true;
  }
  return false;
}
