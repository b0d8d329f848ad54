// The part of the judge that knows what a queue does to its messages by itself: it counts how often they came back, sorts
// them by priority, holds them back until their time, and gives them out by lease and group.
import { count, fault } from './verdict.mjs';

/**
 * While a broker lives each return counts. A kill may take away the last ones, but none that was
 * behind a barrier which has passed.
 */
export function judgeCounts(state, message, queue, list) {
  const { deliveryLimit } = state.history.queues[queue];
  if (deliveryLimit === undefined) return;
  for (let i = 0; i < list.length; i++) {
    const delivery = list[i];
    const where = `${message.id}: delivery ${i + 1} from ${queue} has count ${delivery.count}`;
    if (delivery.count > deliveryLimit) fault(state, 'I13', `${where}, above the limit`);
    for (const before of list.slice(0, i)) {
      const isKept = before.spawn === delivery.spawn || before.returnedAt < delivery.t;
      if (isKept && delivery.count <= before.count) {
        fault(state, 'I13', `${where}, it had ${before.count} before it came back`);
      }
      if (isKept && before.spawn !== delivery.spawn) count(state, 'counts kept over a kill');
    }
  }
}

/** Clocks of two processes, and whole milliseconds. */
export const TOLERANCE_US = 5_000;

/** A message comes when it is due, and again when its delay is over: later, if it is busy there, but never earlier. */
export function judgeTimes(state, message, queue, list) {
  const { delayMax, retryMin } = state.history.queues[queue];
  if (delayMax !== undefined && message.delayed) {
    count(state, 'waited for their time');
    const earlyUs = message.dueAt - list[0].t;
    if (earlyUs > TOLERANCE_US) fault(state, 'I15', `${message.id}: ${earlyUs} us before its time`);
    if (list[0].spawn > message.spawn) count(state, 'waited over a kill');
  }
  if (retryMin === undefined) return;
  for (const [i, delivery] of list.entries()) {
    const before = list[i - 1];
    if (before?.how !== 'requeue' || before.spawn !== delivery.spawn) continue;
    count(state, 'tried again later');
    const earlyUs = before.settledAt + 1_000 * retryMin * delivery.count - delivery.t;
    if (earlyUs <= TOLERANCE_US) continue;
    fault(state, 'I15', `${message.id}: again from ${queue}, ${earlyUs} us before its time`);
  }
}

/** A process that was held up for so long may have been given the message before others were. */
const HELD_UP_US = 200_000;
/** Peers try again ever more rarely while nothing gets through. */
const AFTER_PULL_US = 10_000_000;
/** What came may lie in the socket for so long while its worker reads what is before it, turn after turn: its lease runs meanwhile. */
export const IN_SOCKET_US = 300_000;

/**
 * A worker that neither settles nor leaves has its message to itself until its lease is over. All times are those at
 * which the broker cannot have been earlier: a worker that reads late does not shorten a lease.
 */
export function judgeLeases(state, message, queue, list) {
  if (state.history.queues[queue].leaseMs === undefined) return;
  const { pulls = [] } = state.history;
  for (const [i, delivery] of list.entries()) {
    const before = list[i - 1];
    if (before === undefined || before.spawn !== delivery.spawn) continue;
    const isBack = before.how === 'requeue' && before.settledAt <= delivery.t + TOLERANCE_US;
    if (isBack || before.conn.leftAt <= delivery.t) continue;
    if (delivery.t - delivery.since > HELD_UP_US) continue;
    if (pulls.some((pull) => isHeldBy(pull, before) || isHeldBy(pull, delivery))) continue;
    count(state, 'given to another after its lease');
    const earlyUs = before.leaseEnd - delivery.t;
    if (earlyUs <= IN_SOCKET_US) continue;
    fault(
      state,
      'I16',
      `${message.id}: from ${queue} again ${earlyUs} us before its lease is over`,
    );
  }
}

/** What was sent while a cable was pulled comes all at once, some while after it is plugged in. */
function isHeldBy({ epoch, from, to }, { spawn, t }) {
  return spawn === epoch && t >= from && t <= to + AFTER_PULL_US;
}

/** What of a queue's messages comes in order: those of one publisher and priority, and of one group where there are such. */
export function lineOf(state, queue, { pub, seq, priority }) {
  const { groups } = state.history.queues[queue];
  return groups === undefined ? `${pub} ${priority}` : `${pub} ${priority} ${seq % groups}`;
}

/** A message goes out once the one before it of its group is done; one that was put back, or left, is the next itself. */
export function judgeGroups(state) {
  for (const [queue, { groups }] of Object.entries(state.history.queues)) {
    if (groups === undefined) continue;
    const lines = new Map();
    for (const message of state.messages.values()) {
      const line = lineOf(state, queue, message);
      for (const delivery of message.deliveries.get(queue) ?? []) {
        if (!lines.has(line)) lines.set(line, []);
        lines.get(line).push({ id: message.id, delivery });
      }
    }
    for (const line of lines.values()) judgeGroup(state, queue, line);
  }
}

function judgeGroup(state, queue, line) {
  line.sort(
    ({ delivery: a }, { delivery: b }) => a.spawn - b.spawn || a.t - b.t || a.order - b.order,
  );
  for (const [i, { id, delivery }] of line.entries()) {
    const before = line[i - 1];
    if (before === undefined || before.delivery.spawn !== delivery.spawn) continue;
    count(state, 'one after another of its group');
    const { settledAt, conn, how } = before.delivery;
    const endedAt = Math.min(settledAt || Number.POSITIVE_INFINITY, conn.leftAt);
    const text = `${id}: from ${queue} while ${before.id} of its group`;
    if (endedAt > delivery.t + TOLERANCE_US) fault(state, 'I18', `${text} was out`);
    else if (id !== before.id && how !== 'ack') fault(state, 'I18', `${text} was not done`);
  }
}

/** What was published before the kill is all ready when the first consumer comes: highest first. */
export function judgePriority(state, conn, queue, message) {
  const { priorityMax } = state.history.queues[queue];
  if (priorityMax === undefined || message.spawn >= conn.spawn) return;
  count(state, 'by priority after a restart');
  if (message.priority > conn.lowest) {
    const text = `priority ${message.priority} after one of priority ${conn.lowest}`;
    fault(state, 'I14', `${message.id}: ${text}, after a restart`);
  }
  conn.lowest = Math.min(conn.lowest, message.priority);
}
