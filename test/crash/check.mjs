// The judge of the crash test: reads what publishers and consumers noted down and names every
// promise that was broken. Pure: no clock, no file, no broker; check.d.mts has the types.

import { judgeDuplicates } from './check-duplicates.mjs';
import { isMovedAnew, judgeCopies, judgeMove, judgeOwnMove } from './check-moves.mjs';
import {
  judgeCounts,
  judgeGroups,
  judgeLeases,
  judgePriority,
  judgeTimes,
  lineOf,
} from './check-places.mjs';
import { readPublishes } from './check-publishes.mjs';
import { judgeInStream, judgeStreams, readStreams } from './check-streams.mjs';
import { idOf, spawnOf, take } from './entries.mjs';
import { count, fault } from './verdict.mjs';

/** @typedef {import('./check.d.mts').History} History */
/** @typedef {import('./check.d.mts').Verdict} Verdict */

/** What is promised, by the number used in reports. */
export const RULES = {
  I1: 'no loss: a confirmed message is delivered from every queue it was routed to',
  I2: 'no invention: only what was published is delivered, and only where it was routed',
  I3: 'integrity: body, properties, headers and routing key are as published',
  I4: 'no resurrection: what was settled before a passed barrier is never delivered again',
  I5: 'a repeated delivery is flagged redelivered',
  I6: 'order: as published, per publisher and queue, or group; what was unacked at a kill is back in place',
  I7: 'all or none: fan-out, transaction and dead-letter move',
  I8: 'one place: what a queue moves by itself is here or there, and nothing is there twice',
  I9: 'each publish is confirmed once, after its return, and never before it was published',
  I10: 'what was declared, and user, vhost, permission, policy, is there again; what was deleted not',
  I11: 'liveness: start, confirm, drain and stop end in time',
  I12: 'transient messages and queues are gone after a restart',
  I13: 'a delivery count grows with each return, keeps to the limit, and is kept behind a barrier',
  I14: 'what is ready at a restart comes by priority',
  I15: 'no message comes before its time, nor again before it is to be tried again',
  I16: 'a lease is kept: nobody else gets the message before it is over',
  I17: 'each tick of a schedule is published once: its queue has what it has noted, over kills',
  I18: 'of each group one message is out at a time, and the next once it is done',
  I19: 'duplicates: of the messages with one key one is delivered, or one at a time, and one is if any is confirmed',
  I20: 'a stream has what is confirmed once, in order of its publisher, and no gaps in its offsets',
  I21: 'what was read of a stream stays: its offset names it, and no other',
  I22: 'a group goes on at its place in a stream: not behind acks that are durable, not ahead of those it sent',
  I23: 'what a queue that delivers after the commit has given out is in all queues of its publish or transaction, confirmed or not',
  I24: 'a leader that another has followed confirms nothing that it was sent since then, or since it was paused',
  I25: 'the tables of all nodes of a cluster are equal',
  I26: 'a vhost is in one group of a cluster alone, with all that is in it; users and permissions are in all groups',
};

/**
 * @param {History} history
 * @returns {Verdict}
 */
export function check(history) {
  const state = {
    history,
    violations: [],
    messages: new Map(),
    groups: new Map(),
    streams: new Map(),
    runs: [],
    counts: {},
    order: 0,
  };
  // Every publish must be known before the first delivery is judged.
  for (const journal of Object.values(history.journals)) readPublishes(state, journal);
  for (const journal of Object.values(history.journals)) readDeliveries(state, journal);
  readStreams(state);
  for (const message of state.messages.values()) sortDeliveries(history, message);
  for (const message of state.messages.values()) noteSurvival(state, message);
  for (const message of state.messages.values()) judgeMessage(state, message);
  judgeOrder(state);
  judgeGroups(state);
  judgeDuplicates(state);
  judgeStreams(state);
  judgeSupervisor(state);
  return { violations: state.violations, counts: state.counts };
}

