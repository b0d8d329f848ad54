// Owns the tests of what a consumer may ask of a stream.

import { expect, test } from 'vitest';
import { AmqpError } from '../../../../../src/amqp/errors.ts';
import { type Field, type FieldTable, textField } from '../../../../../src/amqp/field-table.ts';
import {
  FILTER_VALUES_MAX,
  OFFSET_END,
  readingSpecOf,
  readStart,
  readUntil,
} from '../../../../../src/broker/queue/stream/reading/reading-spec.ts';
import { EDGE_FIELDS } from '../../../../amqp/edge-fields.ts';

const int = (value: number | bigint): Field => ({ type: 'l', value });
const flag = (value: boolean): Field => ({ type: 't', value });
const array = (...value: Field[]): Field => ({ type: 'A', value });
const VOID: Field = { type: 'V', value: null };

const DAY_MS = 86_400_000;
const MS_MAX = Number.MAX_SAFE_INTEGER;

const table = (args: Record<string, Field>): FieldTable => new Map(Object.entries(args));
const spec = (args: Record<string, Field>, tag = 'mine', own = true) =>
  readingSpecOf(table(args), tag, own);

test('a consumer that asks for nothing begins at the next message, has no end, no group and no filter', () => {
  expect(spec({})).toEqual({ start: { kind: 'next' }, until: null, group: null, filter: null });
});

test.each<[string, Field, unknown]>([
  ['first', textField('first'), { kind: 'first' }],
  ['last', textField('last'), { kind: 'last' }],
  ['next', textField('next'), { kind: 'next' }],
  ['an offset', int(5), { kind: 'offset', offset: 5 }],
  ['an offset of few bits', { type: 'B', value: 200 }, { kind: 'offset', offset: 200 }],
  ['the greatest offset', int(OFFSET_END - 1), { kind: 'offset', offset: OFFSET_END - 1 }],
  ['a greater one', int(OFFSET_END), { kind: 'offset', offset: OFFSET_END - 1 }],
  ['the greatest integer', int(2n ** 63n - 1n), { kind: 'offset', offset: OFFSET_END - 1 }],
  ['the last message alone', int(-1), { kind: 'back', count: 1 }],
  ['the last hundred', { type: 'b', value: -100 }, { kind: 'back', count: 100 }],
  ['the least integer', int(-(2n ** 63n)), { kind: 'back', count: OFFSET_END - 1 }],
  ['a time', { type: 'T', value: 1_700_000_000 }, { kind: 'time', ms: 1_700_000_000_000 }],
  ['a time far away', { type: 'T', value: 2n ** 64n - 1n }, { kind: 'time', ms: MS_MAX }],
  ['an hour ago', textField('1h'), { kind: 'ago', ms: 3_600_000 }],
  ['long ago', textField('999999999Y'), { kind: 'ago', ms: MS_MAX }],
  ['nothing', VOID, { kind: 'next' }],
])('a consumer begins at %s', (_, field, start) => {
  expect(readStart(field)).toEqual(start);
  expect(spec({ 'x-stream-offset': field }).start).toEqual(start);
});

test.each(['', 'First', 'end', '7', '1x', '-1h', '0s', '1.5h', 'h', ' 1h', '1h ', '1h\n'])(
  'the text %j says nothing of where to begin',
  (given) => {
    expect(readStart(textField(given))).toBeNull();
    expect(spec({ 'x-stream-offset': textField(given) }).start).toEqual({ kind: 'next' });
  },
);

test.each<[string, Field, unknown]>([
  ['the end', textField('end'), { kind: 'end' }],
  ['an offset', int(0), { kind: 'offset', offset: 0 }],
  ['a great offset', int(2n ** 62n), { kind: 'offset', offset: OFFSET_END - 1 }],
  ['a time', { type: 'T', value: 10 }, { kind: 'time', ms: 10_000 }],
  ['no text but one', textField('next'), null],
  ['no time ago', textField('1h'), null],
  ['nothing negative', int(-1), null],
  ['nothing else', flag(true), null],
])('a consumer ends at %s', (_, field, until) => {
  expect(readUntil(field)).toEqual(until);
  expect(spec({ 'x-stream-until': field }).until).toEqual(until);
});

