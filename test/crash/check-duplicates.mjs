// The part of the judge that knows what becomes of messages with one key, in queues and behind an exchange that look for
// duplicates.
import { TOLERANCE_US } from './check-places.mjs';
import { count, fault } from './verdict.mjs';

export function judgeDuplicates(state) {
  const keys = new Map();
  for (const message of state.messages.values()) {
    if (message.once === null) continue;
    if (!keys.has(message.once)) keys.set(message.once, []);
    keys.get(message.once).push(message);
  }
  for (const [key, messages] of keys) {
    messages.sort((a, b) => a.seq - b.seq);
    for (const queue of messages[0].to) {
      const isFreed = state.history.queues[queue].once === 'ack';
      (isFreed ? judgeFreed : judgeOnce)(state, key, messages, queue);
    }
    judgeTogether(state, key, messages);
  }
}

const isTaken = (message, queue) => message.deliveries.has(queue);

/** The first is taken, and no other: unless a kill took that away, and its key with it. */
function judgeOnce(state, key, messages, queue) {
  const taken = messages.filter((message) => isTaken(message, queue));
  count(state, 'duplicates dropped', messages.length - taken.length);
  for (const [i, message] of taken.entries()) {
    const next = taken[i + 1];
    if (next === undefined || wasUndone(message, queue, next)) continue;
    fault(state, 'I19', `${message.id} and ${next.id} with the key ${key} were both delivered`);
  }
  const isConfirmed = messages.some(({ fate }) => fate === 'confirmed');
  const last = taken.at(-1)?.deliveries.get(queue).at(-1);
  if (isConfirmed && last?.how !== 'ack') {
    fault(state, 'I19', `the key ${key}: confirmed, and none of its messages is acked in ${queue}`);
  }
}

/** Whether all that was seen of a message came before a kill, which took it away, and before the next one was sent. */
function wasUndone(message, queue, next) {
  if (message.fate === 'confirmed' || next.spawn === message.spawn) return false;
  return message.deliveries.get(queue).every(({ spawn }) => spawn === message.spawn);
}

/** What an exchange lets pass goes to all of its queues. */
function judgeTogether(state, key, messages) {
  for (const message of messages) {
    const lacking = message.to.filter((queue) => !isTaken(message, queue));
    if (lacking.length === 0 || lacking.length === message.to.length) continue;
    if (message.fate !== 'confirmed' && !message.survived) continue;
    fault(state, 'I19', `${message.id} with the key ${key} was delivered, but not from ${lacking}`);
  }
}

/** The next one is taken once the one before is acked, and not while that is there. */
function judgeFreed(state, key, messages, queue) {
  const taken = messages.filter((message) => isTaken(message, queue));
  const life = taken.flatMap((message) =>
    message.deliveries.get(queue).map((delivery) => ({ message, delivery })),
  );
  life.sort(
    ({ delivery: a }, { delivery: b }) => a.spawn - b.spawn || a.t - b.t || a.order - b.order,
  );
  for (const [i, { message, delivery }] of life.entries()) {
    const { message: held, delivery: before } = life[i - 1] ?? { message };
    if (held === message || before.spawn !== delivery.spawn) continue;
    count(state, 'keys taken again');
    if (before.how === 'ack' && before.settledAt <= delivery.t + TOLERANCE_US) continue;
    fault(state, 'I19', `${message.id} was taken while ${held.id} with its key ${key} was there`);
  }
  for (const message of messages) judgeHeld(state, key, taken, message, queue);
}

/** One that was confirmed is acked in the end, or another had its key when it came. */
function judgeHeld(state, key, taken, message, queue) {
  if (message.fate !== 'confirmed') return;
  const lastOf = ({ deliveries }) => deliveries.get(queue).at(-1);
  if (isTaken(message, queue)) {
    if (lastOf(message).how === 'ack') return;
    fault(state, 'I19', `${message.id} with the key ${key}: confirmed, and not acked in ${queue}`);
    return;
  }
  count(state, 'duplicates dropped');
  const holds = (other) => other.seq < message.seq && lastOf(other).coveredAt > message.dueAt;
  if (taken.some((other) => holds(other) && lastOf(other).how === 'ack')) return;
  fault(
    state,
    'I19',
    `${message.id}: confirmed and never delivered, though its key ${key} was free`,
  );
}
