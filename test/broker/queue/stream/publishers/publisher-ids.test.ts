// Owns the tests of publishing once, and only if nothing else was first: what is stored, refused or dropped, over batches,
// restarts and crashes.

import { describe, expect, test, vi } from 'vitest';
import type { Field } from '../../../../../src/amqp/field-table.ts';
import { ALL_RIGHTS } from '../../../../../src/broker/access/grants.ts';
import type { Stream } from '../../../../../src/broker/queue/stream/stream.ts';
import { TABLE_STREAMS } from '../../../../../src/store/tables.ts';
import { wrongReferences } from '../../../inspect.ts';
import { streamsAmong } from '../../../plain-queue.ts';
import { SmallBroker } from '../../../small-broker.ts';

const text = (value: string): Field => ({ type: 'S', value });
const int = (value: number): Field => ({ type: 'l', value });

/** The row of a publisher begins with the id of its stream, and then this. */
const KIND_PUBLISHER = 4;
/** Entries of a page. */
const PAGE = 256;

function streamOf(small: SmallBroker, name = 's'): Stream {
  const found = streamsAmong(small.vhost.queues.values()).find((each) => each.name === name);
  if (found === undefined) throw new Error(`there is no stream ${name}`);
  return found;
}

function declare(small: SmallBroker, name = 's', args: Record<string, Field> = {}): Stream {
  const declaration = { name, durable: true, autoDelete: false, owner: null };
  const all = new Map(Object.entries({ 'x-queue-type': text('stream'), ...args }));
  small.vhost.as(ALL_RIGHTS, small).declareQueue({ ...declaration, arguments: all });
  return streamOf(small, name);
}

function prepared(args: Record<string, Field> = {}): SmallBroker {
  const small = new SmallBroker();
  declare(small, 's', args);
  small.run();
  return small;
}

interface Claim {
  readonly id?: number;
  readonly expected?: number;
}

/** Publishes under a name; returns whether it was not refused. */
function publish(
  small: SmallBroker,
  name: string,
  { id, expected }: Claim,
  body = 'body',
  to: { routingKey: string; exchange?: string } = { routingKey: 's' },
): boolean {
  const headers = new Map([['x-stream-publisher', text(name)]]);
  if (id !== undefined) headers.set('x-stream-publishing-id', int(id));
  if (expected !== undefined) headers.set('x-stream-expected-id', int(expected));
  return small.publish({ ...to, properties: { headers, deliveryMode: 2 } }, Buffer.from(body));
}

/** The bodies that a stream has, by offset. */
function bodies(small: SmallBroker, name = 's'): string[] {
  small.run();
  const { entries } = streamOf(small, name);
  const found: string[] = [];
  for (let offset = entries.first; offset < entries.tail; offset++) {
    const page = entries.page(Math.floor(offset / PAGE));
    found.push(small.bodyAt(page?.positions[offset % PAGE] as number));
  }
  return found;
}

const lastId = (small: SmallBroker, name: string, stream = 's') =>
  streamOf(small, stream).publishers.lastId(name);

const counted = (small: SmallBroker, name = 's') => {
  const { published, duplicates, refused } = streamOf(small, name).counts;
  return { published, duplicates, refused };
};

function publisherRows(small: SmallBroker): Buffer[] {
  return small.disk.keys(TABLE_STREAMS).filter((key) => key[4] === KIND_PUBLISHER);
}

/** Where a batch of what was published may be. */
const AGES: [string, (small: SmallBroker) => SmallBroker][] = [
  ['before its batch is sealed', (small) => small],
  [
    'while its batch is under way',
    (small) => {
      small.broker.core.seal();
      return small;
    },
  ],
  [
    'once its batch is durable',
    (small) => {
      small.commit();
      return small;
    },
  ],
  [
    'after a crash behind its batch',
    (small) => {
      small.commit();
      return small.crashed();
    },
  ],
  [
    'after a restart',
    (small) => {
      small.commit();
      return small.restarted();
    },
  ],
];

