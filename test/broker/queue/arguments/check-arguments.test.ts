// Owns the tests of what arguments of queues and consumers may hold.

import { expect, test } from 'vitest';
import type { Field } from '../../../../src/amqp/field-table.ts';
import {
  checkConsumerArguments,
  checkQueueArguments,
} from '../../../../src/broker/queue/arguments/check-arguments.ts';

const int = (value: number): Field => ({ type: 'I', value });
const text = (value: string): Field => ({ type: 'S', value });
const flag = (value: boolean): Field => ({ type: 't', value });

const check = (args: Record<string, Field>): void => {
  checkQueueArguments('q', '/', new Map(Object.entries(args)));
};

const PRECONDITION_FAILED = { replyName: 'PRECONDITION_FAILED', hard: false };

test.each<[string, Field[], Field[]]>([
  ['x-expires', [int(1), { type: 'l', value: 2 ** 31 }], [int(0), int(-1), text('1'), flag(true)]],
  ['x-message-ttl', [int(0), int(60_000)], [int(-1), text('60'), { type: 'd', value: 1.5 }]],
  ['x-max-length', [int(0), int(5)], [int(-1), text('5')]],
  ['x-max-length-bytes', [int(0), int(5)], [int(-1), flag(false)]],
  ['x-max-priority', [int(1), int(255)], [int(256), int(-1), text('10')]],
  ['x-overflow', [text('drop-head'), text('reject-publish')], [text('drop-tail'), int(1)]],
  ['x-queue-mode', [text('lazy'), text('default')], [text('eager'), int(1)]],
  ['x-queue-type', [text('classic')], [text('bogus'), int(1)]],
  ['x-single-active-consumer', [flag(true), flag(false)], [text('true'), int(1)]],
  ['x-deliver-after-commit', [flag(true), flag(false)], [text('true'), int(1)]],
  ['x-dead-letter-exchange', [text(''), text('dlx')], [int(1), flag(true)]],
])('%s takes what it should and refuses the rest', (name, allowed, refused) => {
  for (const field of allowed) expect(() => check({ [name]: field })).not.toThrow();
  for (const field of refused) {
    expect(() => check({ [name]: field }), JSON.stringify(field)).toThrow(
      expect.objectContaining(PRECONDITION_FAILED),
    );
  }
});

test('a dead-letter routing key needs a dead-letter exchange', () => {
  const key = { 'x-dead-letter-routing-key': text('k') };
  expect(() => check(key)).toThrow(/routing_key_but_no_dlx_defined/);
  expect(() => check({ ...key, 'x-dead-letter-exchange': text('') })).not.toThrow();
});

test('arguments that queues do not know may hold anything', () => {
  expect(() => check({ 'x-of-my-own': int(-1), other: flag(true) })).not.toThrow();
});

test('an error names the argument, the queue and the vhost', () => {
  expect(() => check({ 'x-max-length': int(-1) })).toThrow(
    /'x-max-length' for queue 'q' in vhost '\/'.*value_negative,-1/,
  );
});

test.each(['classic', 'quorum'])('what only streams know is refused for a %s queue', (type) => {
  const queue = { 'x-queue-type': text(type) };
  const refusal = `for queue 'q' in vhost '/' of queue type rabbit_${type}_queue`;
  for (const name of [
    'x-max-age',
    'x-stream-max-segment-size-bytes',
    'x-stream-filter-size-bytes',
  ]) {
    expect(() => check({ ...queue, [name]: int(1) })).toThrow(`invalid arg '${name}' ${refusal}`);
  }
  const args = new Map(Object.entries(queue));
  const offset = new Map([['x-stream-offset', text('first')]]);
  expect(() => checkConsumerArguments('q', '/', args, offset)).toThrow(
    `invalid arg 'x-stream-offset' ${refusal}`,
  );
});

const STREAM = { 'x-queue-type': text('stream') };
const OF_STREAM = "for queue 'q' in vhost '/' of queue type rabbit_stream_queue";

test('what streams do not know is refused for them, whatever its value', () => {
  for (const [name, field] of [
    ['x-message-ttl', int(-1)],
    ['x-expires', int(0)],
    ['x-dead-letter-exchange', text('x')],
    ['x-dead-letter-routing-key', text('x')],
    ['x-dead-letter-strategy', text('at-least-once')],
    ['x-max-priority', int(-5)],
    ['x-overflow', text('nonsense')],
    ['x-delivery-limit', int(5)],
    ['x-single-active-consumer', flag(false)],
    ['x-max-in-memory-length', int(5)],
    ['x-queue-mode', text('default')],
    ['x-queue-version', int(2)],
    ['x-queue-master-locator', text('min-masters')],
    ['x-quorum-initial-group-size', int(3)],
    ['x-message-delay', int(5)],
    ['x-delayed-retry-min', int(5)],
    ['x-delivery-rate', text('5/s')],
    ['x-message-deduplication', flag(true)],
    ['x-group-header', text('h')],
    ['x-group-concurrency', int(1)],
    ['x-deliver-after-commit', flag(true)],
  ] as const) {
    const refusal = `invalid arg '${name}' ${OF_STREAM}`;
    expect(() => check({ ...STREAM, [name]: field }), name).toThrow(refusal);
  }
});

test('a stream takes what it knows, and what no queue knows', () => {
  for (const [name, field] of [
    ['x-max-age', text('7D')],
    ['x-max-length', int(5)],
    ['x-max-length-bytes', int(5)],
    ['x-stream-max-segment-size-bytes', int(5)],
    ['x-stream-filter-size-bytes', int(16)],
    ['x-initial-cluster-size', int(3)],
    ['x-queue-leader-locator', text('balanced')],
    ['x-consumer-timeout', int(3000)],
    ['x-unknown', text('foo')],
  ] as const) {
    expect(() => check({ ...STREAM, [name]: field }), name).not.toThrow();
  }
});

test('values are looked at before what is for other types of queues, which is told in its order', () => {
  const ttl = { 'x-message-ttl': int(1) };
  const bytes = { 'x-max-length-bytes': int(-1) };
  expect(() => check({ ...ttl, ...STREAM, ...bytes })).toThrow('{value_negative,-1}');
  const expires = { 'x-expires': int(1) };
  expect(() => check({ ...STREAM, ...ttl, ...expires })).toThrow("'x-message-ttl'");
  expect(() => check({ ...expires, ...STREAM, ...ttl })).toThrow("'x-expires'");
});

test('a type that is not there is told first, whatever only queues of others know', () => {
  const odd = { 'x-max-age': text('7D'), 'x-queue-type': text('odd') };
  expect(() => check(odd)).toThrow("unsupported queue type 'odd'");
});

test('a consumer of a stream has no priority, and what it says of where to read is looked at first', () => {
  const consume = (args: Record<string, Field>): void =>
    checkConsumerArguments(
      'q',
      '/',
      new Map(Object.entries(STREAM)),
      new Map(Object.entries(args)),
    );
  for (const args of [{ 'x-priority': int(5) }, { 'x-cancel-on-ha-failover': flag(true) }]) {
    const [name] = Object.keys(args);
    expect(() => consume(args)).toThrow(`invalid arg '${name}' ${OF_STREAM}`);
  }
  expect(() => consume({ 'x-priority': int(5), 'x-stream-offset': text('5X') })).toThrow(
    `invalid arg 'x-stream-offset' for queue 'q' in vhost '/': {invalid_stream_offset_arg,{longstr,<<"5X">>}}`,
  );
  const taken = { 'x-stream-offset': text('1h'), 'x-consumer-timeout': int(5), odd: int(1) };
  expect(() => consume(taken)).not.toThrow();
});
