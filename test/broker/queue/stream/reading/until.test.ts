// Owns the tests of a reading that has an end: at an offset, where the stream ended, at a time of the past or to come.

import { expect, test } from 'vitest';
import { textField } from '../../../../../src/amqp/field-table.ts';
import { ALL_RIGHTS } from '../../../../../src/broker/access/grants.ts';
import type {
  ReadingSpec,
  StreamUntil,
} from '../../../../../src/broker/queue/stream/reading/reading-spec.ts';
import type { Stream } from '../../../../../src/broker/queue/stream/stream.ts';
import { streamsAmong } from '../../../plain-queue.ts';
import { NOW_MS, SmallBroker } from '../../../small-broker.ts';
import { StreamWorker } from '../../../stream-worker.ts';

function declare(small: SmallBroker): Stream {
  const declaration = { name: 's', durable: true, autoDelete: false, owner: null };
  const args = new Map([['x-queue-type', textField('stream')]]);
  small.vhost.as(ALL_RIGHTS, small).declareQueue({ ...declaration, arguments: args });
  const [stream] = streamsAmong(small.vhost.queues.values());
  if (stream === undefined) throw new Error('there is no stream');
  return stream;
}

function publish(small: SmallBroker, ...bodies: string[]): void {
  for (const body of bodies) {
    small.publish({ routingKey: 's', properties: { deliveryMode: 2 } }, Buffer.from(body));
  }
  small.run();
}

function read(small: SmallBroker, stream: Stream, until: StreamUntil): StreamWorker {
  const spec: ReadingSpec = { start: { kind: 'first' }, until, group: null, filter: null };
  const worker = new StreamWorker(small);
  worker.consume(stream.reading(spec), 100);
  small.run();
  return worker;
}

test.each<[string, StreamUntil]>([
  ['an offset', { kind: 'offset', offset: 2 }],
  ['a time that has come', { kind: 'time', ms: NOW_MS + 1_000 }],
])('a reading ends at %s', (_, until) => {
  const small = new SmallBroker();
  const stream = declare(small);
  publish(small, 'a', 'b');
  small.pass(2_000);
  publish(small, 'c');
  const worker = read(small, stream, until);
  expect(worker.taken()).toEqual(['a', 'b']);
  expect(worker.ended).toHaveLength(1);
});

test('a reading ends where the stream ended as it began', () => {
  const small = new SmallBroker();
  const stream = declare(small);
  publish(small, 'a');
  const worker = read(small, stream, { kind: 'end' });
  expect([worker.taken(), worker.ended.length]).toEqual([['a'], 1]);
  expect(read(small, declare(new SmallBroker()), { kind: 'end' }).given).toEqual([]);
});

test('a reading goes on until a time to come, and then ends by itself', () => {
  const small = new SmallBroker();
  const stream = declare(small);
  publish(small, 'a');
  const worker = read(small, stream, { kind: 'time', ms: NOW_MS + 5_000 });
  small.pass(1_000);
  publish(small, 'b');
  expect([worker.taken(), worker.ended.length]).toEqual([['a', 'b'], 0]);
  small.pass(4_000);
  expect(worker.ended).toHaveLength(1);
  publish(small, 'c');
  expect(worker.taken()).toEqual([]);
});

test('what came before its time is read, however late the reader is', () => {
  const small = new SmallBroker();
  const stream = declare(small);
  const worker = new StreamWorker(small);
  const spec: ReadingSpec = {
    start: { kind: 'first' },
    until: { kind: 'time', ms: NOW_MS + 1_000 },
    group: null,
    filter: null,
  };
  worker.consume(stream.reading(spec), 1);
  publish(small, 'a', 'b');
  small.pass(2_000);
  publish(small, 'c');
  expect([worker.taken(), worker.ended.length]).toEqual([['a'], 0]);
  worker.settle();
  small.run();
  expect([worker.taken(), worker.ended.length]).toEqual([['b'], 1]);
});
