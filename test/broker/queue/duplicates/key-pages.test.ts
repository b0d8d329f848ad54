// Owns the tests of keys on the disk: what a damaged row ends, what is forgotten with a queue or a rule, and how many
// bytes a key takes in memory.

import { expect, test } from 'vitest';
import type { Field, FieldTable } from '../../../../src/amqp/field-table.ts';
import { readPolicy } from '../../../../src/broker/policy/policy.ts';
import { redriveMessage } from '../../../../src/broker/republish/redrive.ts';
import { QueueWalk } from '../../../../src/broker/view/browse/queue-walk.ts';
import { TABLE_KEYS } from '../../../../src/store/tables.ts';
import { purgeNow } from '../../purge.ts';
import { SmallBroker } from '../../small-broker.ts';

const int = (value: number): Field => ({ type: 'l', value });
const text = (value: string): Field => ({ type: 'S', value });
const TIMED = {
  'x-message-deduplication': { type: 't', value: true },
  'x-cache-ttl': int(1e9),
} as const;

function publish(small: SmallBroker, key: string, queue = 'q', ttlMs = -1): void {
  const headers: FieldTable = new Map([['x-deduplication-header', text(key)]]);
  if (ttlMs >= 0) headers.set('x-cache-ttl', int(ttlMs));
  small.publish({ routingKey: queue, properties: { deliveryMode: 2, headers } });
}

/** A broker whose queue knows keys of so many pages. */
function withPages(pages: number): SmallBroker {
  const small = new SmallBroker();
  small.declare('q', true, TIMED);
  for (let n = 0; n < pages * 252; n++) publish(small, `k${n}`);
  small.commit();
  return small;
}

/** How many of these keys are known. */
function known(small: SmallBroker, from: number, to: number): number {
  const { counts } = small.queue('q');
  const before = counts.duplicates;
  for (let n = from; n < to; n++) publish(small, `k${n}`);
  return counts.duplicates - before;
}

test('a page of 252 keys is a row that fits a page of the store', () => {
  const small = withPages(3);
  const keys = small.disk.keys(TABLE_KEYS);
  expect(keys.length).toBe(3);
  for (const key of keys) {
    expect(small.disk.table(TABLE_KEYS).get(key)?.length).toBeLessThanOrEqual(4096 - 16);
  }
});

test('a key lasts for its own time beside keys that last for ever, and those beside it', () => {
  const ten = 10 * 365 * 86_400_000;
  for (const times of [
    [-1, 60_000, 1, ten, -1],
    [ten, -1, 60_000],
    [0, ten, 2 ** 31, -1],
  ]) {
    let small = new SmallBroker();
    const { 'x-cache-ttl': _, ...dedup } = TIMED;
    small.declare('q', true, { ...dedup, 'x-cache-size': int(100) });
    times.forEach((ttlMs, n) => {
      publish(small, `k${n}`, 'q', ttlMs);
    });
    const lasting = times.filter((ttlMs) => ttlMs !== 0 && ttlMs !== 1).length;
    small.commit();
    small.pass(59_000);
    expect(known(small, 0, times.length)).toBe(lasting);
    small.commit();
    small = small.crashed();
    expect(known(small, 0, times.length)).toBe(times.length);
  }
});

test('in whatever order keys end, pages are filled', () => {
  const timed = new SmallBroker();
  timed.declare('q', true, TIMED);
  for (let n = 0; n < 504; n++) publish(timed, `k${n}`, 'q', 1e9 - n * 1_000);
  timed.commit();
  expect(timed.disk.keys(TABLE_KEYS).length).toBe(2);

  const retried = new SmallBroker();
  const { 'x-cache-ttl': _, ...dedup } = TIMED;
  const queue = retried.declare('q', true, { ...dedup, 'x-delayed-retry-min': int(1e6) });
  for (let n = 0; n < 504; n++) publish(retried, `k${n}`);
  retried.commit();
  const given = retried.consume(queue);
  retried.run();
  const seqs = given.map(({ seq }) => seq);
  for (const seq of seqs.reverse()) queue.requeue(seq);
  retried.commit();
  expect(queue.delayedCount).toBe(504);
  expect(retried.disk.keys(TABLE_KEYS).length).toBe(2);
});

