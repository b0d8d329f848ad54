// Owns a stream whose messages have filter values, for tests. Never asserts.

import { type Field, textField } from '../../../../../src/amqp/field-table.ts';
import { encodeContentHeaderPayload } from '../../../../../src/amqp/properties.ts';
import { ALL_RIGHTS } from '../../../../../src/broker/access/grants.ts';
import { PUSH_STORED, PUSH_STREAM_HEADERS } from '../../../../../src/broker/queue/push-flags.ts';
import { fingerprintOf } from '../../../../../src/broker/queue/stream/filter/fingerprint.ts';
import type { Cursor } from '../../../../../src/broker/queue/stream/reading/cursor.ts';
import type { ReadingSpec } from '../../../../../src/broker/queue/stream/reading/reading-spec.ts';
import type { Stream } from '../../../../../src/broker/queue/stream/stream.ts';
import { buildRecord, NO_EXPIRY, writeRecordHead } from '../../../../../src/message/record.ts';
import { viewOf } from '../../../../../src/util/bytes.ts';
import { streamsAmong } from '../../../plain-queue.ts';
import type { SmallBroker } from '../../../small-broker.ts';

/** The stream of a broker. */
export function streamOf(small: SmallBroker): Stream {
  const [stream] = streamsAmong(small.vhost.queues.values());
  if (stream === undefined) throw new Error('there is no stream');
  return stream;
}

/** Declares it. */
export function declareStream(small: SmallBroker, args: Record<string, Field> = {}): Stream {
  const declaration = { name: 's', durable: true, autoDelete: false, owner: null };
  const all = new Map(Object.entries({ 'x-queue-type': textField('stream'), ...args }));
  small.vhost.as(ALL_RIGHTS, small).declareQueue({ ...declaration, arguments: all });
  return streamOf(small);
}

/** Pushes messages with these filter values, null for none; of each value the log has one message. */
export function pushValues(small: SmallBroker, values: Iterable<string | null>): void {
  const stream = streamOf(small);
  const { log } = small.broker.core;
  const positions = new Map<string | null, number>();
  for (const value of values) {
    let position = positions.get(value);
    if (position === undefined) {
      const fields: [string, Field][] = [['x-other', textField('x')]];
      if (value !== null) fields.push(['x-stream-filter-value', textField(value)]);
      const payload = encodeContentHeaderPayload(1, { headers: new Map(fields) });
      const record = buildRecord('', 's', payload, Buffer.from('b'));
      const view = viewOf(record);
      writeRecordHead(view, 0, 1, 0, small.nowMs, NO_EXPIRY);
      position = log.append(record, view, 0, record.length, true);
      positions.set(value, position);
    }
    log.retain(position, 1);
    stream.push(position, 1, value === null ? PUSH_STORED : PUSH_STORED | PUSH_STREAM_HEADERS);
  }
  small.run();
}

/** What a consumer asks for that reads from the first message to the last. */
export function specOf(values: readonly string[], matchUnfiltered = false): ReadingSpec {
  const filter = { values: values.map((value) => Buffer.from(value)), matchUnfiltered };
  return { start: { kind: 'first' }, until: { kind: 'end' }, group: null, filter };
}

/** The offsets that a cursor finds, to its end; in `turns` it counts how often it had to go on. */
export function offsetsOf(cursor: Cursor, turns = { count: 0 }): number[] {
  const found: number[] = [];
  while (!cursor.ended) {
    cursor.walk?.budget.renew();
    turns.count += 1;
    for (let offset = cursor.find(); offset >= 0; offset = cursor.find()) {
      found.push(offset);
      cursor.next = offset + 1;
    }
    cursor.walk?.rest();
  }
  return found;
}

/** The offsets that a filter finds in the stream of a broker. */
export function found(small: SmallBroker, values: readonly string[], unfiltered = false): number[] {
  return offsetsOf(streamOf(small).cursor(specOf(values, unfiltered), 0));
}

/** Two values that have the same fingerprint. */
export function alikePair(): readonly [string, string] {
  const known = new Map<number, string>();
  for (let n = 0; ; n++) {
    const value = `value-${n}`;
    const fingerprint = fingerprintOf(Buffer.from(value));
    const other = known.get(fingerprint);
    if (other !== undefined) return [other, value];
    known.set(fingerprint, value);
  }
}
