import { expect, test } from 'vitest';
import type { FieldTable } from '../../../src/amqp/field-table.ts';
import { encodeContentHeaderPayload, type Properties } from '../../../src/amqp/properties.ts';
import {
  BIT_CORRELATION_ID,
  BIT_MESSAGE_ID,
  BIT_TIMESTAMP,
  PROPERTY_FLAGS_OFFSET,
} from '../../../src/amqp/property-walk.ts';
import { HeaderName } from '../../../src/broker/exchange/types/header-name.ts';
import { MessageProperties } from '../../../src/broker/routing/message-properties.ts';

const HEADERS: FieldTable = new Map([['a', { type: 'I', value: 1 }]]);

const read = (properties: Properties): MessageProperties =>
  new MessageProperties().read(encodeContentHeaderPayload(0, properties), PROPERTY_FLAGS_OFFSET);

test('headers are decoded once, and are those of the message read last', () => {
  const message = read({ headers: HEADERS });
  expect(message.headers()).toEqual(HEADERS);
  expect(message.headers()).toBe(message.headers());
  message.read(encodeContentHeaderPayload(0, { messageId: 'm' }), PROPERTY_FLAGS_OFFSET);
  expect(message.headers()).toBeNull();
});

test('a header is found by its name, in each message anew', () => {
  const [a, b] = [new HeaderName('a'), new HeaderName('b')];
  const message = read({ headers: HEADERS });
  expect(message.header(a)).toEqual({ type: 'I', value: 1 });
  expect(message.header(a)).toBe(message.header(a));
  expect(message.header(b)).toBeNull();
  const headers: FieldTable = new Map([['b', { type: 'S', value: 'two' }]]);
  message.read(encodeContentHeaderPayload(0, { headers }), PROPERTY_FLAGS_OFFSET);
  expect([message.header(a), message.header(b)]).toEqual([null, { type: 'S', value: 'two' }]);
  message.read(encodeContentHeaderPayload(0, {}), PROPERTY_FLAGS_OFFSET);
  expect(message.header(b)).toBeNull();
  const other = read({ headers: HEADERS });
  expect([message.header(a), other.header(a)]).toEqual([null, HEADERS.get('a')]);
});

test('other headers may stand for those of the message', () => {
  const b = new HeaderName('b');
  const message = read({ headers: HEADERS });
  expect(message.header(b)).toBeNull();
  const others: FieldTable = new Map([['b', { type: 't', value: true }]]);
  expect(message.withHeaders(others).headers()).toBe(others);
  expect(message.header(b)).toEqual({ type: 't', value: true });
  expect(message.header(new HeaderName('a'))).toBeNull();
});

test('short strings and timestamps read as text, and what is not there as null', () => {
  const message = read({ headers: HEADERS, messageId: 'm-1', timestamp: 1_700_000_000 });
  expect(message.property(BIT_MESSAGE_ID)).toBe('m-1');
  expect(message.property(BIT_TIMESTAMP)).toBe('1700000000');
  expect(message.property(BIT_CORRELATION_ID)).toBeNull();
  expect(read({}).property(BIT_TIMESTAMP)).toBeNull();
});
