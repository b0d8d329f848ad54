// Owns the tests of pages of ready messages whose rows are damaged, and that are read again only to be passed by or let
// go of.

import { expect, test } from 'vitest';
import { TABLE_PAGES } from '../../../../src/store/tables.ts';
import { wrongReferences } from '../../inspect.ts';
import { purgeNow } from '../../purge.ts';
import { SmallBroker } from '../../small-broker.ts';

const COUNT = 1_000;
const PAGE = 256;

/** A broker that has just started, whose queue has its pages on the disk alone; one of them is damaged. */
function prepared(): SmallBroker {
  const before = new SmallBroker();
  before.declare('q');
  before.fill('q', COUNT);
  before.commit();
  const small = before.restarted();
  const table = small.disk.table(TABLE_PAGES);
  const key = small.disk.keys(TABLE_PAGES)[1] as Buffer;
  const spoilt = Buffer.from(table.get(key) as Buffer);
  spoilt[5] = (spoilt[5] as number) ^ 1;
  table.put(key, spoilt);
  return small;
}

test('a purge and a deletion take it along', () => {
  for (const end of ['purge', 'delete'] as const) {
    const small = prepared();
    const queue = small.queue('q');
    if (end === 'purge') expect(purgeNow(queue)).toBe(COUNT);
    else small.vhost.removeQueue(queue);
    small.run();
    expect(small.disk.keys(TABLE_PAGES), end).toEqual([]);
    expect(wrongReferences(small.restarted().broker, []), end).toBeNull();
  }
});

test('a walk passes over it', () => {
  const small = prepared();
  const queue = small.queue('q');
  let seen = 0;
  for (let cursor = 0; cursor >= 0; ) {
    cursor = queue.visitPage(cursor, () => {
      seen += 1;
    });
  }
  expect(seen).toBe(COUNT - PAGE);
  expect(queue.readyCount).toBe(COUNT);
});
