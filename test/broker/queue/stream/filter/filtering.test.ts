// Owns the tests of reading a stream by filter: exactly what matches, from columns and pages, after restarts and damage.

import { expect, test } from 'vitest';
import { textField } from '../../../../../src/amqp/field-table.ts';
import {
  FINGERPRINTS_PER_TURN,
  WalkBudget,
} from '../../../../../src/broker/queue/stream/filter/filter-walk.ts';
import { fingerprintOf } from '../../../../../src/broker/queue/stream/filter/fingerprint.ts';
import { TABLE_STREAMS } from '../../../../../src/store/tables.ts';
import { withSeed } from '../../../../amqp/random.ts';
import { SmallBroker } from '../../../small-broker.ts';
import {
  alikePair,
  declareStream,
  found,
  offsetsOf,
  pushValues,
  specOf,
  streamOf,
} from './filtered-stream.ts';

const SPAN = 65_536;
const KIND_COLUMN = 2;

const columns = (small: SmallBroker): Buffer[] =>
  small.disk.keys(TABLE_STREAMS).filter((key) => key[4] === KIND_COLUMN);

/** So many messages without a value, with some values at places of their own. */
function* valuesAt(count: number, places: ReadonlyMap<number, string>): Iterable<string | null> {
  for (let n = 0; n < count; n++) yield places.get(n) ?? null;
}

function placesOf(
  values: readonly (string | null)[],
  wanted: readonly (string | null)[],
): number[] {
  return values.flatMap((value, offset) => (wanted.includes(value) ? [offset] : []));
}

test('fingerprints stay what rows have them as, and none is that of no value', () => {
  expect(['', 'a', 'b', 'order-17', 'ü'].map((text) => fingerprintOf(Buffer.from(text)))).toEqual([
    55_093, 43_827, 57_590, 29_498, 22_683,
  ]);
  const seen = new Set<number>();
  for (let n = 0; n < 300_000; n++) seen.add(fingerprintOf(Buffer.from(`${n}`)));
  expect(seen.has(0)).toBe(false);
  expect(seen.size, 'they are spread').toBeGreaterThan(64_000);
});

test('a filter finds its values and nothing else, wherever they lie', () => {
  withSeed((random) => {
    const small = new SmallBroker();
    declareStream(small);
    const known = ['a', 'b', 'c', '', 'a-long-one', null, null, null];
    const values = Array.from({ length: 1_500 }, () => known[random.below(8)] as string | null);
    pushValues(small, values);
    expect(found(small, ['a'])).toEqual(placesOf(values, ['a']));
    expect(found(small, ['', 'c'])).toEqual(placesOf(values, ['', 'c']));
    expect(found(small, ['b'], true)).toEqual(placesOf(values, ['b', null]));
    expect(found(small, ['unknown'])).toEqual([]);
  });
});

test('two values of one fingerprint are told apart by the values', () => {
  const [one, other] = alikePair();
  const small = new SmallBroker();
  declareStream(small);
  pushValues(small, [one, other, null, other, one]);
  expect(found(small, [one])).toEqual([0, 4]);
  expect(found(small, [other])).toEqual([1, 3]);
  expect(found(small, [one, other])).toEqual([0, 1, 3, 4]);
});

test('a header that is no text is no value', () => {
  const small = new SmallBroker();
  declareStream(small);
  const send = (field: Parameters<Map<string, ReturnType<typeof textField>>['set']>[1]): boolean =>
    small.publish({
      routingKey: 's',
      properties: { headers: new Map([['x-stream-filter-value', field]]) },
    });
  send({ type: 'I', value: 7 });
  send(textField('7'));
  small.run();
  expect(found(small, ['7'])).toEqual([1]);
  expect(found(small, ['8'], true)).toEqual([0]);
});

test('full spans have a column where some message has a value, and the others none', () => {
  const small = new SmallBroker();
  declareStream(small);
  const places = new Map([
    [7, 'a'],
    [SPAN - 1, 'a'],
    [2 * SPAN + 300, 'a'],
    [2 * SPAN + 301, 'b'],
    [3 * SPAN + 5, 'a'],
  ]);
  pushValues(small, valuesAt(3 * SPAN + 700, places));
  expect(columns(small).map((key) => key.readUInt32BE(5))).toEqual([0, 2]);
  const wanted = [7, SPAN - 1, 2 * SPAN + 300, 3 * SPAN + 5];
  expect(found(small, ['a'])).toEqual(wanted);
  // In the middle of the open span.
  const again = small.crashed();
  expect(found(again, ['a'])).toEqual(wanted);
  pushValues(again, valuesAt(SPAN, new Map([[SPAN - 1, 'a']])));
  expect(columns(again).map((key) => key.readUInt32BE(5))).toEqual([0, 2, 3]);
  expect(found(again, ['a'])).toEqual([...wanted, 4 * SPAN + 699]);
  expect(found(again.restarted(), ['b'])).toEqual([2 * SPAN + 301]);
  // Those without a value in a span that has no column, and around those that have.
  expect(found(again, ['b'], true)).toHaveLength(4 * SPAN + 700 - 5);
});