test('damage to a row ends the keys of that row alone, and is told', () => {
  const damages: readonly ((row: Buffer) => Buffer)[] = [
    (row) => row.subarray(0, 20),
    () => Buffer.alloc(0),
    (row) => {
      const other = Buffer.from(row);
      other[100] = (other[100] as number) ^ 1;
      return other;
    },
  ];
  for (const damage of damages) {
    const small = withPages(3);
    const [, second] = small.disk.keys(TABLE_KEYS) as [Buffer, Buffer];
    const table = small.disk.table(TABLE_KEYS);
    const broken = damage(table.get(second) as Buffer);
    table.put(second, broken);
    const after = small.crashed();
    const aside = [...after.broker.core.setAsideRows.list()];
    expect(aside.map(({ kind, holdsMessages }) => [kind, holdsMessages])).toEqual([
      ['keys of messages', false],
    ]);
    expect(after.queue('q').readyCount).toBe(3 * 252);
    expect(known(after, 0, 252)).toBe(252);
    expect(known(after, 252, 504)).toBe(0);
    expect(known(after, 504, 756)).toBe(252);
    after.commit();
    // It is not written over.
    expect(table.get(second)).toEqual(broken);
    after.broker.core.setAsideRows.drop(aside[0] as (typeof aside)[0]);
    after.commit();
    const last = after.crashed();
    expect([...last.broker.core.setAsideRows.list()]).toEqual([]);
    expect(known(last, 0, 756)).toBe(756);
  }
});

test('a key of the table that is none, and a row of an odd kind, end nothing', () => {
  const small = withPages(1);
  const table = small.disk.table(TABLE_KEYS);
  table.put(Buffer.from('odd'), Buffer.from('row'));
  const [sound] = small.disk.keys(TABLE_KEYS).filter((key) => key.length === 10) as [Buffer];
  const short = Buffer.from(sound.subarray(0, 9));
  short[8] = 1;
  table.put(short, Buffer.from('row'));
  table.put(Buffer.alloc(10, 0xff), Buffer.alloc(12));
  const after = small.crashed();
  expect(known(after, 0, 252)).toBe(252);
});

test('with a queue its rows go, also where the broker ends meanwhile, and another queue has none of them', () => {
  for (const crashes of [false, true]) {
    let small = withPages(60);
    const { sweeps } = small.broker.core;
    sweeps.firstPages = 1;
    sweeps.batchPages = 1;
    small.vhost.removeQueue(small.queue('q'));
    small.commit();
    expect(small.disk.keys(TABLE_KEYS).length).toBeGreaterThan(30);
    if (crashes) small = small.crashed();
    small.declare('q', true, TIMED);
    expect(known(small, 0, 10)).toBe(0);
    small.run();
    expect(small.disk.keys(TABLE_KEYS).length).toBe(1);
    small = small.crashed();
    expect(known(small, 0, 20)).toBe(10);
  }
});

test('a policy begins the search, changes it and ends it; what was known before another rule is forgotten', () => {
  let small = new SmallBroker();
  const queue = small.declare('q');
  const go = (definition: Record<string, string | number | boolean>): void => {
    const input = { pattern: '^q$', definition };
    small.vhost.policies.set('policy', readPolicy('policy', 'p', input));
    small.run();
  };
  const again = (): boolean => {
    const { duplicates } = queue.counts;
    publish(small, 'a');
    return queue.counts.duplicates > duplicates;
  };
  expect([again(), again()]).toEqual([false, false]);
  go({ 'x-message-deduplication': true, 'x-cache-ttl': 5_000 });
  expect([again(), again()]).toEqual([false, true]);
  go({ 'message-deduplication': true, 'cache-ttl': 5_000 });
  expect(again()).toBe(true);
  go({ 'message-deduplication': true });
  expect([again(), again()]).toEqual([false, true]);
  go({ 'message-deduplication': true, 'cache-release': 'ttl' });
  expect([again(), again()]).toEqual([false, true]);
  go({ 'max-length': 100 });
  expect([again(), again()]).toEqual([false, false]);
  expect(small.disk.keys(TABLE_KEYS)).toEqual([]);
  go({ 'message-deduplication': true, 'cache-size': 10 });
  expect([again(), again()]).toEqual([false, true]);
  small.commit();
  small = small.crashed();
  publish(small, 'a');
  expect(small.queue('q').counts.duplicates).toBe(1);
});

