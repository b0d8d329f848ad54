// Owns the tests of looking into streams: from a place on, by filter values, in pieces, past what cannot be read.

import { expect, test } from 'vitest';
import type { StreamStart } from '../../../../src/broker/queue/stream/reading/reading-spec.ts';
import {
  type BrowsePage,
  type BrowseRequest,
  browse,
} from '../../../../src/broker/view/browse/browse.ts';
import { declareStream, pushValues, streamOf } from '../../queue/stream/filter/filtered-stream.ts';
import { SmallBroker } from '../../small-broker.ts';

const REQUEST = {
  cursor: '',
  count: 1_000,
  filter: { routingKey: null, header: null },
  encoding: 'auto',
  truncate: 100,
} as const;

function look(small: SmallBroker, request: Partial<BrowseRequest> = {}): BrowsePage {
  const { log, clock, time } = small.broker.core;
  return browse(streamOf(small), log, clock, time, { ...REQUEST, ...request });
}

const offsets = ({ messages }: BrowsePage): unknown[] => messages.map(({ offset }) => offset);

const from = (start: StreamStart, ...values: string[]): Partial<BrowseRequest> => ({
  part: { start, values: values.map((value) => Buffer.from(value)) },
});

function filled(values: readonly (string | null)[]): SmallBroker {
  const small = new SmallBroker();
  declareStream(small);
  pushValues(small, values);
  return small;
}

const TEN = ['a', 'b', null, 'a', 'b', null, 'a', 'b', null, 'a'];

test('a stream is seen from its beginning, with offsets and times', () => {
  const small = filled(TEN);
  const page = look(small);
  expect(offsets(page)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(page).toMatchObject({ next_cursor: null, scanned: 10 });
  expect(page.messages[3]).toMatchObject({
    seq: 3,
    offset: 3,
    state: 'ready',
    arrived_at: small.nowMs,
    properties: { headers: { 'x-stream-filter-value': 'a' } },
  });
});

test.each<[string, StreamStart, number[]]>([
  ['an offset', { kind: 'offset', offset: 7 }, [7, 8, 9]],
  ['the last ones', { kind: 'back', count: 2 }, [8, 9]],
  ['the last', { kind: 'last' }, [9]],
  ['the end', { kind: 'next' }, []],
  ['beyond the end', { kind: 'offset', offset: 99 }, []],
])('a stream is seen from %s', (_, start, wanted) => {
  expect(offsets(look(filled(TEN), from(start)))).toEqual(wanted);
});

test('a cursor goes on where a look ended, with the same values', () => {
  const small = filled(TEN);
  const part = from({ kind: 'first' }, 'a');
  const first = look(small, { ...part, count: 2 });
  expect([offsets(first), first.next_cursor, first.scanned]).toEqual([[0, 3], '4', 2]);
  const rest = look(small, { ...part, cursor: '4' });
  expect([offsets(rest), rest.next_cursor]).toEqual([[6, 9], null]);
  for (const wrong of ['x', '-1', '1.5', '999999999999999']) {
    expect(() => look(small, { cursor: wrong })).toThrow('is no cursor');
  }
});

test('what retention took is passed by, also by a cursor of before', () => {
  const small = new SmallBroker();
  declareStream(small, { 'x-max-length': { type: 'l', value: 256 } });
  pushValues(
    small,
    Array.from({ length: 600 }, () => null),
  );
  expect(offsets(look(small, { cursor: '10', count: 2 }))).toEqual([256, 257]);
});

test('what came at a time or later is seen', () => {
  const small = filled(TEN);
  small.pass(5_000);
  pushValues(small, ['z']);
  expect(offsets(look(small, from({ kind: 'time', ms: small.nowMs - 1 })))).toEqual([10]);
});

test('one look is bounded', () => {
  const page = look(filled(Array.from({ length: 3_000 }, () => 'a')), { count: 3_000 });
  expect([page.scanned, page.next_cursor]).toEqual([2_000, '2000']);
});

test('a message that cannot be read is set aside once, and the others are seen', () => {
  const small = filled(['a', 'b', 'a']);
  const { log } = small.broker.core;
  const position = streamOf(small).entries.page(0)?.positions[1] as number;
  const { bytes, offset } = log.read(position);
  // The table of its headers says that it is longer than all there is.
  const at = bytes.indexOf('x-other', offset) - 5;
  bytes.writeUInt32BE(2 ** 31, at);
  expect(offsets(look(small))).toEqual([0, 2]);
  expect(offsets(look(small))).toEqual([0, 2]);
  expect([...small.broker.core.setAside.list()]).toHaveLength(1);
});

test('offsets, times and values of what is no stream are refused', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  const { log, clock, time } = small.broker.core;
  const ask = (request: Partial<BrowseRequest>) => () =>
    browse(queue, log, clock, time, { ...REQUEST, ...request });
  const text = "offset, time and filter are for streams: 'q' is none";
  expect(ask(from({ kind: 'first' }))).toThrow(text);
  expect(ask({ part: { start: null, values: [Buffer.from('a')] } })).toThrow(text);
  expect(ask({})().messages).toEqual([]);
});
