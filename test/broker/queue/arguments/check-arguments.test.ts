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

test('a type that is not there is told first, whatever only queues of it know', () => {
  const stream = { 'x-max-age': text('7D'), 'x-queue-type': text('stream') };
  expect(() => check(stream)).toThrow("unsupported queue type 'stream'");
});
