// Owns the tests of compaction: what it keeps, when it works, and how little at a time.

import { expect, test } from 'vitest';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import { TABLE_SEGMENTS } from '../../../src/store/tables.ts';
import { positionsOf, readRecord, segmentsOf } from '../inspect.ts';
import { purgeIn } from '../purge.ts';
import { SmallBroker } from '../small-broker.ts';

const BODY_BYTES = 100;
const MESSAGES = 5_000;

function storedBytes(small: SmallBroker): number {
  const rows = small.store.range(TABLE_SEGMENTS, Buffer.alloc(0), Buffer.alloc(20, 0xff));
  return [...rows].reduce((sum, { value }) => sum + value.length, 0);
}

/** A durable queue with messages that count from 0 on, durable. */
function filled(small: SmallBroker, name = 'q'): Queue {
  const queue = small.declare(name);
  for (let n = 0; n < MESSAGES; n++) {
    const body = Buffer.alloc(BODY_BYTES);
    body.writeUInt32BE(n);
    small.publish({ routingKey: name, properties: { deliveryMode: 2 } }, body);
  }
  commit(small);
  return queue;
}

function commit(small: SmallBroker): void {
  small.broker.core.seal();
  small.store.sync();
}

/** Takes all messages out but every `nth`, which goes back to its place. */
function thin(small: SmallBroker, queue: Queue, nth: number): void {
  const seqs: number[] = [];
  while (queue.readyCount > 0) {
    const seq = queue.take()?.seq;
    if (seq !== undefined) seqs.push(seq);
    else commit(small);
  }
  for (const [n, seq] of seqs.entries()) {
    if (n % nth === 0) queue.requeue(seq);
    else queue.settle(seq);
  }
  commit(small);
}

function compact(small: SmallBroker): void {
  for (let turns = 0; turns < 1_000; turns++) {
    const more = small.broker.core.maintain();
    commit(small);
    if (!more && !small.broker.core.sealable) return;
  }
  throw new Error('compaction does not come to an end');
}

const idsOf = (small: SmallBroker, queue: Queue): number[] =>
  positionsOf(queue).map((position) =>
    readRecord(small.broker.core.log, position).body.readUInt32BE(),
  );

test('of segments that are mostly consumed only the messages left are stored', () => {
  const small = new SmallBroker();
  const queue = filled(small);
  small.broker.core.log.sparse.bytesMin = 0;
  const full = storedBytes(small);
  thin(small, queue, 50);
  compact(small);
  // The segment that is still open for new records is as it was.
  expect(storedBytes(small)).toBeLessThan(full / 25 + 64 * 1024);
  const wanted = Array.from({ length: MESSAGES / 50 }, (_, n) => n * 50);
  expect(idsOf(small, queue)).toEqual(wanted);
});

test('nothing is rewritten while sparse segments are few', () => {
  const small = new SmallBroker();
  const queue = filled(small);
  const full = storedBytes(small);
  thin(small, queue, 50);
  compact(small);
  expect(small.broker.core.compaction.done.segments).toBe(0);
  expect(storedBytes(small)).toBeGreaterThan(full / 2);
});

test('what two queues hold is kept until neither does', () => {
  const small = new SmallBroker();
  const [kept, drained] = [small.declare('kept'), small.declare('drained')];
  const { vhost } = small;
  for (const queue of [kept, drained]) {
    vhost.bindings.bind(vhost.exchange('amq.fanout'), queue, '', new Map());
  }
  for (let n = 0; n < MESSAGES; n++) {
    const body = Buffer.alloc(BODY_BYTES);
    body.writeUInt32BE(n);
    const sent = { exchange: 'amq.fanout', routingKey: '', properties: { deliveryMode: 2 } };
    small.publish(sent, body);
  }
  commit(small);
  small.broker.core.log.sparse.bytesMin = 0;
  const full = storedBytes(small);
  thin(small, drained, MESSAGES);
  compact(small);
  expect(storedBytes(small), 'one queue has them all').toBe(full);
  thin(small, kept, 100);
  compact(small);
  expect(storedBytes(small)).toBeLessThan(full / 50);
  expect(idsOf(small, kept)).toEqual(Array.from({ length: MESSAGES / 100 }, (_, n) => n * 100));
  expect(idsOf(small, drained)).toEqual([0]);
});

