// Owns the tests of what goes on in a broker while a vhost arrives: others are served, nothing of it acts before all is there,
// and what came of other vhosts goes.

import { expect, test } from 'vitest';
import type { Field } from '../../../src/amqp/field-table.ts';
import { ALL_RIGHTS } from '../../../src/broker/access/grants.ts';
import { checkStore } from '../../../src/broker/check/check-store.ts';
import { takeVhost } from '../../../src/broker/moving/take-vhost.ts';
import { TABLE_SEGMENTS, TABLE_STREAMS } from '../../../src/store/tables.ts';
import { ControlledStore, type Disk } from '../controlled-store.ts';
import { paceTurns } from '../inspect.ts';
import {
  append,
  declareStream,
  numbered,
  readAll,
  streamOf,
} from '../queue/stream/stream-reader.ts';
import { SmallBroker } from '../small-broker.ts';
import { after, driven, moved, NAME, other, snapshotOf, within, wrongIn } from './full-vhost.ts';

const HOUR = 3_600_000;
const text = (value: string): Field => ({ type: 'S', value });
const int = (value: number): Field => ({ type: 'l', value });
const STORED = { deliveryMode: 2 };

/** The vhost in an empty broker. */
function empty(): SmallBroker {
  return within(new SmallBroker());
}

/** Has each look at the clock take a while, so that long acts have many turns. */
function paced(small: SmallBroker): void {
  let looks = 0;
  const monotonicMs = (): number => looks++;
  paceTurns(small.broker, { wallMs: () => small.nowMs, monotonicMs });
}

function storedBytes(disk: Disk): number {
  const table = disk.table(TABLE_SEGMENTS);
  return disk.keys(TABLE_SEGMENTS).reduce((sum, key) => sum + (table.get(key)?.length ?? 0), 0);
}

test('no batch is large, no turn is long, and clients of other vhosts are served between', async () => {
  const a = empty();
  a.declare('q');
  for (let n = 0; n < 400; n++)
    a.publish({ routingKey: 'q', properties: STORED }, Buffer.alloc(9_000, n));
  a.commit();
  const b = within(other(a.nowMs));
  paced(b);
  const { broker, store } = b;
  const inside = b.vhost;
  const own = broker.vhost('/');
  let batchMax = 0;
  let turns = 0;
  let steps = 0;
  const { put } = store;
  store.put = (...row) => {
    steps += 1;
    put.apply(store, row);
  };
  let stepsMax = 0;
  const sealed = store.seal.bind(store);
  store.seal = () => {
    batchMax = Math.max(batchMax, store.gatheredBytes);
    return sealed();
  };
  const options = { gatheredBytesMax: 200_000 };
  await driven(b, takeVhost(broker, inside, snapshotOf(a), options), () => {
    turns += 1;
    stepsMax = Math.max(stepsMax, steps);
    steps = 0;
    b.vhost = own;
    b.publish({ routingKey: 'own', properties: STORED });
    b.vhost = inside;
  });
  expect(turns).toBeGreaterThan(20);
  expect(stepsMax).toBeLessThan(50);
  expect(batchMax).toBeLessThan(200_000 + 3 * 65_536);
  expect([b.queue('q').readyCount, own.queues.get('own')?.readyCount]).toEqual([400, 500 + turns]);
  expect(wrongIn(b)).toBeNull();
});

test('what expires as the vhost arrives is dead-lettered to queues that are read back later', async () => {
  const a = empty();
  const letters = { 'x-message-ttl': int(HOUR), 'x-dead-letter-exchange': text('dead') };
  const exchange = { name: 'dead', type: 'fanout', durable: true, autoDelete: false };
  a.vhost.as(ALL_RIGHTS).declareExchange({ ...exchange, internal: false, arguments: new Map() });
  a.declare('q', true, letters);
  for (let n = 0; n < 40; n++) a.declare(`between ${n}`);
  a.declare('the last one of all queues');
  const last = a.queue('the last one of all queues');
  a.vhost.bindings.bind(a.vhost.exchange('dead'), last, '', new Map());
  a.declare('unused', true, { 'x-expires': int(1_000) });
  a.fill('q', 300);
  a.commit();
  const b = other(a.nowMs + 2 * HOUR);
  within(b);
  paced(b);
  let partly = 0;
  await moved(snapshotOf(a), b, () => {
    b.nowMs += 10;
    b.broker.core.tick();
    const { size } = b.vhost.queues;
    if (size > 0 && size < 42) {
      partly += 1;
      expect(b.queue('q').readyCount).toBe(300);
    }
  });
  expect(partly).toBeGreaterThan(3);
  b.run();
  b.pass(2_000);
  const { queues } = b.vhost;
  expect(queues.get('q')?.readyCount).toBe(0);
  expect(queues.get('the last one of all queues')?.readyCount).toBe(300);
  expect([queues.has('unused'), b.broker.core.setAsideRows.count]).toEqual([false, 0]);
  expect(wrongIn(b)).toBeNull();
});

