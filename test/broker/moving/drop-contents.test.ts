// Owns the tests of dropping all that is in a vhost: nothing of it is left, the vhost stays, whatever comes between.

import { expect, test } from 'vitest';
import { dropContents } from '../../../src/broker/moving/drop-contents.ts';
import { TABLE_ACCESS } from '../../../src/store/tables.ts';
import type { SmallBroker } from '../small-broker.ts';
import {
  after,
  driven,
  filled,
  moved,
  NAME,
  rowsOf,
  snapshotOf,
  toldOf,
  within,
  wrongIn,
} from './full-vhost.ts';

const dropped = (small: SmallBroker, each = (): void => {}): Promise<void> =>
  driven(small, dropContents(small.broker, small.vhost), each);

/** A broker with the vhost full, and how many rows it had without what is in it. */
function prepared(): SmallBroker {
  const small = filled();
  const { access } = small.broker;
  access.putUserWithHash({ name: 'u', tags: [] }, '', 'rabbit_password_hashing_sha256');
  access.setPermission({ user: 'u', vhost: NAME, configure: '', write: '', read: '' });
  small.commit();
  return small;
}

/** Nothing is left of it but itself and the permissions. */
function expectEmpty(small: SmallBroker): void {
  const { vhost, broker } = small;
  const rows = rowsOf(small);
  expect([...vhost.queues.keys(), ...vhost.parameters.list(), ...vhost.schedules.each()]).toEqual(
    [],
  );
  expect([...vhost.exchanges.keys()]).toHaveLength(7);
  expect([...broker.core.setAside.list(NAME), ...broker.core.setAsideRows.list(NAME)]).toEqual([]);
  expect(broker.access.permissions()).toHaveLength(1);
  expect(wrongIn(small)).toBeNull();
  // Definitions: the queue of the other vhost. Its pages and its mark, and no more.
  expect([rows[2], rows[7], rows[8], rows[9], rows[11], rows[12], rows[13]]).toEqual([
    1, 0, 0, 0, 0, 0, 0,
  ]);
  expect(rows[TABLE_ACCESS]).toBe(4);
  const noise = broker.vhost('/').queues.get('noise');
  expect(noise?.readyCount).toBe(620);
}

test('nothing is left of a vhost but itself, and dropping once more changes nothing', async () => {
  const small = prepared();
  await dropped(small);
  expectEmpty(small);
  const rows = rowsOf(small);
  await dropped(small);
  expect(rowsOf(small)).toEqual(rows);
  expectEmpty(small);
  expectEmpty(after(small));
  small.declare('new');
  small.fill('new', 3);
  expect(small.queue('new').readyCount).toBe(3);
});

test('whenever the broker ends amid it, it can be called again', async () => {
  const base = prepared().disk;
  const { nowMs } = prepared();
  for (let turns = 0, over = false; !over; turns += 1) {
    const small = after({ disk: base.copy(), nowMs, jumpedMs: 0 } as SmallBroker);
    let left = turns;
    // Each act takes some time, so that there are more turns.
    small.broker.changes.listener = () => {
      small.nowMs += 2;
    };
    const ends = (): void => {
      left -= 1;
      if (left < 0) throw new Error('power fails');
    };
    over = await dropped(small, ends).then(
      () => true,
      () => false,
    );
    const next = after(small);
    expect(next.broker.core.setAsideRows.count).toBe(0);
    expect(wrongIn(next)).toBeNull();
    await dropped(next);
    expectEmpty(next);
    if (over) expect(turns).toBeGreaterThan(4);
  }
});

test('a vhost that moved goes back to where it was, and no number is in the way', async () => {
  let a = prepared();
  let b = within(after({ disk: a.disk.copy(), nowMs: a.nowMs, jumpedMs: 0 } as SmallBroker));
  const expected = toldOf(
    after({ disk: a.disk.copy(), nowMs: a.nowMs, jumpedMs: 0 } as SmallBroker),
  );
  await dropped(b);
  for (let n = 0; n < 4; n++) {
    await moved(snapshotOf(a), b);
    await dropped(a);
    expectEmpty(a);
    [a, b] = [b, n % 2 === 0 ? a : after(a)];
  }
  expect(wrongIn(a)).toBeNull();
  expect(toldOf(a)).toEqual(expected);
});
