// Owns the tests of what a look at all objects costs, and of the message that a queue gives out next where it is on the
// disk or damaged.

import { expect, test, vi } from 'vitest';
import { NO_SERVER } from '../../../src/broker/view/server-port.ts';
import { View } from '../../../src/broker/view.ts';
import type { Pieces } from '../../../src/management/answers/json-pieces.ts';
import { Call } from '../../../src/management/call.ts';
import type { Context } from '../../../src/management/context.ts';
import { Attempts } from '../../../src/management/principal.ts';
import type { Route } from '../../../src/management/route.ts';
import { QUEUE_ROUTES } from '../../../src/management/routes/queues.ts';
import { TimeSlice } from '../../../src/management/time-slice.ts';
import { EXCHANGES, QUEUES } from '../../../src/metrics/families/objects.ts';
import { writeObjects } from '../../../src/metrics/objects.ts';
import { TABLE_SEGMENTS } from '../../../src/store/tables.ts';
import { purgeIn } from '../purge.ts';
import { damage } from '../set-aside/damage.ts';
import { SmallBroker } from '../small-broker.ts';

const LETTERS = 'abc';

/** A broker with a queue for each letter, whose head is on the disk alone; that of b is damaged. */
function onDisk(): SmallBroker {
  const before = new SmallBroker();
  for (const letter of LETTERS) {
    before.declare(letter);
    const properties = { deliveryMode: 2, timestamp: 1_700_000_000n };
    before.publish({ routingKey: letter, properties }, Buffer.alloc(20_000, letter));
  }
  before.commit();
  damage(before, 'b');
  return before.restarted();
}

/** The timestamps of heads that a scrape of each queue tells, as written. */
async function scraped(small: SmallBroker): Promise<(string | undefined)[]> {
  const { clock } = small.broker.core;
  const context = { view: new View(small.broker, '1', NO_SERVER), clock } as unknown as Context;
  const wanted = { prefix: '', each: true, vhosts: null, has: () => true };
  let text = '';
  for await (const part of writeObjects(context, QUEUES, wanted, new TimeSlice(clock)))
    text += part;
  return [...LETTERS].map(
    (letter) =>
      new RegExp(`^queue_head_message_timestamp\\{.*queue="${letter}"\\} (.*)$`, 'm').exec(
        text,
      )?.[1],
  );
}

test('a scrape tells the timestamp of a head in memory, and reads none from the disk', async () => {
  const small = onDisk();
  const get = vi.spyOn(small.store, 'get');
  expect(await scraped(small)).toEqual(['NaN', 'NaN', 'NaN']);
  expect(get.mock.calls.filter(([table]) => table === TABLE_SEGMENTS)).toEqual([]);
  const properties = { deliveryMode: 2, timestamp: 1_700_000_001n };
  purgeIn(small.vhost, small.queue('a'));
  small.publish({ routingKey: 'a', properties });
  expect(await scraped(small)).toEqual(['1700000001', 'NaN', 'NaN']);
});

/** The heads' timestamps in a list of queues, as it is sent. */
async function listed(small: SmallBroker, query: object): Promise<unknown> {
  const { clock } = small.broker.core;
  const context = { view: new View(small.broker, '1', NO_SERVER), clock } as unknown as Context;
  const route = QUEUE_ROUTES.find(({ path }) => path === '/queues') as Route;
  const request = { params: {}, query, headers: {} };
  const user = { name: 'guest', tags: ['administrator'] };
  const call = new Call(context, user, new Attempts(), request, () => ({}));
  const { pieces } = (await route.run(call)) as Pieces;
  const json = JSON.parse(pieces.join(''));
  const rows: Record<string, unknown>[] = json.items ?? json;
  return rows.map((row) => row['head_message_timestamp']);
}

test('a list of all queues reads no head from the disk, and a page reads those that it shows', async () => {
  const small = onDisk();
  const get = vi.spyOn(small.store, 'get');
  const reads = () => get.mock.calls.filter(([table]) => table === TABLE_SEGMENTS).length;
  expect(await listed(small, {})).toEqual([null, null, null]);
  expect(await listed(small, { sort: 'head_message_timestamp' })).toEqual([null, null, null]);
  expect(reads()).toBe(0);
  expect(await listed(small, { page: '1', page_size: '1' })).toEqual([1_700_000_000]);
  expect(reads()).toBeGreaterThan(0);
  purgeIn(small.vhost, small.queue('c'));
  small.publish({ routingKey: 'c', properties: { timestamp: 1_700_000_002n } });
  expect(await listed(small, {})).toEqual([null, null, 1_700_000_002]);
  expect(await listed(small, { columns: 'name' })).toEqual([undefined, undefined, undefined]);
});

test('a damaged head has no age and no timestamp, and the queues around it have theirs', () => {
  const small = onDisk();
  const { snapshots } = new View(small.broker, '1', NO_SERVER);
  const heads = (): unknown[] =>
    [...LETTERS].map((name) => {
      const { head_message_timestamp: at, oldest_message_age_ms: age } = snapshots.queue('/', name);
      expect(snapshots.headTimestamp('/', name)).toBe(at);
      expect(snapshots.oldestMessageMs('/', name)).toBe(age);
      return [at, age];
    });
  const whole = [1_700_000_000, 0];
  expect(heads()).toEqual([whole, [null, null], whole]);
  expect([...snapshots.queues(['/'])].filter((row) => row !== null)).toHaveLength(3);
});

test('a scrape goes on behind a damaged head', async () => {
  const small = onDisk();
  const { log } = small.broker.core;
  // Where nothing is away, a look at memory is one that may find damage.
  log.peekResident = (position) => log.peek(position);
  expect(await scraped(small)).toEqual(['1700000000', 'NaN', '1700000000']);
});

test('the bindings of an exchange are counted without going through them', () => {
  const small = new SmallBroker();
  const { vhost } = small;
  const queues = [small.declare('one'), small.declare('two')];
  const fanout = vhost.exchange('amq.fanout');
  for (const queue of queues) vhost.bindings.bind(fanout, queue, 'key', new Map());
  const looks = [vi.spyOn(fanout.bindings, 'values'), vi.spyOn(vhost.queues, 'values')];
  const context = { view: new View(small.broker, '1', NO_SERVER) } as unknown as Context;
  const counts = [...EXCHANGES.rows(context, null)].flatMap((row) =>
    row === null || row.bindings === 0 ? [] : [[row.name, row.bindings]],
  );
  expect(counts).toEqual([
    ['', 2],
    ['amq.fanout', 2],
  ]);
  for (const look of looks) expect(look).not.toHaveBeenCalled();
});

test('the labels of a queue are written once for all metrics that have the same', async () => {
  const labels = vi.spyOn(QUEUES, 'labels');
  await scraped(onDisk());
  expect(labels).toHaveBeenCalledTimes(LETTERS.length);
  labels.mockRestore();
});