function readDeliveries(state, journal) {
  const conns = new Map();
  const lastSpawn = new Map();
  for (const entry of journal) {
    const conn = conns.get(entry.conn);
    if (entry.e === 'open') {
      const spawn = spawnOf(state.history, entry);
      const name = entry.conn.slice(0, entry.conn.indexOf('#'));
      conns.set(entry.conn, {
        spawn,
        leftAt: Number.POSITIVE_INFINITY,
        unacked: new Map(),
        uncovered: [],
        latest: new Map(),
        lowest: Number.POSITIVE_INFINITY,
        barriers: new Map(),
        // Only then has the broker surely noticed that the connection before is gone.
        firstOfSpawn: spawn > (lastSpawn.get(name) ?? -1),
        seen: new Set(),
        reads: [],
        highest: new Map(),
      });
      lastSpawn.set(name, spawn);
    } else if (entry.e === 'dlv') {
      deliver(state, conn, entry);
    } else if (entry.e === 'read') {
      read(state, conn, entry);
    } else if (entry.e === 'settle') {
      settle(state, conn, entry);
    } else if (entry.e === 'barrier') {
      conn.barriers.set(entry.n, conn.uncovered);
      conn.uncovered = [];
    } else if (entry.e === 'passed') {
      for (const delivery of conn.barriers.get(entry.n)) {
        if (delivery.how === 'requeue') delivery.returnedAt = entry.t;
        else if (entry.t < delivery.leaseEnd) delivery.coveredAt = entry.t;
      }
      count(state, 'behind barrier', conn.barriers.get(entry.n).length);
      conn.barriers.delete(entry.n);
    } else if (entry.e === 'leave') {
      if (conn !== undefined) conn.leftAt = entry.t;
    } else if (entry.e === 'prolonged') {
      const delivery = conn.unacked.get(entry.tag);
      if (delivery !== undefined) delivery.leaseEnd = Math.max(delivery.leaseEnd, entry.until);
    }
  }
}

function deliver(state, conn, entry) {
  const id = idOf(entry);
  count(state, 'delivered');
  if (entry.redelivered) count(state, 'delivered again or flagged so');
  if (entry.fault !== null) fault(state, 'I3', `${id} from ${entry.queue}: ${entry.fault}`);
  const { leaseMs = Number.POSITIVE_INFINITY } = state.history.queues[entry.queue];
  const delivery = {
    conn,
    since: entry.since ?? entry.t,
    leaseEnd: (entry.since ?? entry.t) + 1_000 * leaseMs,
    queue: entry.queue,
    spawn: conn.spawn,
    t: entry.t,
    order: state.order++,
    redelivered: entry.redelivered,
    how: null,
    count: entry.count,
    coveredAt: Number.POSITIVE_INFINITY,
    returnedAt: Number.POSITIVE_INFINITY,
    settledAt: 0,
  };
  conn.unacked.set(entry.tag, delivery);
  judgeCopies(state, conn, id, delivery);
  const message = state.messages.get(id);
  if (message === undefined) {
    const old = entry.seq <= (state.history.seqBase[entry.pub] ?? 0);
    if (old) fault(state, 'I4', `${id} from ${entry.queue}: settled in an earlier part, is back`);
    else fault(state, 'I2', `${id} from ${entry.queue}: never published`);
    return;
  }
  if (entry.priority !== message.priority) {
    fault(state, 'I3', `${id} from ${entry.queue}: its priority is now ${entry.priority}`);
  }
  if (conn.firstOfSpawn && state.history.queues[entry.queue].ordered) {
    judgeReturn(state, conn, entry, message);
  }
  const list = message.deliveries.get(entry.queue);
  if (list === undefined) message.deliveries.set(entry.queue, [delivery]);
  else list.push(delivery);
}

/** Of a stream; judged once all that was read of it is known. */
function read(state, conn, entry) {
  count(state, 'read by a group');
  const delivery = {
    ...{ conn, spawn: conn.spawn, t: entry.t, queue: entry.queue },
    ...{ offset: entry.offset, id: idOf(entry), fault: entry.fault },
    ...{ how: null, settledAt: 0, leaseEnd: Number.POSITIVE_INFINITY },
    coveredAt: Number.POSITIVE_INFINITY,
    returnedAt: Number.POSITIVE_INFINITY,
  };
  conn.unacked.set(entry.tag, delivery);
  conn.reads.push(delivery);
  if (conn.reads.length === 1) state.runs.push(conn.reads);
}

/**
 * After a restart every message is back in its place: a single consumer gets one publisher's
 * messages in order, the unacked ones of before included. What it requeues itself does not count.
 */
