// Owns the tests of pages of messages that are found damaged as they are read again, after the start: they are set aside, and
// all others go on.

import { expect, test } from 'vitest';
import type { Field } from '../../../../src/amqp/field-table.ts';
import { LANE_SEQS } from '../../../../src/broker/queue/messages/lane.ts';
import { PAGE_ENTRIES } from '../../../../src/broker/queue/messages/pages/page.ts';
import { LANE_PAGES } from '../../../../src/broker/queue/messages/queue-rows.ts';
import type { Queue } from '../../../../src/broker/queue/queue.ts';
import { NO_SERVER } from '../../../../src/broker/view/server-port.ts';
import { View } from '../../../../src/broker/view.ts';
import { TABLE_PAGES } from '../../../../src/store/tables.ts';
import { type Random, withSeed } from '../../../amqp/random.ts';
import { limitPages, pagesAway } from '../../inspect.ts';
import { purgeNow } from '../../purge.ts';
import { SmallBroker } from '../../small-broker.ts';

const COUNT = 4 * PAGE_ENTRIES + 10;
const long = (value: number): Field => ({ type: 'l', value });
const text = (value: string): Field => ({ type: 'S', value });

/** A broker whose queue has nearly all its pages on the disk alone. The body of each message is its number. */
function prepared(args: Record<string, Field> = {}): { small: SmallBroker; queue: Queue } {
  const small = new SmallBroker();
  limitPages(small.broker, 1, 1);
  small.declare('dead');
  const queue = small.declare('q', true, args);
  for (let n = 0; n < COUNT; n++) {
    const headers = new Map<string, Field>([['group', long(n % 10)]]);
    small.publish({ routingKey: 'q', properties: { deliveryMode: 2, headers } }, bodyOf(n));
  }
  small.commit();
  // Pages leave as others come.
  small.declare('other');
  small.fill('other', 3 * PAGE_ENTRIES);
  small.commit();
  return { small, queue };
}

const bodyOf = (n: number): Buffer<ArrayBuffer> => Buffer.from(String(n).padStart(6));

/** Spoils the row of a page of a queue. */
function spoil(small: SmallBroker, queue: Queue, page: number): void {
  const table = small.disk.table(TABLE_PAGES);
  const key = small.disk
    .keys(TABLE_PAGES)
    .find((each) => each.readUInt32BE(0) === queue.id && each.readUIntBE(4, 6) === page) as Buffer;
  const spoilt = Buffer.from(table.get(key) as Buffer);
  spoilt[5] = (spoilt[5] as number) ^ 1;
  table.put(key, spoilt);
}

const asideIn = ({ broker }: SmallBroker) =>
  [...broker.core.setAsideRows.list()].map(({ kind, error }) => [kind, error]);
const DAMAGED = [['page of messages', expect.stringContaining('its checksum does not match')]];

/** All numbers but those of one page. */
const without = (page: number): number[] =>
  Array.from({ length: COUNT }, (_, n) => n).filter((n) => Math.floor(n / PAGE_ENTRIES) !== page);

const numbers = (small: SmallBroker, queue: Queue): number[] =>
  small.readyNow(queue).map((body) => Number(body.split(' ').at(-1)));

const countsOf = ({ readyCount, unackedCount, readyBytes, messages }: Queue) => ({
  readyCount,
  unackedCount,
  readyBytes,
  bytes: messages.bytes,
  stored: messages.storedCount,
});
const NONE = { readyCount: 0, unackedCount: 0, readyBytes: 0, bytes: 0, stored: 0 };

test.each([0, 2, 4])('page %i of what is ready is set aside, and all others go out', (page) => {
  const { small, queue } = prepared();
  spoil(small, queue, page);
  const given = small.consume(queue);
  small.run();
  const wanted = without(page);
  expect(given.map(({ position }) => Number(small.bodyAt(position)))).toEqual(wanted);
  expect(countsOf(queue)).toMatchObject({ readyCount: 0, unackedCount: wanted.length });
  expect(asideIn(small)).toEqual(DAMAGED);
  for (const { seq } of given) queue.settle(seq);
  small.run();
  expect(countsOf(queue)).toEqual(NONE);
  // Its row stays, for an operator to decide, and what comes now gets no place of it.
  expect(ofQueue(small, queue)).toBe(1);
  small.fill('q', 3);
  small.run();
  expect(given.slice(wanted.length).map(({ redelivered }) => redelivered)).toEqual(
    Array(3).fill(false),
  );
  expect(queue.messages.pushedCount).toBe(COUNT + 3);
  expect([...small.restarted().broker.core.setAsideRows.list()].map(({ kind }) => kind)).toEqual([
    'queue',
  ]);
});

const ofQueue = (small: SmallBroker, { id }: Queue): number =>
  small.disk.keys(TABLE_PAGES).filter((key) => key.readUInt32BE(0) === id).length;

