// Owns the tests of a log that lacks what a stream names: readers pass by that, and what is published later is never taken for it.

import { expect, test } from 'vitest';
import type { Field } from '../../../../../src/amqp/field-table.ts';
import { segmentIdOfKey } from '../../../../../src/message/log/segment-rows.ts';
import { TABLE_SEGMENTS } from '../../../../../src/store/tables.ts';
import { wrongReferences } from '../../../inspect.ts';
import { setAsideIn } from '../../../set-aside/damage.ts';
import { SmallBroker } from '../../../small-broker.ts';
import { append, declareStream, readAll } from '../stream-reader.ts';

const PERSISTENT = { properties: { deliveryMode: 2 } };
const HOUR: Field = { type: 'S', value: '1h' };

test('where the end of the log is gone, new messages are not delivered in place of those that were there', () => {
  let small = new SmallBroker();
  declareStream(small, 's', { 'x-max-age': HOUR });
  small.declare('q');
  append(small, 0, 10);
  small.publish({ routingKey: 'q', ...PERSISTENT }, Buffer.from('lost'));
  small.commit();
  // The next start numbers its segments from where the log ends.
  small = small.crashed();
  append(small, 10, 10);
  small.commit();
  const ids = small.disk.keys(TABLE_SEGMENTS).map(segmentIdOfKey);
  expect(new Set(ids).size).toBeGreaterThan(1);
  for (const key of small.disk.keys(TABLE_SEGMENTS)) small.disk.table(TABLE_SEGMENTS).remove(key);
  small = small.crashed();
  append(small, 20, 10);
  small.declare('passing', false);
  small.publish({ routingKey: 'passing' }, Buffer.from('passing'));
  small.run();
  const kept = Array.from({ length: 10 }, (_, n) => [20 + n, String(20 + n)]);
  expect(readAll(small)).toEqual(kept);
  expect(setAsideIn(small)).toHaveLength(21);
  expect(wrongReferences(small.broker, small.vhost.queues.values())).toBeNull();
  // Nor is one that was set aside.
  for (const message of [...small.broker.core.setAside.list()]) {
    expect(() => small.bodyAt(message.position)).toThrow();
    small.broker.core.setAside.drop(message);
  }
  small.pass(3_600_000);
  small.readyNow(small.queue('passing'));
  expect(wrongReferences(small.broker, small.vhost.queues.values())).toBeNull();
});
