// Owns the tests of records that get a content header of their own.

import { expect, test } from 'vitest';
import { encodeContentHeaderPayload } from '../../src/amqp/properties.ts';
import { Chunk } from '../../src/message/chunk.ts';
import { buildRecord, headerFrameStart } from '../../src/message/record.ts';
import { withHeaderPayload } from '../../src/message/replace-header.ts';

const HEAD = 13;
const short = encodeContentHeaderPayload(5, { messageId: 'm' });
const long = encodeContentHeaderPayload(5, { messageId: 'another', correlationId: 'c' });

/** A record that differs from another of its kind in what its head says, and in nothing else. */
function record(payload: Buffer, body: string): Buffer {
  return buildRecord('exchange', 'key', payload, Buffer.from(body)).fill(7, 0, HEAD);
}

test('a record out of a chunk with others gets another header', () => {
  for (const [from, to] of [
    [short, long],
    [long, short],
  ] as const) {
    for (const body of ['', 'hello']) {
      const source = record(from, body);
      const chunk = new Chunk();
      chunk.load(Buffer.concat([Buffer.from('before'), source, Buffer.from('after')]), true);
      const start = 'before'.length;
      const headerFrame = headerFrameStart(chunk.bytes, start);
      const other = withHeaderPayload(chunk, start, headerFrame, start + source.length, to);
      const expected = record(to, body);
      expect(other.chunk.bytes).toEqual(expected);
      expect(other.end).toBe(expected.length);
      expect(other.chunk.single).toBe(true);
    }
  }
});

test('a body in parts stays where it is', () => {
  const whole = record(short, 'hello');
  const chunk = new Chunk();
  const parts = [Buffer.from('he'), Buffer.from('llo')];
  const before = whole.length - 'hello'.length - 1;
  chunk.loadRecord(whole.subarray(0, before), parts);
  const headerFrame = headerFrameStart(whole, 0);
  const other = withHeaderPayload(chunk, 0, headerFrame, before + 5, long);
  expect(other.chunk.parts).toBe(parts);
  const expected = record(long, 'hello');
  expect(other.chunk.joined()).toEqual(expected.subarray(0, expected.length - 1));
  expect(other.end).toBe(expected.length - 1);
});
