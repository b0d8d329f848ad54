// Owns the tests of starts on a store of which some rows cannot be read: the rest is served, and nothing
// is deleted.

import { expect, test } from 'vitest';
import { AmqpError } from '../../../src/amqp/errors.ts';
import { ALL_RIGHTS } from '../../../src/broker/access/grants.ts';
import { trialStart } from '../../../src/broker/check/trial-start.ts';
import { encodeRow, rowKey } from '../../../src/store/row.ts';
import {
  TABLE_ACCESS,
  TABLE_DEFINITIONS,
  TABLE_MARKS,
  TABLE_PAGES,
  TABLE_POLICIES,
  TABLE_PURGES,
  TABLE_SEGMENTS,
  TABLE_SET_ASIDE,
} from '../../../src/store/tables.ts';
import { purgeIn } from '../purge.ts';
import { SmallBroker } from '../small-broker.ts';
import { lettersIn, long, publishEach, setAsideIn } from './damage.ts';

const NONE = new Map();

/** Two queues with messages, a binding, a policy, and a vhost of its own with a queue. */
function filled(): SmallBroker {
  const small = new SmallBroker();
  small.declare('good');
  small.declare('other', true, { 'x-max-priority': long(5) });
  small.vhost.as(ALL_RIGHTS).declareExchange({
    name: 'topics',
    type: 'topic',
    durable: true,
    autoDelete: false,
    internal: false,
    arguments: NONE,
  });
  small.vhost.bindings.bind(small.vhost.exchange('topics'), small.queue('good'), 'key', NONE);
  publishEach(small, 'good', 'abc');
  publishEach(small, 'other', 'xyz');
  small.run();
  return small;
}

/** Every row of the table, or the one with that key, loses its last byte, or all of them. */
function spoil(small: SmallBroker, table: number, key?: Buffer): void {
  const rows = small.disk.table(table);
  for (const each of key === undefined ? small.disk.keys(table) : [key]) {
    const value = rows.get(each) as Buffer;
    rows.put(each, Buffer.from(value.subarray(0, value.length - 1)));
  }
}

function rowsAside({ broker }: SmallBroker): string[] {
  return [...broker.core.setAsideRows.list()].map(
    ({ kind, vhost, name }) => `${kind} ${vhost} ${name}`,
  );
}

function pageOf(small: SmallBroker, name: string): Buffer {
  const { id } = small.queue(name);
  const key = small.disk.keys(TABLE_PAGES).find((each) => each.readUInt32BE(0) === id);
  return key as Buffer;
}

function replyOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return error instanceof AmqpError ? `${error.code} ${error.replyText}` : String(error);
  }
  return 'done';
}