test('a pass is done in many turns, and what becomes ready meanwhile is not lost', () => {
  const small = new SmallBroker();
  const queue = filled(small);
  small.broker.core.log.sparse.bytesMin = 0;
  // A clock that goes on with each look makes every step the last one of its turn.
  let now = 0;
  Object.assign(small.broker.core, { clock: { wallMs: () => 0, monotonicMs: () => now++ } });
  thin(small, queue, 10);
  let turns = 0;
  while (small.broker.core.maintain()) {
    turns += 1;
    if (turns === 3) small.publish({ routingKey: 'q', properties: { deliveryMode: 2 } });
    commit(small);
  }
  expect(turns).toBeGreaterThan(10);
  expect(queue.readyCount).toBe(MESSAGES / 10 + 1);
  expect(positionsOf(queue).length).toBe(MESSAGES / 10 + 1);
  expect(idsOf(small, queue).slice(0, -1)).toEqual(
    Array.from({ length: MESSAGES / 10 }, (_, n) => n * 10),
  );
});

test('a queue that is purged or deleted in the midst of a pass is no trouble', () => {
  const small = new SmallBroker();
  const [purged, deleted, kept] = ['purged', 'deleted', 'kept'].map((name) =>
    filled(small, name),
  ) as [Queue, Queue, Queue];
  small.broker.core.log.sparse.bytesMin = 0;
  let now = 0;
  Object.assign(small.broker.core, { clock: { wallMs: () => 0, monotonicMs: () => now++ } });
  for (const queue of [purged, deleted, kept]) thin(small, queue, 10);
  for (let turns = 0; small.broker.core.maintain(); turns++) {
    if (turns === 1) purgeIn(small.vhost, purged);
    if (turns === 2) small.vhost.removeQueue(deleted);
    commit(small);
  }
  compact(small);
  expect(kept.readyCount).toBe(MESSAGES / 10);
  expect(idsOf(small, kept)).toEqual(Array.from({ length: MESSAGES / 10 }, (_, n) => n * 10));
});

test('messages that change between ready and waiting amid a walk are not lost', () => {
  const small = new SmallBroker();
  const queue = filled(small);
  queue.applyPolicy(new Map([['delayed-retry-min', 1_000]]), null);
  small.broker.core.log.sparse.bytesMin = 0;
  thin(small, queue, 50);
  // All that came back waits. A moment later half of it is ready, and then out with a consumer.
  small.pass(1_000);
  const out: number[] = [];
  while (queue.readyCount > 0) {
    const taken = queue.take();
    if (taken === null) commit(small);
    else out.push(taken.seq);
  }
  const held = out.filter((_seq, n) => n % 2 === 1);
  for (const seq of out) if (!held.includes(seq)) queue.requeue(seq);
  commit(small);
  const { waiting } = queue.delays;
  if (waiting === null) throw new Error('nothing waits');
  const visitPage = waiting.visitPage.bind(waiting);
  // As the walk has seen what is ready or out, and comes to what waits, both change places.
  waiting.visitPage = (cursor, visit) => {
    if (cursor === 0) {
      queue.delays.promoteFirst();
      queue.requeue(held.pop() as number);
      // What goes for good hides by its weight that another was not found.
      for (const seq of held.splice(0, 3)) queue.settle(seq);
      waiting.visitPage = visitPage;
    }
    return visitPage(cursor, visit);
  };
  compact(small);
  commit(small);
  const again = small.crashed();
  again.pass(1_000_000);
  expect(idsOf(again, again.queue('q'))).toHaveLength(MESSAGES / 50 - 3);
});

test('a broker that stops compacts nothing: its store may be closed before the last turn ends', () => {
  const { core } = new SmallBroker().broker;
  let runs = 0;
  core.compaction.run = () => {
    runs += 1;
    return true;
  };
  expect(core.maintain()).toBe(true);
  core.stop();
  expect([core.maintain(), runs]).toEqual([false, 1]);
});

test('a segment that is damaged is left as it is, and the others are rewritten', () => {
  const small = new SmallBroker();
  const queue = filled(small);
  small.broker.core.log.sparse.bytesMin = 0;
  thin(small, queue, 50);
  const log = small.broker.core.log;
  const [first] = log.sparse;
  // As if it had left memory for long.
  for (const segment of segmentsOf(log).values()) {
    if (!segment.open) Object.assign(segment, { bytes: null, view: null });
  }
  const table = small.disk.table(TABLE_SEGMENTS);
  const key = small.disk.keys(TABLE_SEGMENTS).find((each) => each.readUIntBE(0, 6) === first?.id);
  const spoilt = Buffer.from(table.get(key as Buffer) as Buffer);
  spoilt[20] = (spoilt[20] as number) ^ 1;
  table.put(key as Buffer, spoilt);
  compact(small);
  expect(small.broker.core.compaction.done.segments).toBeGreaterThan(2);
  expect(table.get(key as Buffer)).toEqual(spoilt);
});