describe('once', () => {
  test.each(AGES)('what is published again is taken, and not stored, %s', (_, later) => {
    let small = prepared();
    expect(publish(small, 'p', { id: 0 }, 'a')).toBe(true);
    expect(publish(small, 'p', { id: 5 }, 'b')).toBe(true);
    small = later(small);
    expect(lastId(small, 'p')).toBe(5);
    for (const id of [0, 3, 5]) expect(publish(small, 'p', { id }, 'again')).toBe(true);
    expect(publish(small, 'p', { id: 6 }, 'c')).toBe(true);
    expect(counted(small)).toMatchObject({ duplicates: 3, refused: 0 });
    expect(bodies(small)).toEqual(['a', 'b', 'c']);
    expect(wrongReferences(small.broker, small.vhost.queues.values())).toBeNull();
  });

  test('what a crash took was not stored, and is so when it comes again', () => {
    let small = prepared();
    publish(small, 'p', { id: 1 }, 'a');
    small.commit();
    publish(small, 'p', { id: 2 }, 'b');
    small.broker.core.seal();
    small = small.crashed();
    expect(lastId(small, 'p')).toBe(1);
    for (const [id, body] of [
      [1, 'a'],
      [2, 'b'],
      [2, 'b'],
    ] as const)
      publish(small, 'p', { id }, body);
    expect(bodies(small.crashed().crashed())).toEqual(['a']);
    expect(bodies(small)).toEqual(['a', 'b']);
    expect(bodies(small.crashed())).toEqual(['a', 'b']);
  });

  test.each([1, 5000])(
    'what was read from the disk is not relied on when it has changed, with %i names',
    (names) => {
      let small = prepared();
      publish(small, 'p', { id: 1 }, 'a');
      small.commit();
      small = small.crashed();
      for (let id = 1; id <= 3; id++) {
        const before = bodies(small).length;
        const get = vi.spyOn(small.store, 'get');
        // The first time it is read from the store, and then it is known.
        for (let n = 0; n < 3; n++) publish(small, 'p', { id: Math.max(1, id - 1) }, 'again');
        expect(get.mock.calls.length).toBeLessThanOrEqual(1);
        get.mockRestore();
        expect(bodies(small)).toHaveLength(before);
        publish(small, 'p', { id: id + 1 }, 'next');
        for (let n = 1; n < names; n++) publish(small, `${n}`, { id });
        small.commit();
      }
    },
  );

  test('each name counts by itself, in each stream', () => {
    const small = prepared();
    declare(small, 't');
    for (let id = 1; id <= 3; id++) {
      for (const name of ['a', 'b', 'a/b', 'é']) publish(small, name, { id }, `${name}${id}`);
      small.commit();
    }
    publish(small, 'b', { id: 2 }, 'in t', { routingKey: 't' });
    publish(small, 'b', { id: 1 }, 'in t', { routingKey: 't' });
    expect(bodies(small)).toEqual(
      [1, 2, 3].flatMap((id) => ['a', 'b', 'a/b', 'é'].map((name) => `${name}${id}`)),
    );
    expect(bodies(small, 't')).toEqual(['in t']);
    expect([lastId(small, 'b'), lastId(small, 'b', 't'), lastId(small, 'c')]).toEqual([3, 2, null]);
  });

  test('a name with very many ids in a batch has one row, and one batch may have very many names', () => {
    const small = prepared();
    for (let n = 1; n <= 3000; n++) {
      publish(small, 'one', { id: n });
      publish(small, `name-${n}`, { expected: 0 });
    }
    small.commit();
    expect(publisherRows(small)).toHaveLength(3001);
    const again = small.crashed();
    expect([lastId(again, 'one'), lastId(again, 'name-2999')]).toEqual([3000, 1]);
  });
});

describe('only if nothing was first', () => {
  test.each(AGES)('an id that is not the last one is refused %s', (_, later) => {
    let small = prepared();
    expect(publish(small, 'order-1', { expected: 1 }, 'too early')).toBe(false);
    expect(publish(small, 'order-1', { expected: 0 }, 'created')).toBe(true);
    small = later(small);
    expect(publish(small, 'order-1', { expected: 0 }, 'created too')).toBe(false);
    expect(publish(small, 'order-1', { expected: 1 }, 'paid')).toBe(true);
    expect(publish(small, 'order-1', { expected: 1 }, 'cancelled')).toBe(false);
    expect(publish(small, 'order-1', { expected: 3 }, 'shipped')).toBe(false);
    expect(lastId(small, 'order-1')).toBe(2);
    expect(counted(small)).toMatchObject({ duplicates: 0 });
    expect(bodies(small)).toEqual(['created', 'paid']);
    expect(wrongReferences(small.broker, small.vhost.queues.values())).toBeNull();
  });

  test('refused messages are counted, and offsets go on without a gap', () => {
    const small = prepared();
    publish(small, 'a', { expected: 7 });
    publish(small, 'a', { expected: 0 });
    expect(counted(small)).toEqual({ published: 1, duplicates: 0, refused: 1 });
    expect(streamOf(small).entries.tail).toBe(1);
  });

  test('with an id of its own a message is no duplicate where it is expected, and else refused', () => {
    const small = prepared();
    expect(publish(small, 'a', { expected: 0, id: 10 }, 'a')).toBe(true);
    // It may be from another publisher: to take it for stored would lose it.
    expect(publish(small, 'a', { expected: 0, id: 10 }, 'b')).toBe(false);
    expect(publish(small, 'a', { expected: 10 }, 'c')).toBe(true);
    expect(lastId(small, 'a')).toBe(11);
    expect(bodies(small)).toEqual(['a', 'c']);
  });

  test('the id 0 is as good as none', () => {
    const small = prepared();
    publish(small, 'a', { id: 0 }, 'a');
    expect(publish(small, 'a', { expected: 0 }, 'b')).toBe(true);
    expect(bodies(small)).toEqual(['a', 'b']);
  });
});