const ofTable = (small: SmallBroker): string[] =>
  [1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap((table) =>
    small.disk.keys(table).map((key) => `${table} ${key.toString('hex')}`),
  );

test('a queue whose page cannot be read is set aside, and the others are served', () => {
  const first = filled();
  spoil(first, TABLE_PAGES, pageOf(first, 'other'));
  const before = ofTable(first);
  const small = first.restarted();
  expect(rowsAside(small)).toEqual(['queue / other']);
  expect(lettersIn(small, 'good')).toBe('abc');
  small.run();
  expect(ofTable(small)).toEqual(expect.arrayContaining(before));
  const text = /^541 INTERNAL_ERROR - queue 'other' in vhost '\/' is set aside.*list set-aside/;
  expect(replyOf(() => small.queue('other'))).toMatch(text);
  expect(replyOf(() => small.declare('other'))).toMatch(text);
});

test('a queue that is set aside refuses what is published to it, and comes back once it can be read', () => {
  const first = filled();
  const key = pageOf(first, 'other');
  const sound = Buffer.from(first.disk.table(TABLE_PAGES).get(key) as Buffer);
  spoil(first, TABLE_PAGES, key);
  let small = first.restarted();
  publishEach(small, 'other', 'q');
  // All that others consume in the meantime frees nothing that the queue may need.
  const { vhost } = small;
  purgeIn(vhost, small.queue('good'));
  small.run();
  small.disk.table(TABLE_PAGES).put(key, sound);
  small = small.restarted();
  expect(rowsAside(small)).toEqual([]);
  expect(lettersIn(small, 'other')).toBe('xyz');
});

test('a queue whose definition cannot be read keeps its messages and its name', () => {
  const first = filled();
  spoil(first, TABLE_DEFINITIONS, rowKey('q', '/', 'good'));
  const before = ofTable(first);
  const small = first.restarted();
  expect(rowsAside(small)).toEqual(['queue / good']);
  small.run();
  expect(ofTable(small)).toEqual(expect.arrayContaining(before));
  expect(replyOf(() => small.declare('good'))).toMatch(/^541 .*'good'/);
  // Ids of queues that cannot be read are not given out again.
  const ids = small.disk.keys(TABLE_PAGES).map((each) => each.readUInt32BE(0));
  expect(ids).not.toContain(small.declare('new').id);
});

test('a binding to a queue that is not there is set aside, and all else is served', () => {
  const first = filled();
  first.disk.table(TABLE_DEFINITIONS).remove(rowKey('q', '/', 'good'));
  const small = first.restarted();
  expect([...small.broker.core.setAsideRows.list()]).toMatchObject([
    { kind: 'binding', vhost: '/', error: "Error: there is no queue 'good'" },
  ]);
  expect(lettersIn(small, 'other')).toBe('xyz');
});

test('a binding whose key its exchange cannot use is set aside, and leaves nothing in the exchange', () => {
  const first = filled();
  const { name, durable, autoDelete, internal, arguments: args } = first.vhost.exchange('topics');
  const type = 'x-consistent-hash';
  const row = { name, type, durable, autoDelete, internal, arguments: args };
  first.broker.definitionRows.putExchange('/', row);
  first.run();
  const small = first.restarted();
  expect([...small.broker.core.setAsideRows.list()]).toMatchObject([
    { kind: 'binding', vhost: '/' },
  ]);
  const exchange = small.vhost.exchange('topics');
  expect([exchange.type, exchange.bindings.size]).toEqual([type, 0]);
  small.publish({ exchange: 'topics', routingKey: 'key' });
  expect(lettersIn(small, 'good')).toBe('abc');
  small.vhost.bindings.unbind(exchange, small.queue('good'), 'key', NONE);
  small.vhost.bindings.bind(exchange, small.queue('good'), '1', NONE);
  small.vhost.as(ALL_RIGHTS).deleteExchange('topics', false);
  expect(small.broker.core.line.underWay).toBe(false);
});

test('a message that its queue names and the log lacks is set aside alone', () => {
  const first = filled();
  const [lost] = first.disk.keys(TABLE_SEGMENTS);
  first.disk.table(TABLE_SEGMENTS).remove(lost as Buffer);
  let small = first.restarted();
  expect(setAsideIn(small)).toEqual(['good recovery Error']);
  expect(small.queue('good').readyCount).toBe(2);
  small.run();
  small = small.restarted();
  expect(setAsideIn(small)).toEqual(['good recovery Error']);
  expect(lettersIn(small, 'good')).toBe('bc');
  for (const message of [...small.broker.core.setAside.list()])
    small.broker.core.setAside.drop(message);
  small.run();
  expect(setAsideIn(small.restarted())).toEqual([]);
});

test('an exchange that cannot be read is set aside with its bindings, and not declared anew', () => {
  const first = filled();
  spoil(first, TABLE_DEFINITIONS, rowKey('x', '/', 'topics'));
  const small = first.restarted();
  expect(rowsAside(small)[0]).toBe('exchange / topics');
  expect(small.broker.core.setAsideRows.count).toBe(2);
  expect(replyOf(() => small.vhost.exchange('topics'))).toMatch(/^541 .*exchange 'topics'/);
  expect(replyOf(() => small.vhost.as(ALL_RIGHTS).deleteExchange('topics', false))).toMatch(/^541/);
  expect(lettersIn(small, 'good')).toBe('abc');
});

test('a vhost that cannot be read is set aside, and is whole again when it is put anew', () => {
  const first = filled();
  const extra = first.broker.putVhost('extra');
  const declaration = { durable: true, autoDelete: false, owner: null, arguments: NONE };
  extra.as(ALL_RIGHTS, first).declareQueue({ name: 'inner', ...declaration });
  first.run();
  spoil(first, TABLE_ACCESS, rowKey('v', 'extra'));
  let small = first.restarted();
  expect(rowsAside(small)).toEqual(['vhost extra extra']);
  expect(replyOf(() => small.broker.vhost('extra'))).toMatch(/^541 .*vhost 'extra' is set aside/);
  expect(lettersIn(small, 'good')).toBe('abc');
  expect(small.broker.putVhost('extra').queues.has('inner')).toBe(true);
  small = small.restarted();
  expect(rowsAside(small)).toEqual([]);
  expect(small.broker.vhost('extra').queues.has('inner')).toBe(true);
});

test('rows that are no JSON, have no fields or unknown ones never stop a start', () => {
  for (const json of [{}, { name: 7 }, { id: -1, arguments: '!' }, [], 'x']) {
    for (const [table, key] of [
      [TABLE_DEFINITIONS, rowKey('q', '/', 'good')],
      [TABLE_DEFINITIONS, rowKey('x', '/', 'topics')],
      [TABLE_DEFINITIONS, rowKey('b', '/', 'topics', Buffer.alloc(32))],
      [TABLE_ACCESS, rowKey('u', 'somebody')],
      [TABLE_ACCESS, rowKey('p', 'somebody', '/')],
      [TABLE_ACCESS, rowKey('t', 'somebody', '/', 'topics')],
      [TABLE_POLICIES, rowKey('p', '/', 'policy')],
      [TABLE_POLICIES, rowKey('o', '/', 'policy')],
      [TABLE_POLICIES, rowKey('r', '/', 'component', 'parameter')],
      [TABLE_POLICIES, rowKey('g', 'parameter')],
      [TABLE_SET_ASIDE, Buffer.of(0, 0, 0, 0, 0, 7)],
      [TABLE_SET_ASIDE, Buffer.of(1)],
      [TABLE_PURGES, Buffer.alloc(16, 1)],
    ] as const) {
      const first = filled();
      first.disk.table(table).put(key, encodeRow(json as never));
      const small = first.restarted();
      expect(small.broker.core.setAsideRows.count, `${table} ${key}`).toBeGreaterThan(0);
      expect(lettersIn(small, 'other')).toBe('xyz');
    }
  }
});

test('damage to every row of a table leaves a broker that starts', () => {
  for (const table of [TABLE_DEFINITIONS, TABLE_POLICIES, TABLE_PAGES, TABLE_MARKS]) {
    const first = filled();
    const store = first.disk.table(table);
    first.broker.sealExactMarks();
    first.commit();
    const count = [...store.keys(Buffer.alloc(0), Buffer.alloc(255, 0xff))].length;
    spoil(first, table);
    const small = first.crashed();
    expect(small.broker.core.setAsideRows.count > 0 || count === 0, `table ${table}`).toBe(true);
    small.run();
    expect([...store.keys(Buffer.alloc(0), Buffer.alloc(255, 0xff))].length).toBe(count);
  }
});

test('a check finds what a start would set aside, and changes nothing by that', () => {
  const first = filled();
  first.disk.table(TABLE_DEFINITIONS).remove(rowKey('q', '/', 'good'));
  const before = ofTable(first);
  const found = trialStart(first.store, []);
  expect(found).toMatchObject([
    { kind: 'binding', what: expect.stringContaining("no queue 'good'") },
  ]);
  first.commit();
  expect(ofTable(first)).toEqual(before);
});

test('what throws in the midst of a change leaves it under way, what is refused before does not', () => {
  const { broker, vhost } = filled();
  const { definitionRows, changes } = broker;
  const exchange = vhost.exchange('topics');
  definitionRows.putQueue = () => {
    throw new Error('no row');
  };
  const declaration = { durable: true, autoDelete: false, owner: null, arguments: NONE };
  expect(() => vhost.restoreQueue({ name: 'early', ...declaration })).toThrow('no row');
  expect(broker.core.line.underWay).toBe(false);
  expect(vhost.queues.has('early')).toBe(false);
  changes.listener = () => {
    throw new Error('half done');
  };
  expect(() => vhost.restoreQueue({ name: 'late', ...declaration, durable: false })).toThrow(
    'half done',
  );
  expect(broker.core.line.underWay).toBe(true);
  expect(exchange.deleted).toBe(false);
});
