// Owns the tests of what operators do with what is set aside, and of who may.

import { beforeEach, expect, test } from 'vitest';
import { textField } from '../../../src/amqp/field-table.ts';
import { View } from '../../../src/broker/view.ts';
import { rowKey } from '../../../src/store/row.ts';
import {
  TABLE_DEFINITIONS,
  TABLE_MARKS,
  TABLE_PAGES,
  TABLE_STREAMS,
} from '../../../src/store/tables.ts';
import { found } from '../../../src/util/rows.ts';
import { declareStream } from '../queue/stream/stream-reader.ts';
import { SmallBroker } from '../small-broker.ts';
import { damage, lettersIn, long, publishEach, restartedWithout, setAsideIn } from './damage.ts';

let small: SmallBroker;
let view: View;

/** A queue of which one message is set aside, a user who may do all, and one who may only write. */
beforeEach(() => {
  const first = new SmallBroker();
  first.declare('work', true, { 'x-message-ttl': long(1000) });
  publishEach(first, 'work', 'a');
  small = restartedWithout(first, 'a');
  small.pass(2000);
  const { access } = small.broker;
  for (const [name, read] of [
    ['all', '.*'],
    ['writer', ''],
  ] as const) {
    access.putUserWithHash({ name, tags: [] }, '', 'rabbit_password_hashing_sha256');
    access.setPermission({ user: name, vhost: '/', configure: '', write: '.*', read });
  }
  view = new View(small.broker, '1');
});

test('what is set aside is listed with its queue, its place and the error', () => {
  expect([...found(view.snapshots.setAsideIn(['/'], false))]).toMatchObject([
    {
      id: '1',
      kind: 'message',
      vhost: '/',
      name: 'work',
      doing: 'expiry',
      seq: 0,
      persistent: true,
    },
  ]);
  expect([...found(view.snapshots.setAsideIn([], false))]).toEqual([]);
});

test('a message is exported with its bytes, or without them where they cannot be read', () => {
  const { setAside } = view.actor('all', '/');
  expect(setAside.export('work', '1')).toMatchObject({ record: null, message: null });
  damage(small, 'a');
  const { message, record } = setAside.export('work', '1');
  expect(message?.payload_bytes).toBe(20_000);
  expect(Buffer.from(record as string, 'base64').includes('aaaa')).toBe(true);
});

test('trying again puts a message back, unless its queue is full', () => {
  damage(small, 'a');
  const { setAside } = view.actor('all', '/');
  small.queue('work').applyPolicy(
    new Map<string, number | string>([
      ['max-length', 0],
      ['overflow', 'reject-publish'],
    ]),
    null,
  );
  expect(() => setAside.retry('work', '1')).toThrow(/full/);
  expect(setAsideIn(small)).toHaveLength(1);
  small.queue('work').applyPolicy(null, null);
  expect(setAside.retry('work', 'all')).toBe(1);
  expect(lettersIn(small, 'work')).toBe('a');
  expect(() => setAside.retry('work', '1')).toThrow(/no message 1/);
});

test('nobody sees, tries again or drops what it may not read', () => {
  const { setAside } = view.actor('writer', '/');
  expect(() => setAside.list('work')).toThrow(/ACCESS_REFUSED|refused/);
  expect(() => setAside.export('work', '1')).toThrow(/refused/);
  expect(() => setAside.retry('work', '1')).toThrow(/refused/);
  expect(() => setAside.drop('work', 'all')).toThrow(/refused/);
  expect(view.actor('all', '/').setAside.drop('work', 'all')).toBe(1);
});

test('a queue that is set aside can be given up, with its rows', () => {
  small.declare('other');
  publishEach(small, 'other', 'x');
  small.run();
  const key = rowKey('q', '/', 'other');
  const { id } = small.queue('other');
  const page = small.disk.keys(TABLE_PAGES).find((each) => each.readUInt32BE(0) === id) as Buffer;
  small.disk.table(TABLE_PAGES).put(page, Buffer.alloc(3));
  small = small.restarted();
  view = new View(small.broker, '1');
  view.dropSetAsideRow(`${TABLE_DEFINITIONS}-${key.toString('hex')}`);
  small.run();
  expect(small.disk.keys(TABLE_PAGES)).toEqual([]);
  expect(small.declare('other').readyCount).toBe(0);
  small = small.restarted();
  expect(small.broker.core.setAsideRows.count).toBe(0);
});

test('a stream that is set aside can be given up, with all of its rows', () => {
  small = new SmallBroker();
  const stream = declareStream(small, 's', { 'x-max-age': textField('1h') });
  publishEach(small, 's', 'x');
  small.run();
  stream.movePlace('g', 1);
  small.pass(2 * 3_600_000);
  const mark = small.disk.keys(TABLE_MARKS).find((each) => each.readUInt32BE(0) === stream.id);
  small.disk.table(TABLE_MARKS).put(mark as Buffer, Buffer.alloc(3));
  small = small.restarted();
  const [aside] = [...small.broker.core.setAsideRows.list()];
  expect(aside).toMatchObject({ kind: 'queue', name: 's' });
  expect(small.disk.keys(TABLE_STREAMS)).toHaveLength(1);
  view = new View(small.broker, '1');
  view.dropSetAsideRow(String(aside?.id));
  small.run();
  expect(small.disk.keys(TABLE_STREAMS)).toEqual([]);
  small = small.restarted();
  expect(small.broker.core.setAsideRows.count).toBe(0);
});

test('rows of streams are named by what they are', () => {
  small = new SmallBroker();
  const stream = declareStream(small);
  stream.movePlace('billing', 0);
  small.run();
  const [key] = small.disk.keys(TABLE_STREAMS);
  small.disk.table(TABLE_STREAMS).put(key as Buffer, Buffer.alloc(3));
  small = small.restarted();
  view = new View(small.broker, '1');
  const [shown] = [...found(view.snapshots.setAsideIn(['/'], true))];
  expect(shown).toMatchObject({ kind: 'place of a group', name: 'billing', vhost: null });
  view.dropSetAsideRow(String(shown?.id));
  small.commit();
  expect(small.disk.keys(TABLE_STREAMS)).toEqual([]);
});