test('of several streams that a message goes to each decides by what it has', () => {
  const small = prepared();
  declare(small, 't');
  small.declare('q');
  const actor = small.vhost.as(ALL_RIGHTS, small);
  for (const destination of ['s', 't', 'q']) {
    actor.bind('amq.fanout', { kind: 'queue', name: destination }, '', new Map());
  }
  publish(small, 'p', { id: 1 }, 'a');
  const all = { routingKey: '', exchange: 'amq.fanout' };
  expect(publish(small, 'p', { id: 1 }, 'b', all)).toBe(true);
  expect([bodies(small), bodies(small, 't'), small.readyNow(small.queue('q'))]).toEqual([
    ['a'],
    ['b'],
    ['b'],
  ]);
  publish(small, 'p', { expected: 1 }, 'c', { routingKey: 't' });
  expect(publish(small, 'p', { expected: 1 }, 'd', all)).toBe(false);
  expect([bodies(small), bodies(small, 't'), small.readyNow(small.queue('q'))]).toEqual([
    ['a', 'd'],
    ['b', 'c'],
    ['d'],
  ]);
  expect(wrongReferences(small.broker, small.vhost.queues.values())).toBeNull();
});

test('what comes another way, such as a dead letter, is stored once as well', () => {
  const small = prepared();
  const args = { 'x-dead-letter-exchange': text(''), 'x-dead-letter-routing-key': text('s') };
  const queue = small.declare('q', true, { ...args, 'x-message-ttl': int(1000) });
  publish(small, 'p', { id: 1 }, 'a');
  publish(small, 'p', { id: 1 }, 'b', { routingKey: 'q' });
  publish(small, 'p', { id: 2 }, 'c', { routingKey: 'q' });
  publish(small, 'p', {}, 'with a name alone', { routingKey: 'q' });
  small.pass(1000);
  expect(queue.readyCount).toBe(0);
  expect(bodies(small)).toEqual(['a', 'c', 'with a name alone']);
  expect(counted(small)).toEqual({ published: 3, duplicates: 1, refused: 0 });
});

test('ids outlive the messages, and go with the stream', () => {
  let small = prepared({ 'x-max-length': int(PAGE) });
  for (let id = 1; id <= 3 * PAGE; id++) publish(small, 'p', { id });
  for (let n = 0; n < 3000; n++) publish(small, `name-${n}`, { expected: 0 });
  small.run();
  expect(streamOf(small).entries.first).toBeGreaterThan(3 * PAGE);
  small = small.crashed();
  small.run();
  expect([lastId(small, 'p'), lastId(small, 'name-0')]).toEqual([3 * PAGE, 1]);
  // Some are in no durable batch as it is deleted.
  for (let n = 0; n < 3000; n++) publish(small, `late-${n}`, { expected: 0 });
  small.broker.core.seal();
  publish(small, 'latest', { expected: 0 });
  small.vhost.as(ALL_RIGHTS, small).deleteQueue('s', {});
  small.run();
  expect(small.disk.keys(TABLE_STREAMS)).toEqual([]);
  declare(small);
  expect([lastId(small, 'p'), lastId(small, 'late-5')]).toEqual([null, null]);
});

test('a stream that is deleted as the power fails leaves no ids behind', () => {
  let small = prepared();
  for (let n = 0; n < 20_000; n++) publish(small, `name-${n}`, { expected: 0 });
  small.run();
  small.vhost.as(ALL_RIGHTS, small).deleteQueue('s', {});
  small.commit();
  expect(publisherRows(small).length).toBeGreaterThan(10_000);
  small = small.crashed();
  small.run();
  expect(small.disk.keys(TABLE_STREAMS)).toEqual([]);
});

test('where the row of a name is damaged nothing of it is stored, until an operator lets go of the row', () => {
  let small = prepared();
  publish(small, 'p', { id: 4 }, 'a');
  publish(small, 'q', { id: 4 }, 'b');
  small.commit();
  const [key] = publisherRows(small);
  const table = small.disk.table(TABLE_STREAMS);
  const row = Buffer.from(table.get(key as Buffer) as Buffer);
  row[0] = (row[0] as number) ^ 1;
  table.put(key as Buffer, row);
  small = small.crashed();
  for (const claim of [{ id: 9 }, { id: 4 }, { expected: 0 }, { expected: 4 }]) {
    expect(publish(small, 'p', claim)).toBe(false);
  }
  expect(publish(small, 'q', { id: 5 }, 'c')).toBe(true);
  expect(bodies(small)).toEqual(['a', 'b', 'c']);
  const { setAsideRows } = small.broker.core;
  const [aside, ...others] = [...setAsideRows.list()];
  expect(others).toEqual([]);
  expect(aside).toMatchObject({ kind: 'publisher of a stream', name: 'p', holdsMessages: false });
  setAsideRows.drop(aside as NonNullable<typeof aside>);
  small.commit();
  expect(publish(small, 'p', { id: 5 }, 'd')).toBe(true);
  expect(bodies(small.crashed())).toEqual(['a', 'b', 'c']);
  expect(bodies(small)).toEqual(['a', 'b', 'c', 'd']);
});