test('rows of a time when the queue looked for duplicates before mean nothing when it does again', () => {
  const small = withPages(1);
  const table = small.disk.table(TABLE_KEYS);
  const [key] = small.disk.keys(TABLE_KEYS) as [Buffer];
  const row = table.get(key) as Buffer;
  const go = (broker: SmallBroker, on: boolean): void => {
    const input = { pattern: '^q$', definition: { 'message-deduplication': on } };
    broker.vhost.policies.set('policy', readPolicy('policy', 'p', input));
    broker.run();
  };
  go(small, false);
  // As after a crash between the policy and the removal of the rows.
  table.put(key, row);
  const after = small.crashed();
  expect(known(after, 0, 10)).toBe(0);
  go(after, true);
  expect(known(after, 0, 10)).toBe(0);
  expect(known(after, 0, 20)).toBe(10);
  after.run();
  expect(known(after.crashed(), 0, 252)).toBe(20);
});

test('what an operator moves is no duplicate of itself, and its key is known where it comes to', () => {
  const small = new SmallBroker();
  small.declare('q', true, TIMED);
  small.declare('other', true, TIMED);
  publish(small, 'a');
  const move = (from: string, to: string): void => {
    small.commit();
    const clock = { wallMs: () => 0, monotonicMs: () => 0 };
    new QueueWalk(small.queue(from), small.broker.core.log, clock, '').run((entry, message) => {
      const moved = redriveMessage(
        ...([small.broker.core, small.vhost, small.queue(from), entry, message] as const),
        small.queue(to),
      );
      expect(moved).toBe('moved');
      return true;
    });
  };
  move('q', 'other');
  publish(small, 'a', 'other');
  expect(small.queue('other').counts.duplicates).toBe(1);
  move('other', 'q');
  expect(small.queue('q').readyCount).toBe(1);
  expect(small.queue('q').counts.duplicates).toBe(0);
});

test('keys of messages that had waited go with these, also where their pages on the disk stay as they are', () => {
  const args = { 'x-message-deduplication': { type: 't', value: true } } as const;
  let small = new SmallBroker();
  let queue = small.declare('q', true, args);
  const count = 600;
  const send = (): void => {
    for (let n = 0; n < count; n++) {
      const headers: FieldTable = new Map([
        ['x-deduplication-header', text(`k${n}`)],
        ['x-delay', int(1_000)],
      ]);
      small.publish({ routingKey: 'q', properties: { deliveryMode: 2, headers } });
    }
  };
  send();
  small.pass(1_000);
  expect(queue.readyCount).toBe(count);
  purgeNow(queue);
  small.run();
  small = small.crashed();
  queue = small.queue('q');
  expect(queue.duplicates?.keys.count).toBe(0);
  send();
  expect(queue.delayedCount).toBe(count);
  small.commit();
  small = small.crashed();
  queue = small.queue('q');
  expect(queue.duplicates?.keys.count).toBe(count);
});

test('what a rule forgot stays forgotten where the broker ends while its rows are being removed', () => {
  let small = withPages(60);
  const { sweeps } = small.broker.core;
  sweeps.firstPages = 1;
  sweeps.batchPages = 1;
  const go = (release: string): void => {
    const input = { pattern: '^q$', definition: { 'cache-release': release } };
    small.vhost.policies.set('policy', readPolicy('policy', 'p', input));
    small.broker.core.deliver();
  };
  go('ack');
  small.commit();
  expect(small.disk.keys(TABLE_KEYS).length).toBeGreaterThan(20);
  small = small.crashed();
  go('ttl');
  expect(known(small, 0, 20)).toBe(0);
  small.run();
  small = small.crashed();
  expect(known(small, 0, 40)).toBe(20);
});

test('keys that were all forgotten are so after a crash in the midst of removing their rows', () => {
  const small = withPages(60);
  Object.assign(small.broker.core.sweeps, { firstPages: 1, batchPages: 1 });
  small.queue('q').duplicates?.clear();
  small.commit();
  expect(small.disk.keys(TABLE_KEYS).length).toBeGreaterThan(20);
  const after = small.crashed();
  const [from, to] = [50 * 252, 50 * 252 + 10];
  expect(known(after, from, to)).toBe(0);
  expect(known(after, from, to)).toBe(10);
  after.run();
  expect(after.disk.keys(TABLE_KEYS).length).toBe(1);
  expect(known(after.restarted(), from, to)).toBe(10);
});