function judgeReturn(state, conn, entry, message) {
  const id = idOf(entry);
  if (conn.seen.has(id)) return;
  conn.seen.add(id);
  judgePriority(state, conn, entry.queue, message);
  const line = lineOf(state, entry.queue, message);
  const before = conn.highest.get(line) ?? 0;
  if (entry.seq > before) conn.highest.set(line, entry.seq);
  else {
    const text = `${id}: from ${entry.queue} after ${entry.pub}/${before}, on ${entry.conn}`;
    fault(state, 'I6', `${text}, the first connection after a restart`);
  }
}

function settle(state, conn, { t = 0, tag, multiple, how }) {
  for (const delivery of take(conn.unacked, tag, multiple)) {
    delivery.how = how;
    delivery.settledAt = t;
    conn.uncovered.push(delivery);
    count(state, `settled by ${how}`);
  }
}

// ---- judging ----------------------------------------------------------------------------------

/**
 * By broker process first: a client may read late what a killed broker had sent. It may even read after another has the
 * message, where that was taken back from it: then the count of returns tells which came first.
 */
function sortDeliveries({ queues }, message) {
  for (const [queue, list] of message.deliveries) {
    const leased = queues[queue]?.leaseMs !== undefined;
    const byCount = (a, b) => (leased ? a.count - b.count : flagOf(a, b));
    list.sort((a, b) => a.spawn - b.spawn || byCount(a, b) || a.t - b.t || a.order - b.order);
  }
}

/** Without the flag comes first, where its client was gone as the other came: it may have read late. */
function flagOf(a, b) {
  if (a.redelivered === b.redelivered) return 0;
  const [first, second] = b.redelivered ? [a, b] : [b, a];
  if (first.conn.leftAt > second.t) return 0;
  return first === a ? -1 : 1;
}

/** An unconfirmed message that a later broker process delivers was durable: now all rules hold. */
function noteSurvival(state, message) {
  if (message.fate !== 'unknown') return;
  count(state, 'unconfirmed');
  // A stream delivers only what is durable, with all its places.
  message.survived = [...state.streams.values()].some(({ placeOf }) => placeOf.has(message.id));
  for (const list of message.deliveries.values()) {
    if (list.some((delivery) => delivery.spawn > message.spawn)) message.survived = true;
  }
  noteSeen(state, message);
  if (!message.survived) return;
  count(state, 'unconfirmed, but there after the kill');
  if (message.group !== null) state.groups.set(message.group, message.id);
}

/** What was delivered after the commit is durable. */
function noteSeen(state, message) {
  const { queues } = state.history;
  message.seen = [...message.deliveries.keys()].some((queue) => queues[queue]?.sure === true);
  if (!message.seen) return;
  count(state, 'unconfirmed, but seen after the commit');
  if (message.group !== null) state.groups.set(message.group, message.id);
}

function judgeMessage(state, message) {
  const { queues } = state.history;
  const targets = new Set(message.to);
  const owed = isOwed(state, message);
  for (const [queue, list] of message.deliveries) {
    judgeRepeats(state, message, queue, list);
    judgeCounts(state, message, queue, list);
    judgeTimes(state, message, queue, list);
    judgeLeases(state, message, queue, list);
    const isTarget = message.to.some((name) => queues[name]?.deadLetterTo === queue);
    if (!targets.has(queue) && !isTarget) {
      fault(state, 'I2', `${message.id}: delivered from ${queue}, never routed there`);
    }
    if (message.fate === 'refused') {
      fault(state, 'I2', `${message.id}: refused by a nack, yet delivered from ${queue}`);
    }
  }
  for (const queue of message.to) {
    const { deadLetterTo, diesOf, once, keeps } = queues[queue];
    if (once !== undefined) continue;
    if (keeps !== undefined) {
      judgeInStream(state, message, queue, owed);
      continue;
    }
    if (diesOf !== undefined) {
      judgeOwnMove(state, message, queue, owed);
      continue;
    }
    if (owed !== null) judgePresence(state, message, queue, owed);
    if (deadLetterTo !== null) judgeMove(state, message, queue, deadLetterTo, owed);
  }
  if (!message.persistent) judgeTransient(state, message);
}

