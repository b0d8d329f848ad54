// The part of the judge that knows moves to a dead-letter queue, or to the next one: a message is here or there, once.
import { count, fault } from './verdict.mjs';

/** A message is in its queue or, once rejected, in the dead-letter queue: never both or neither. */
export function judgeMove(state, message, queue, target, owed) {
  const here = message.deliveries.get(queue) ?? [];
  const there = message.deliveries.get(target) ?? [];
  const rejectedAt = here.findIndex((delivery) => delivery.how === 'reject');
  if (rejectedAt < 0) {
    if (there.length > 0) fault(state, 'I2', `${message.id}: in ${target}, but never rejected`);
    return;
  }
  const cameBack = rejectedAt < here.length - 1;
  if (cameBack && there.length > 0) {
    if (undoneByKill(here[rejectedAt], here[rejectedAt + 1], there)) count(state, 'moves undone');
    else fault(state, 'I7', `${message.id}: moved to ${target} and still in ${queue}`);
  }
  if (!cameBack && there.length > 0) {
    count(state, 'dead-lettered');
    const last = there[there.length - 1];
    if (owed !== null && last.how !== 'ack') {
      fault(state, owed, `${message.id}: gone from ${target} without an ack`);
    }
  }
  if (!cameBack && there.length === 0 && owed !== null) {
    fault(state, 'I7', `${message.id}: rejected in ${queue}, never came to ${target}`);
  }
}

/**
 * A kill may undo a move that was not durable, after the target's consumer has seen the message:
 * everything is then as if it had never been rejected.
 */
function undoneByKill(rejected, next, there) {
  if (next.spawn === rejected.spawn) return false;
  return there.every((delivery) => {
    return delivery.spawn === rejected.spawn && delivery.coveredAt === Number.POSITIVE_INFINITY;
  });
}

/**
 * One message, one copy: on one connection it comes again from a queue only after it went back.
 * That finds a move of which a kill left both ends, and which was then made once more.
 */
export function judgeCopies(state, conn, id, delivery) {
  const before = conn.latest.get(id);
  conn.latest.set(id, delivery);
  if (before === undefined || before.how === 'requeue') return;
  // One whose lease is over may come again here, where no other worker takes it.
  if (state.history.queues[delivery.queue].leaseMs !== undefined) return;
  const how = before.how === null ? 'unacked' : `settled by ${before.how}`;
  fault(state, 'I8', `${id}: ${how}, and on the same connection again from ${delivery.queue}`);
}

/** A message is in its queue or, once that has moved it, in the other: never in both or neither. */
export function judgeOwnMove(state, message, queue, owed) {
  const { deadLetterTo: target, diesOf, held } = state.history.queues[queue];
  const here = message.deliveries.get(queue) ?? [];
  const there = message.deliveries.get(target) ?? [];
  if (there.length > 0) count(state, `dead-lettered: ${diesOf}`);
  for (const delivery of here) judgeSides(state, message, delivery, there, target, held === true);
  if (owed === null) return;
  const life = [...here, ...there];
  life.sort((a, b) => a.spawn - b.spawn || a.t - b.t || a.order - b.order);
  const last = life.at(-1);
  if (last === undefined) {
    fault(state, 'I8', `${message.id}: never delivered from ${queue} nor from ${target}`);
  } else if (last.how !== 'ack') {
    const left = last.how === 'requeue' ? 'requeued' : 'unacked';
    fault(state, 'I8', `${message.id}: ${left} in ${last.queue}, then in neither queue`);
  }
}

/** A kill undid a move that was not durable, and the queue made it once more: a new copy. */
export function isMovedAnew(state, message, before, delivery) {
  const { queues } = state.history;
  const isTarget = message.to.some((name) => {
    return queues[name].diesOf !== undefined && queues[name].deadLetterTo === delivery.queue;
  });
  return isTarget && before.spawn < delivery.spawn && delivery.t < before.coveredAt;
}

/** Before a move everything happens here, after it there, but for a move that a kill has undone where it is not held. */
function judgeSides(state, message, delivery, there, target, held) {
  for (const moved of there) {
    const isLater =
      delivery.spawn - moved.spawn || delivery.t - moved.t || delivery.order - moved.order;
    if (isLater <= 0) {
      if (moved.t <= delivery.coveredAt || delivery.how === 'hand') continue;
      const text = `acked in ${delivery.queue} behind a barrier, then moved to ${target}`;
      fault(state, 'I8', `${message.id}: ${text}`);
    } else if (delivery.spawn === moved.spawn || moved.coveredAt < delivery.t) {
      fault(state, 'I8', `${message.id}: moved to ${target} and still in ${delivery.queue}`);
    } else if (held) {
      fault(state, 'I8', `${message.id}: seen in ${target}, and undone by a kill`);
    } else count(state, 'moves undone');
  }
}
