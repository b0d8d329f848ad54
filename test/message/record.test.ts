// Owns the tests of the record layout.

import { expect, test } from 'vitest';
import { decodeProperties, encodeContentHeaderPayload } from '../../src/amqp/properties.ts';
import {
  addressEnd,
  addressStart,
  bodyBytesAt,
  buildRecord,
  FLAG_PERSISTENT,
  headerFrameStart,
  NO_EXPIRY,
  RECORD_HEAD_BYTES,
  recordArrivedMs,
  recordExchange,
  recordExpiryMs,
  recordFlags,
  recordPriority,
  recordRoutingKey,
  writeRecordHead,
} from '../../src/message/record.ts';
import { viewOf } from '../../src/util/bytes.ts';
import { type Random, withSeed } from '../amqp/random.ts';
import { publishFrames } from './frames.ts';

test('a head reads back as it was written, up to the largest values', () => {
  const record = Buffer.alloc(40);
  const view = viewOf(record);
  const cases = [
    [0, 0, 0, 0],
    [FLAG_PERSISTENT, 9, 1_700_000_000_000, 60_000],
    [FLAG_PERSISTENT, 255, 2 ** 48 - 1, NO_EXPIRY - 1],
    [0, 1, 2 ** 32, 2 ** 32],
    [0, 1, 2 ** 32 - 1, NO_EXPIRY],
  ] as const;
  for (const [flags, priority, arrivedMs, expiryMs] of cases) {
    record.fill(0xaa);
    writeRecordHead(view, 5, flags, priority, arrivedMs, expiryMs);
    expect(recordFlags(record, 5)).toBe(flags);
    expect(recordPriority(record, 5)).toBe(priority);
    expect(recordArrivedMs(view, 5)).toBe(arrivedMs);
    expect(recordExpiryMs(view, 5)).toBe(expiryMs);
    const around = [record[4], record[5 + RECORD_HEAD_BYTES]];
    expect(around, 'the head stays within its 13 bytes').toEqual([0xaa, 0xaa]);
  }
});

test('the frames of a publish are a record as they stand, wherever they begin', () => {
  withSeed((random: Random) => {
    for (let n = 0; n < 200; n++) {
      const exchange = 'e'.repeat(random.below(256));
      const routingKey = 'k'.repeat(random.below(256));
      const body = random.bytes(random.pick([0, 1, 300]));
      const properties = random.bool() ? { deliveryMode: 2, messageId: 'm' } : {};
      const frames = publishFrames(7, { exchange, routingKey, properties, body });
      const start = random.below(50);
      const bytes = Buffer.concat([Buffer.alloc(start), frames, Buffer.alloc(9)]);
      const view = viewOf(bytes);
      writeRecordHead(view, start, 0, 0, 1, NO_EXPIRY);
      const headerFrame = headerFrameStart(bytes, start);
      expect(recordExchange(bytes, start)).toBe(exchange);
      expect(recordRoutingKey(bytes, start)).toBe(routingKey);
      expect(addressEnd(bytes, start) - addressStart(start)).toBe(
        2 + exchange.length + routingKey.length,
      );
      expect(bytes[headerFrame], 'the type of a header frame').toBe(2);
      expect(bodyBytesAt(view, headerFrame)).toBe(body.length);
    }
  });
});

test('a record the broker builds has the layout of one that was published', () => {
  const properties = { deliveryMode: 2, headers: new Map() };
  for (const body of [Buffer.alloc(0), Buffer.from('hello')]) {
    const payload = encodeContentHeaderPayload(body.length, properties);
    const built = buildRecord('the exchange', 'ключ', payload, body);
    const published = publishFrames(0, {
      exchange: 'the exchange',
      routingKey: 'ключ',
      properties,
      body,
    });
    for (const record of [built, published]) {
      writeRecordHead(viewOf(record), 0, FLAG_PERSISTENT, 0, 5, NO_EXPIRY);
    }
    expect(built).toEqual(published);
    const headerFrame = headerFrameStart(built, 0);
    const decoded = decodeProperties(built, headerFrame + 19, headerFrame + 7 + payload.length);
    expect(decoded.deliveryMode).toBe(2);
  }
});