/** Which rule is broken when this message is missing, or null when it may be missing. */
function isOwed(state, message) {
  if (message.fate === 'refused') return null;
  if (!message.persistent) {
    const drained = message.spawn === state.history.drainedSpawn;
    return drained && message.fate === 'confirmed' ? 'I1' : null;
  }
  if (message.fate === 'confirmed') return 'I1';
  const together = message.group !== null && state.groups.has(message.group);
  if (message.survived || together) return 'I7';
  return message.seen ? 'I23' : null;
}

function judgePresence(state, message, queue, rule) {
  const list = message.deliveries.get(queue);
  const why =
    rule === 'I1'
      ? 'confirmed'
      : rule === 'I23'
        ? 'unconfirmed but seen after the commit'
        : message.survived
          ? 'unconfirmed but there after a kill'
          : `of transaction ${message.group}, of which others were there after a kill`;
  if (list === undefined) {
    fault(state, rule, `${message.id}: ${why}, never delivered from ${queue}`);
    return;
  }
  const last = list[list.length - 1];
  if (last.how !== 'ack' && last.how !== 'reject') {
    const left = last.how === 'requeue' ? 'requeued' : 'unacked';
    fault(state, rule, `${message.id}: ${why}, ${left} in ${queue} and then gone`);
  }
}

function judgeRepeats(state, message, queue, list) {
  if (list[0].redelivered) count(state, 'first seen flagged redelivered');
  let coveredAt = Number.POSITIVE_INFINITY;
  let settled = false;
  let back = false;
  for (let i = 0; i < list.length; i++) {
    const delivery = list[i];
    if (i > 0 && !delivery.redelivered && !isMovedAnew(state, message, list[i - 1], delivery)) {
      fault(state, 'I5', `${message.id}: delivery ${i + 1} from ${queue} lacks the flag`);
    }
    if (settled && !back) {
      back = true;
      count(state, 'settled, then delivered again');
    }
    if (delivery.t > coveredAt) {
      fault(state, 'I4', `${message.id}: settled behind a barrier, delivered again from ${queue}`);
      return;
    }
    settled ||= delivery.how === 'ack' || delivery.how === 'reject';
    coveredAt = Math.min(coveredAt, delivery.coveredAt);
  }
}

function judgeTransient(state, message) {
  for (const [queue, list] of message.deliveries) {
    if (list.some((delivery) => delivery.spawn > message.spawn)) {
      fault(state, 'I12', `${message.id}: transient, delivered from ${queue} after a restart`);
    }
  }
  if (message.fate === 'confirmed' && message.deliveries.size === 0) {
    count(state, 'transient lost with a restart');
  }
}

function judgeOrder(state) {
  for (const [queue, { ordered }] of Object.entries(state.history.queues)) {
    if (!ordered) continue;
    const firsts = [];
    for (const message of state.messages.values()) {
      const delivery = message.deliveries.get(queue)?.[0];
      if (delivery === undefined || isLateReturn(delivery)) continue;
      firsts.push({ message, delivery });
    }
    firsts.sort(
      (a, b) =>
        a.delivery.spawn - b.delivery.spawn ||
        a.delivery.t - b.delivery.t ||
        a.delivery.order - b.delivery.order,
    );
    const highest = new Map();
    for (const { message } of firsts) {
      const line = lineOf(state, queue, message);
      const before = highest.get(line) ?? 0;
      if (message.seq < before) {
        fault(state, 'I6', `${message.id}: from ${queue} after ${message.pub}/${before}`);
      } else highest.set(line, message.seq);
    }
  }
}

/**
 * What a connection was given and never read comes again once the broker sees that it is gone. A busy one, which reads
 * nothing of it for a while, may have given the next connection what comes behind.
 */
function isLateReturn({ redelivered, conn }) {
  return redelivered && !conn.firstOfSpawn;
}

function judgeSupervisor(state) {
  for (const { rule, text } of state.history.incidents) fault(state, rule, text);
  for (const { published, found, most } of state.history.ticks) {
    state.counts['ticks of schedules'] = published;
    const text = `${published} ticks are noted, ${found} in the queue, ${most} can be there`;
    if (found !== published || published > most) fault(state, 'I17', text);
  }
  for (const { what, name, expected, found } of state.history.lookups) {
    count(state, 'looked up after a restart');
    if (expected === found) continue;
    const rule = what.startsWith('transient') ? 'I12' : 'I10';
    fault(state, rule, `${what} ${name} is ${found ? 'there' : 'gone'} after a restart`);
  }
}