test('a damaged column costs time alone, and is told of', () => {
  const small = new SmallBroker();
  declareStream(small);
  pushValues(
    small,
    valuesAt(
      SPAN + 10,
      new Map([
        [300, 'a'],
        [SPAN - 2, 'a'],
        [SPAN + 3, 'a'],
      ]),
    ),
  );
  const [key] = columns(small);
  const row = Buffer.from(small.disk.table(TABLE_STREAMS).get(key as Buffer) as Buffer);
  row[600] = (row[600] as number) ^ 0xff;
  small.disk.table(TABLE_STREAMS).put(key as Buffer, row);
  const again = small.crashed();
  expect(found(again, ['a'])).toEqual([300, SPAN - 2, SPAN + 3]);
  expect(found(again, ['a'])).toEqual([300, SPAN - 2, SPAN + 3]);
  const aside = [...again.broker.core.setAsideRows.list()];
  expect(aside.map(({ table }) => table)).toEqual([TABLE_STREAMS]);
});

test('what retention takes is found no more, and its column goes with its span', () => {
  const small = new SmallBroker();
  declareStream(small, { 'x-max-length': { type: 'l', value: SPAN } });
  pushValues(
    small,
    valuesAt(
      SPAN + 600,
      new Map([
        [10, 'a'],
        [600, 'a'],
        [SPAN + 20, 'a'],
      ]),
    ),
  );
  expect(streamOf(small).entries.first).toBe(512);
  expect(found(small, ['a'])).toEqual([600, SPAN + 20]);
  expect(found(small.crashed(), ['a'])).toEqual([600, SPAN + 20]);
  expect(columns(small)).toHaveLength(1);
  pushValues(small, valuesAt(SPAN, new Map([[5, 'a']])));
  expect(found(small, ['a'])).toEqual([SPAN + 605]);
  expect(columns(small).map((key) => key.readUInt32BE(5))).toEqual([1]);
});

test('a walk that finds nothing for long lets others have their turn, and goes on', () => {
  const [one, other] = alikePair();
  const small = new SmallBroker();
  declareStream(small);
  const count = 3_000;
  pushValues(small, valuesAt(count, new Map(Array.from({ length: count }, (_, n) => [n, other]))));
  pushValues(small, [one]);
  const turns = { count: 0 };
  expect(offsetsOf(streamOf(small).cursor(specOf([one]), 0), turns)).toEqual([count]);
  expect(turns.count).toBeGreaterThan(2);
});

test('a budget is spent by what was looked at, and by time', () => {
  let nowMs = 0;
  const budget = new WalkBudget(() => nowMs);
  budget.use(FINGERPRINTS_PER_TURN - 1);
  expect(budget.spent).toBe(false);
  budget.use(1);
  expect(budget.spent).toBe(true);
  budget.renew();
  budget.read();
  expect(budget.spent).toBe(false);
  nowMs = 1_000;
  budget.read();
  expect(budget.spent).toBe(true);
});

test('a group reads with one filter', () => {
  const small = new SmallBroker();
  const stream = declareStream(small);
  const asking = (values: string[], unfiltered = false) => ({
    ...specOf(values, unfiltered),
    group: 'g',
  });
  const reading = stream.reading(asking(['a', 'b']));
  expect(stream.reading(asking(['b', 'a']))).toBe(reading);
  const text = "the consumers of group 'g' of 's' have another filter";
  for (const other of [asking(['a']), asking(['a', 'c']), asking(['a', 'b'], true)]) {
    expect(() => stream.reading(other)).toThrow(text);
  }
  expect(() => stream.reading({ ...asking([]), filter: null })).toThrow(text);
});

test('a value is seen however a message comes into a stream', () => {
  const small = new SmallBroker();
  declareStream(small);
  const none = specOf(['a']);
  small.declare('q', true, {
    'x-dead-letter-exchange': textField(''),
    'x-dead-letter-routing-key': textField('s'),
    'x-message-ttl': { type: 'I', value: 1_000 },
  });
  small.publish({
    routingKey: 'q',
    properties: { headers: new Map([['x-stream-filter-value', textField('a')]]), deliveryMode: 2 },
  });
  small.pass(2_000);
  expect(offsetsOf(streamOf(small).cursor(none, 0))).toEqual([0]);
});
