// Owns the tests of telling by the bytes of a message whether it has headers that streams go by.

import { expect, test } from 'vitest';
import { textField } from '../../../src/amqp/field-table.ts';
import { encodeContentHeaderPayload } from '../../../src/amqp/properties.ts';
import { PROPERTY_FLAGS_OFFSET } from '../../../src/amqp/property-walk.ts';
import { PUSH_STREAM_HEADERS } from '../../../src/broker/queue/push-flags.ts';
import { DuePlaces, headerSigns } from '../../../src/broker/routing/header-signs.ts';

const signsOf = (...names: string[]): number => {
  const headers = new Map(names.map((name) => [name, textField('v')]));
  const payload = encodeContentHeaderPayload(0, { headers });
  return headerSigns(payload, PROPERTY_FLAGS_OFFSET, new DuePlaces());
};

test.each([
  'x-stream-filter-value',
  'x-stream-publisher',
  'x-stream-publishing-id',
  'x-stream-expected-id',
])('streams are told of a message with the header %s, and of no other', (name) => {
  expect(signsOf(name)).toBe(PUSH_STREAM_HEADERS);
  expect(signsOf('CC', name) & PUSH_STREAM_HEADERS).toBe(PUSH_STREAM_HEADERS);
  expect(signsOf(name.replace('x-', 'y-'), `${name}s`, 'x-stream-offset')).toBe(0);
});
