// Owns the tests of SipHash: the vectors of its authors.

import { expect, test } from 'vitest';
import { SipHash } from '../../../../src/broker/queue/duplicates/sip-hash.ts';

test('it gives what the reference gives, for the inputs 00 01 02 ... of some lengths', () => {
  const hash = new SipHash(Buffer.from(Array.from({ length: 16 }, (_, n) => n)));
  const input = Buffer.from(Array.from({ length: 64 }, (_, n) => n));
  const of = (length: number): string => {
    hash.hash(input, 0, length);
    return Buffer.from(hash.words.buffer).toString('hex');
  };
  expect([0, 1, 2, 3, 4].map(of)).toEqual([
    'a3817f04ba25a8e66df67214c7550293',
    'da87c1d86b99af44347659119b22fc45',
    '8177228da4a45dc7fca38bdef60affe4',
    '9c70b60c5267a94e5f33b6b02985ed51',
    'f88164c12d9c8faf7d0f6e7c7bcd5579',
  ]);
  expect([15, 63].map(of)).toEqual([
    '5493e99933b0a8117e08ec0f97cfc3d9',
    '5150d1772f50834a503e069a973fbd7c',
  ]);
});

test('it hashes what lies between two places, under its key alone', () => {
  const bytes = Buffer.from('--order-4711--');
  const words = (key: Buffer, start: number, end: number): number[] => {
    const hash = new SipHash(key);
    hash.hash(bytes, start, end);
    return [...hash.words];
  };
  const key = Buffer.alloc(16, 1);
  const other = Buffer.from(key);
  other[15] = 2;
  expect(words(key, 2, 12)).not.toEqual(words(key, 2, 13));
  expect(words(key, 2, 12)).not.toEqual(words(other, 2, 12));
  const alone = new SipHash(key);
  alone.hash(Buffer.from('order-4711'), 0, 10);
  expect([...alone.words]).toEqual(words(key, 2, 12));
});