test.each([
  ['1s', 1_000],
  ['2m', 120_000],
  ['3h', 10_800_000],
  ['1D', DAY_MS],
  ['1M', 30 * DAY_MS],
  ['1Y', 365 * DAY_MS],
  ['007D', 7 * DAY_MS],
])('%s is %i ms', (written, ms) => {
  expect(readStart(textField(written))).toEqual({ kind: 'ago', ms });
});

const TRACKED = { 'x-stream-automatic-offset-tracking': flag(true) };
const UNTRACKED = { 'x-stream-automatic-offset-tracking': flag(false) };
const UNSET = { 'x-stream-offset': VOID };

test.each<[string, Record<string, Field>, string | null]>([
  ['without a word of it', { 'x-stream-offset': textField('first') }, null],
  ['with a name', { 'x-stream-group': textField('ours') }, 'ours'],
  ['with a name and tracking', { 'x-stream-group': textField('ours'), ...TRACKED }, 'ours'],
  ['with tracking', TRACKED, 'mine'],
  ['with no tracking', { ...UNTRACKED, ...UNSET }, null],
  ['with an offset that has no value', UNSET, 'mine'],
  ['with a name and such an offset', { 'x-stream-group': textField('ours'), ...UNSET }, 'ours'],
  ['with no name', { 'x-stream-group': textField('') }, null],
  ['with too long a name', { 'x-stream-group': textField('x'.repeat(256)) }, null],
  ['with a name that is no text', { 'x-stream-group': int(1) }, null],
])('a consumer %s is in the group that this means', (_, args, group) => {
  expect(spec(args).group).toBe(group);
});

test('a tag that the broker made is no group: asked for it is refused, else it is none', () => {
  expect(spec(UNSET, 'amq.ctag-1', false).group).toBeNull();
  expect(() => spec(TRACKED, 'amq.ctag-1', false)).toThrow(
    new AmqpError(
      'PRECONDITION_FAILED',
      'x-stream-automatic-offset-tracking needs a consumer tag of the client',
    ),
  );
  expect(spec({ ...TRACKED, 'x-stream-group': textField('ours') }, 'amq.ctag-1', false).group).toBe(
    'ours',
  );
});

test('a filter has each of its texts once, byte by byte, whatever else stands among them', () => {
  const bytes = Buffer.from([0xff, 0x00]);
  const filter = array(textField('a'), int(1), textField('é'), textField('a'), textField(bytes));
  expect(spec({ 'x-stream-filter': filter }).filter).toEqual({
    values: [Buffer.from('a'), Buffer.from('é'), bytes],
    matchUnfiltered: false,
  });
  expect(spec({ 'x-stream-filter': textField('a') }).filter?.values).toEqual([Buffer.from('a')]);
});

test('a filter says whether messages without a value pass it; without a filter all do', () => {
  const both = { 'x-stream-filter': textField('a'), 'x-stream-match-unfiltered': flag(true) };
  expect(spec(both).filter?.matchUnfiltered).toBe(true);
  expect(spec({ 'x-stream-match-unfiltered': flag(true) }).filter).toBeNull();
  expect(spec({ ...both, 'x-stream-filter': array() }).filter).toBeNull();
});

test('a filter is bounded', () => {
  const many = Array.from({ length: FILTER_VALUES_MAX + 5 }, (_, i) => textField(String(i)));
  expect(spec({ 'x-stream-filter': array(...many) }).filter?.values.length).toBe(FILTER_VALUES_MAX);
});

test('no value of any type is too odd to be read', () => {
  const names = ['offset', 'until', 'group', 'filter', 'match-unfiltered'];
  for (const field of EDGE_FIELDS) {
    for (const name of names) {
      const { start, group } = spec({ [`x-stream-${name}`]: field });
      expect(typeof start.kind).toBe('string');
      expect(group === null || group.length > 0).toBe(true);
    }
  }
});