test('what a stream lets go of as it is read back stays for queues that are read back later', async () => {
  const a = empty();
  const exchange = { name: 'all', type: 'fanout', durable: true, autoDelete: false };
  a.vhost.as(ALL_RIGHTS).declareExchange({ ...exchange, internal: false, arguments: new Map() });
  declareStream(a, 's', { 'x-max-age': text('1h') });
  for (let n = 0; n < 20; n++) a.declare(`between ${n}`);
  a.declare('the last one of all queues');
  for (const queue of [streamOf(a), a.queue('the last one of all queues')]) {
    a.vhost.bindings.bind(a.vhost.exchange('all'), queue, '', new Map());
  }
  for (let n = 0; n < 700; n++) {
    a.publish({ exchange: 'all', routingKey: '', properties: STORED }, Buffer.alloc(300, n));
  }
  a.commit();
  const b = within(other(a.nowMs + 2 * HOUR));
  paced(b);
  await moved(snapshotOf(a), b, () => b.broker.core.tick());
  b.run();
  expect(streamOf(b).entries.first).toBeGreaterThan(0);
  expect(wrongIn(b)).toBeNull();
  expect(b.readyNow(b.queue('the last one of all queues'))).toHaveLength(700);
});

test('what segments have of other vhosts goes as they are compacted', async () => {
  const a = empty();
  a.declare('q');
  const inside = a.vhost;
  for (let n = 0; n < 300; n++) {
    a.publish({ routingKey: 'q', properties: STORED }, Buffer.alloc(100, 1));
    a.vhost = a.broker.vhost('/');
    if (n === 0) a.declare('noise');
    a.publish({ routingKey: 'noise', properties: STORED }, Buffer.alloc(2_000, 2));
    a.vhost = inside;
  }
  a.commit();
  const b = new SmallBroker(undefined, a.nowMs);
  b.broker.core.log.sparse.bytesMin = 0;
  await moved(snapshotOf(a), b);
  expect(storedBytes(b.disk)).toBeGreaterThan(600_000);
  for (let n = 0; n < 100; n++) {
    b.broker.core.maintain();
    b.run();
  }
  expect(storedBytes(b.disk)).toBeLessThan(90_000);
  expect(wrongIn(b)).toBeNull();
  const next = after(b);
  expect(next.readyNow(next.queue('q'))).toHaveLength(300);
});

test('a segment that none of the vhost needs does not come, and those that are not needed any more go', async () => {
  const a = empty();
  a.vhost = a.broker.vhost('/');
  a.declare('noise');
  for (let n = 0; n < 20; n++)
    a.publish({ routingKey: 'noise', properties: STORED }, Buffer.alloc(30_000));
  within(a);
  a.declare('q');
  a.publish({ routingKey: 'q', properties: STORED }, Buffer.alloc(30_000, 7));
  a.publish({ routingKey: 'q', properties: STORED }, Buffer.alloc(200_000, 8));
  a.commit();
  const b = new SmallBroker(undefined, a.nowMs);
  await moved(snapshotOf(a), b);
  expect(storedBytes(b.disk)).toBeLessThan(240_000);
  expect(b.readyNow(b.queue('q')).map(({ length }) => length)).toEqual([30_000, 200_000]);
  b.run();
  expect(storedBytes(b.disk)).toBe(0);
});

test('a stream of more than a span comes with its spans, and those of pages that are gone need nothing', async () => {
  const SPAN = 65_536;
  const a = empty();
  declareStream(a, 'full');
  append(a, 0, SPAN + 10, 'full');
  a.run();
  declareStream(a, 's', { 'x-max-length': int(SPAN) });
  append(a, 0, SPAN + 2_000);
  a.run();
  expect(a.disk.keys(TABLE_STREAMS)).toHaveLength(2);
  const b = other(a.nowMs);
  await moved(snapshotOf(a), b);
  expect(checkStore(new ControlledStore(b.disk.copy())).damage).toEqual([]);
  expect(wrongIn(b)).toBeNull();
  const { first, tail } = streamOf(b).entries;
  expect([first > 0, tail]).toEqual([true, SPAN + 2_000]);
  expect(readAll(b)).toEqual(numbered(first, tail));
  const next = after(b);
  expect(wrongIn(next)).toBeNull();
  expect(readAll(next, 'full')).toEqual(numbered(0, SPAN + 10));
  expect(b.broker.vhosts.has(NAME)).toBe(true);
});
