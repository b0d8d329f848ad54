// Owns the tests of Chaskey: the vectors of its authors.

import { expect, test } from 'vitest';
import { Chaskey } from '../../../../src/broker/queue/duplicates/chaskey.ts';

/** The inputs of the vectors are 00 01 02 ... of some lengths. */
const input = Buffer.from(Array.from({ length: 64 }, (_, n) => n));

function hashes(rounds: number | undefined, lengths: readonly number[]): string[] {
  const key = Buffer.from('33343d839f389f004fe6982339cf7a41', 'hex');
  const hash = new Chaskey(key, rounds);
  return lengths.map((length) => {
    hash.hash(input, 0, length);
    return [...hash.words].map((word) => word.toString(16).padStart(8, '0')).join(' ');
  });
}

test('with 8 rounds it gives what the reference gives', () => {
  expect(hashes(8, [0, 1, 2, 3, 4, 5])).toEqual([
    '792e8fe5 75ce87aa 2d1450b5 1191970b',
    '13a9307b 50e62c89 4577bd88 c0bbdc18',
    '55df8922 2c7ff577 73809ef4 4e5084c0',
    '1bdbb264 a07680d8 8e5b2ab8 20660413',
    '30b2d171 e38532fb 16707c16 73ed45f0',
    'bc983d0c 31b14064 234cd7a2 0c92bbf9',
  ]);
  expect(hashes(8, [15, 16, 17, 32, 63])).toEqual([
    '51b94da4 efcc4de8 192412ea bbc170dd',
    '79271ca9 d66a1c71 81ca474e 49831cad',
    '048da968 4e25d096 2d6cf897 bc3959ca',
    '60b3f7af 37eee7c8 836cfd98 782ca060',
    '9047fad7 88136d8c a488286b 7fe9352c',
  ]);
});

test('it has 12 rounds where nothing else is said', () => {
  expect(hashes(undefined, [0, 16, 36])).toEqual(hashes(12, [0, 16, 36]));
  expect(hashes(undefined, [36])).not.toEqual(hashes(8, [36]));
});

test('it hashes what lies between two places, under its key alone', () => {
  const bytes = Buffer.from('--order-4711--');
  const words = (key: Buffer, start: number, end: number): number[] => {
    const hash = new Chaskey(key);
    hash.hash(bytes, start, end);
    return [...hash.words];
  };
  const key = Buffer.alloc(16, 1);
  const other = Buffer.from(key);
  other[15] = 2;
  expect(words(key, 2, 12)).not.toEqual(words(key, 2, 13));
  expect(words(key, 2, 12)).not.toEqual(words(other, 2, 12));
  const alone = new Chaskey(key);
  alone.hash(Buffer.from('order-4711'), 0, 10);
  expect([...alone.words]).toEqual(words(key, 2, 12));
});
