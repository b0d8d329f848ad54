// Owns the tests of the values that streams alone know, and what is said of wrong ones.

import { expect, test } from 'vitest';
import { type Field, textField } from '../../../../src/amqp/field-table.ts';
import { POLICY_KEYS } from '../../../../src/broker/policy/policy-keys.ts';
import {
  CONSUMER_ARGUMENTS,
  consumerArgument,
} from '../../../../src/broker/queue/arguments/consumer-arguments.ts';
import { queueArgument } from '../../../../src/broker/queue/arguments/queue-arguments.ts';
import { wrongStreamSize } from '../../../../src/broker/queue/arguments/stream-values.ts';
import { FILTER_VALUES_MAX } from '../../../../src/broker/queue/stream/reading/reading-spec.ts';
import { EDGE_FIELDS } from '../../../amqp/edge-fields.ts';

const int = (value: number): Field => ({ type: 'I', value });
const long = (value: number | bigint): Field => ({ type: 'l', value });
const array = (...value: Field[]): Field => ({ type: 'A', value });
const flag: Field = { type: 't', value: true };
const VOID: Field = { type: 'V', value: null };
const INTEGER = '"expected integer, got longstr"';

const queue = (name: string, field: Field) => queueArgument(name)?.check(field, new Map());
const consumer = (name: string, field: Field) => consumerArgument(name)?.check(field, new Map());

test.each<[string, Field, string | null]>([
  ['x-max-age', textField('7D'), null],
  ['x-max-age', textField('99999999999999999999Y'), null],
  ['x-max-age', textField('01h'), null],
  ['x-max-age', textField('0s'), 'invalid_max_age'],
  ['x-max-age', textField('-1s'), 'invalid_max_age'],
  ['x-max-age', textField('1X'), 'invalid_max_age'],
  ['x-max-age', textField('1'), 'invalid_max_age'],
  ['x-max-age', textField(''), 'invalid_max_age'],
  ['x-max-age', textField('1hh'), 'invalid_max_age'],
  ['x-max-age', textField('1H'), 'invalid_max_age'],
  ['x-max-age', int(5), '{unacceptable_type,signedint}'],
  ['x-max-age', VOID, '{unacceptable_type,void}'],
  ['x-stream-max-segment-size-bytes', int(0), null],
  ['x-stream-max-segment-size-bytes', int(-1), '{value_negative,-1}'],
  ['x-stream-max-segment-size-bytes', textField('5'), INTEGER],
  ['x-stream-filter-size-bytes', int(16), null],
  ['x-stream-filter-size-bytes', textField('16'), INTEGER],
  ['x-initial-cluster-size', int(3), null],
  ['x-initial-cluster-size', int(0), '{value_zero,0}'],
  ['x-queue-leader-locator', textField('balanced'), null],
  ['x-queue-leader-locator', textField('nonsense'), 'invalid_queue_locator_arg'],
])('%s in a declaration: %j', (name, field, wrong) => {
  expect(queue(name, field)).toBe(wrong);
});

test.each<[number | null, number | null, string | null]>([
  [null, null, null],
  [3_000_000_000, 16, null],
  [0, 255, null],
  [3_000_000_001, null, 'Exceeded max value for x-stream-max-segment-size-bytes'],
  [null, 15, 'Invalid value for x-stream-filter-size-bytes'],
  [null, 256, 'Invalid value for x-stream-filter-size-bytes'],
])('sizes of segments and filters are bounded: %j and %j', (segment, filter, wrong) => {
  const args = new Map<string, Field>();
  if (segment !== null) args.set('x-stream-max-segment-size-bytes', long(segment));
  if (filter !== null) args.set('x-stream-filter-size-bytes', long(filter));
  expect(wrongStreamSize(args)).toBe(wrong);
});

const OFFSET = 'x-stream-offset';
const longest = textField('x'.repeat(255));
const tooLong = textField('x'.repeat(256));

