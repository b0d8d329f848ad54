import { expect, test } from 'vitest';
import { checksum, verifyChecksum, withChecksum, writeChecksum } from '../../src/store/checksum.ts';
import { CorruptRecordError } from '../../src/store/errors.ts';

const KEY = Buffer.from([0xca, 0xfe]);

test('the checksum is the CRC-32 that everybody knows', () => {
  expect(checksum(Buffer.from('123456789'))).toBe(0xcbf43926);
  expect(checksum(Buffer.alloc(0))).toBe(0);
});

test('a value with a checksum gives back its content', () => {
  for (const size of [0, 1, 100, 70_000]) {
    const content = Buffer.alloc(size, 7);
    expect(verifyChecksum(1, KEY, withChecksum(content)).equals(content)).toBe(true);
  }
});

test('the checksum can be written into the room left for it', () => {
  const value = Buffer.from('content....');
  writeChecksum(value);
  expect(value.equals(withChecksum(Buffer.from('content')))).toBe(true);
});

test('any single flipped bit is found', () => {
  const value = withChecksum(Buffer.from('some content'));
  for (let bit = 0; bit < value.length * 8; bit += 1) {
    const flipped = Buffer.from(value);
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
    expect(() => verifyChecksum(3, KEY, flipped)).toThrow(CorruptRecordError);
  }
});

test('the error names table, key and what is wrong', () => {
  expect(() => verifyChecksum(3, KEY, Buffer.alloc(2))).toThrow(
    'the record cafe of table 3 is damaged: it is cut short to 2 bytes',
  );
  const error = new CorruptRecordError(3, KEY, 'it is odd');
  expect([error.table, error.key]).toEqual([3, KEY]);
});