test.each([0, 2, 4])(
  'basic.get passes over page %i, and says that the queue is empty at its end',
  (page) => {
    const { small, queue } = prepared();
    spoil(small, queue, page);
    expect(numbers(small, queue)).toEqual(without(page));
    expect(countsOf(queue)).toEqual(NONE);
    expect(asideIn(small)).toEqual(DAMAGED);
  },
);

test('where all that is ready is in it, the next lane goes on at once', () => {
  const { small, queue } = prepared({ 'x-max-priority': long(5) });
  small.publish({ routingKey: 'q', properties: { deliveryMode: 2, priority: 3 } }, bodyOf(7));
  small.commit();
  small.fill('other', 3 * PAGE_ENTRIES);
  small.commit();
  spoil(small, queue, 4 * LANE_PAGES);
  expect(numbers(small, queue)).toEqual(without(-1));
  expect(countsOf(queue)).toEqual(NONE);
});

test('messages of it that are out end, whatever becomes of them, and nothing of them comes again', () => {
  for (const end of ['settle', 'requeue', 'reject'] as const) {
    const { small, queue } = prepared({
      'x-dead-letter-exchange': text(''),
      'x-dead-letter-routing-key': text('dead'),
    });
    const given = small.consume(queue, 2 * PAGE_ENTRIES);
    small.run();
    queue.endConsumers();
    small.fill('other', 3 * PAGE_ENTRIES);
    small.commit();
    expect(pagesAway(queue)).toBeGreaterThan(3);
    spoil(small, queue, 1);
    for (const { seq } of given) queue[end](seq);
    small.run();
    const first = without(-1).slice(0, end === 'requeue' ? PAGE_ENTRIES : 0);
    expect(numbers(small, queue), end).toEqual([...first, ...without(-1).slice(2 * PAGE_ENTRIES)]);
    expect(countsOf(queue)).toEqual(NONE);
    expect(small.queue('dead').readyCount).toBe(end === 'reject' ? PAGE_ENTRIES : 0);
    expect(asideIn(small)).toEqual(DAMAGED);
  }
});

test('what came back and is in it goes no more, and the others that came back do', () => {
  const { small, queue } = prepared();
  const given = small.consume(queue, 2 * PAGE_ENTRIES);
  small.run();
  queue.endConsumers();
  for (const { seq } of given) queue.requeue(seq);
  small.run();
  small.fill('other', 3 * PAGE_ENTRIES);
  small.commit();
  spoil(small, queue, 0);
  expect(numbers(small, queue)).toEqual(without(0));
  expect(countsOf(queue)).toEqual(NONE);
});

test('what is one too many, or has expired, ends behind it', () => {
  for (const policy of ['max-length', 'message-ttl']) {
    const { small, queue } = prepared();
    spoil(small, queue, 0);
    small.pass(2_000);
    queue.applyPolicy(new Map([[policy, policy === 'max-length' ? 10 : 1_000]]), null);
    small.run();
    expect(queue.readyCount, policy).toBe(policy === 'max-length' ? 10 : 0);
    expect(asideIn(small)).toEqual(DAMAGED);
  }
});

test('where all pages are damaged, nothing is one too many or expires, and nothing is the head', () => {
  for (const policy of ['max-length', 'message-ttl']) {
    const { small, queue } = prepared();
    for (let page = 0; page < 5; page++) spoil(small, queue, page);
    small.pass(2_000);
    queue.applyPolicy(new Map([[policy, 1_000]]), null);
    const { snapshots } = new View(small.broker, '1', NO_SERVER);
    expect(snapshots.queue('/', 'q').oldest_message_age_ms).toBeNull();
    small.run();
    expect(countsOf(queue), policy).toEqual(NONE);
  }
});

test('groups go on without it, and one of it that is out frees its group', () => {
  const { small, queue } = prepared({ 'x-group-header': text('group') });
  const given = small.consume(queue);
  small.run();
  expect(given).toHaveLength(10);
  small.fill('other', 3 * PAGE_ENTRIES);
  small.commit();
  spoil(small, queue, 0);
  spoil(small, queue, 2);
  for (let n = 0; n < given.length; n++) {
    queue.settle(given[n]?.seq as number);
    small.run();
  }
  const seen = given.map(({ position }) => Number(small.bodyAt(position)));
  const wanted = [...without(0).filter((n) => without(2).includes(n)), ...without(-1).slice(0, 10)];
  expect(seen.toSorted((a, b) => a - b)).toEqual(wanted.toSorted((a, b) => a - b));
  expect(countsOf(queue)).toEqual(NONE);
  expect(queue.messages.grouped?.groups.count).toBe(0);
  expect(asideIn(small)).toEqual([...DAMAGED, ...DAMAGED]);
});

test('a deletion takes it along, and what was told of it; a purge leaves it', () => {
  const { small, queue } = prepared();
  spoil(small, queue, 1);
  expect(numbers(small, queue)).toEqual(without(1));
  purgeNow(queue);
  small.run();
  expect(ofQueue(small, queue)).toBe(1);
  small.vhost.removeQueue(queue);
  small.run();
  expect(ofQueue(small, queue)).toBe(0);
  expect(asideIn(small)).toEqual([]);
});