test.each<[string, Field, string | null]>([
  [OFFSET, textField('first'), null],
  [OFFSET, { type: 'x', value: Buffer.from('first') }, null],
  [OFFSET, textField('1h'), null],
  [OFFSET, long(-5), null],
  [OFFSET, VOID, null],
  [OFFSET, { type: 'T', value: 1 }, null],
  [OFFSET, textField('5X'), '{invalid_stream_offset_arg,{longstr,<<"5X">>}}'],
  [OFFSET, textField('0s'), '{invalid_stream_offset_arg,{longstr,<<"0s">>}}'],
  [OFFSET, textField('nonsense'), '{invalid_stream_offset_arg,{longstr,<<"nonsense">>}}'],
  [OFFSET, flag, '{invalid_stream_offset_arg,{bool,true}}'],
  [OFFSET, { type: 'd', value: 1 }, '{invalid_stream_offset_arg,{double,1.0}}'],
  ['x-stream-until', textField('end'), null],
  ['x-stream-until', long(5), null],
  ['x-stream-until', long(-5), '{invalid_stream_until_arg,{long,-5}}'],
  ['x-stream-until', VOID, '{invalid_stream_until_arg,{void,undefined}}'],
  ['x-stream-group', longest, null],
  ['x-stream-group', textField(''), 'empty_stream_group'],
  ['x-stream-group', tooLong, '"longer than 255 bytes"'],
  ['x-stream-group', textField(Buffer.from([0xff])), '"not valid UTF-8"'],
  ['x-stream-group', long(1), '{unacceptable_type,long}'],
  ['x-stream-automatic-offset-tracking', flag, null],
  ['x-stream-automatic-offset-tracking', textField('true'), '{unacceptable_type,longstr}'],
  ['x-stream-filter', textField(''), null],
  ['x-stream-filter', array(textField('a'), longest), null],
  ['x-stream-filter', array(), 'empty_stream_filter'],
  ['x-stream-filter', array(textField('a'), long(1)), '{unacceptable_type,long}'],
  ['x-stream-filter', tooLong, '"longer than 255 bytes"'],
  ['x-stream-filter', array(tooLong), '"longer than 255 bytes"'],
  ['x-stream-filter', long(1), '{unacceptable_type,long}'],
  ['x-stream-match-unfiltered', flag, null],
  ['x-stream-match-unfiltered', long(1), '{unacceptable_type,long}'],
])('%s of a consumer: %j', (name, field, wrong) => {
  expect(consumer(name, field)).toBe(wrong);
});

test('a filter has only so many texts', () => {
  const filter = (count: number) => array(...Array.from({ length: count }, () => textField('a')));
  expect(consumer('x-stream-filter', filter(FILTER_VALUES_MAX))).toBeNull();
  expect(consumer('x-stream-filter', filter(256))).toBe('{max_value_exceeded,256}');
});

test('a value of any type is taken or refused', () => {
  for (const { name, check } of CONSUMER_ARGUMENTS) {
    for (const field of EDGE_FIELDS) {
      expect(['string', 'object'], name).toContain(typeof check(field, new Map()));
    }
  }
});

test.each<[string, string | number | boolean, string | null]>([
  ['max-age', '7D', null],
  ['max-age', '5X', '<<"5X">> is not a valid max age'],
  ['max-age', 5, '5 is not a valid max age'],
  ['stream-max-segment-size-bytes', -1, '-1 is not a valid segment size'],
  ['stream-filter-size-bytes', 255, null],
  ['stream-filter-size-bytes', 256, '256 is not a valid filter size'],
])('%s of a policy: %j', (key, value, wrong) => {
  const given = typeof value === 'number' ? BigInt(value) : value;
  expect(POLICY_KEYS.find((row) => row.key === key)?.check(given)).toBe(wrong);
});

test('what is said of streams alone is so in arguments, policies and consumers', () => {
  for (const key of ['max-age', 'stream-max-segment-size-bytes', 'stream-filter-size-bytes']) {
    expect(queueArgument(`x-${key}`)?.onlyFor, key).toEqual(['stream']);
    expect(POLICY_KEYS.find((row) => row.key === key)?.onlyFor, key).toEqual(['stream']);
  }
  const reading = CONSUMER_ARGUMENTS.filter(({ name }) => name.startsWith('x-stream-'));
  expect(reading.map(({ onlyFor }) => onlyFor)).toEqual(Array(6).fill(['stream']));
});

test('what streams do not know is said of other queues alone', () => {
  const forAll = ['max-length', 'max-length-bytes', 'consumer-timeout', 'queue-leader-locator'];
  for (const key of forAll) expect(queueArgument(`x-${key}`)?.onlyFor, key).toBeNull();
  const others = ['message-ttl', 'overflow', 'message-delay', 'group-header', 'queue-mode'];
  for (const key of others) {
    expect(queueArgument(`x-${key}`)?.onlyFor, key).toEqual(['classic', 'quorum']);
  }
  expect(consumerArgument('x-priority')?.onlyFor).toEqual(['classic', 'quorum']);
});