test('a key that lasts as long as its message knows its place behind it', () => {
  const { small, queue } = prepared({
    'x-message-deduplication': { type: 't', value: true },
    'x-deduplication-header': text('key'),
    'x-cache-release': text('ack'),
    'x-cache-size': long(1_000),
  });
  spoil(small, queue, 4);
  const headers = new Map([['key', text('a')]]);
  const send = (): boolean =>
    small.publish({ routingKey: 'q', properties: { deliveryMode: 2, headers } }, bodyOf(9));
  send();
  send();
  expect(queue.counts.duplicates).toBe(1);
  expect(queue.readyCount).toBe(4 * PAGE_ENTRIES + 1);
});

test('queues of all kinds count right, whichever pages are damaged as anything goes on', () => {
  const kinds: Record<string, Field>[] = [
    {},
    { 'x-max-priority': long(2) },
    { 'x-group-header': text('group'), 'x-group-concurrency': long(2) },
  ];
  withSeed((random: Random) => {
    for (const kind of kinds) play(random, kind);
  });
});

interface Known {
  readonly bytes: number;
  unacked: boolean;
  lost: boolean;
}

function play(random: Random, kind: Record<string, Field>): void {
  const small = new SmallBroker();
  limitPages(small.broker, 1, 1);
  const queue = small.declare('q', true, kind);
  const other = small.declare('other');
  const model = new Map<number, Known>();
  const out = (): number[] => [...model].filter(([, { unacked }]) => unacked).map(([seq]) => seq);
  small.broker.core.setAsideRows.listener = ({ key }) => {
    const lane = Math.floor(key.readUIntBE(4, 6) / LANE_PAGES);
    const first = lane * LANE_SEQS + (key.readUIntBE(4, 6) % LANE_PAGES) * PAGE_ENTRIES;
    for (let seq = first; seq < first + PAGE_ENTRIES; seq++) {
      const known = model.get(seq);
      if (known?.unacked === true) known.lost = true;
      else model.delete(seq);
    }
  };
  let came = 0;
  let losses = 0;
  for (let n = 0; n < 500; n++) {
    const act = random.below(12);
    if (act < 3) {
      for (let more = random.below(300); more > 0; more--) {
        came += 1;
        const headers = new Map<string, Field>([['group', long(random.below(4))]]);
        const properties = { deliveryMode: 2, headers, priority: random.below(3) };
        const flags = 4 | (properties.priority << 8);
        const body = Buffer.alloc(random.below(9));
        const seq = queue.messages.laneSet.nextSeq(flags);
        model.set(seq, { bytes: body.length, unacked: false, lost: false });
        small.publish({ routingKey: 'q', properties }, body);
      }
    } else if (act < 6) {
      for (let most = random.below(150); most > 0; most--) {
        const taken = queue.take();
        if (taken === null) break;
        (model.get(taken.seq) as Known).unacked = true;
      }
    } else if (act < 9) {
      for (const seq of out()) {
        if (random.below(3) === 0) continue;
        const known = model.get(seq) as Known;
        if (act === 8) {
          queue.requeue(seq);
          known.unacked = false;
          // Its page may have turned out to be lost just now, while it counted as out.
          if (known.lost) model.delete(seq);
        } else {
          queue.settle(seq);
          model.delete(seq);
        }
      }
    } else if (act === 9 && random.below(6) === 0) {
      purgeNow(queue);
      for (const [seq, { unacked }] of model) if (!unacked) model.delete(seq);
    } else if (act === 10) {
      small.fill('other', 2 * PAGE_ENTRIES);
      small.commit();
      if (random.bool()) purgeNow(other);
    } else if (act === 11) {
      small.commit();
      const rows = small.disk.keys(TABLE_PAGES).filter((key) => key.readUInt32BE(0) === queue.id);
      if (rows.length > 0) spoil(small, queue, random.pick(rows).readUIntBE(4, 6));
    }
    small.commit();
    const sums = { ready: 0, unacked: 0, readyBytes: 0, bytes: 0 };
    for (const { bytes, unacked, lost } of model.values()) {
      sums[unacked ? 'unacked' : 'ready'] += 1;
      if (!unacked) sums.readyBytes += bytes;
      if (!lost) sums.bytes += bytes;
    }
    expect({
      ready: queue.readyCount,
      unacked: queue.unackedCount,
      readyBytes: queue.readyBytes,
      bytes: queue.messages.bytes,
    }).toEqual(sums);
    losses = small.broker.core.setAsideRows.count;
    expect(queue.messages.pushedCount).toBe(came);
  }
  expect(losses).toBeGreaterThan(0);
  small.consume(queue);
  for (let n = 0; n < 3; n++) {
    for (const seq of out()) {
      queue.settle(seq);
      model.delete(seq);
    }
    small.run();
  }
  if (queue.messages.grouped === null) expect(queue.readyCount).toBe(0);
}
