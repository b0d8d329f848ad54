import { expect, test } from 'vitest';
import { murmur3 } from '../../src/util/murmur3.ts';

const hash = (text: string, seed: number): number => {
  const bytes = Buffer.from(text);
  return murmur3(bytes, bytes.length, seed);
};

test.each<[string, number, number]>([
  ['', 0, 0],
  ['', 1, 0x514e28b7],
  ['', 0xffffffff, 0x81f16f39],
  ['a', 0x9747b28c, 0x7fa09ea6],
  ['aa', 0x9747b28c, 0x5d211726],
  ['aaa', 0x9747b28c, 0x283e0130],
  ['aaaa', 0x9747b28c, 0x5a97808a],
  ['abc', 0, 0xb3dd93fa],
  ['test', 0, 0xba6bd213],
  ['Hello, world!', 0x9747b28c, 0x24884cba],
  ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 0x2fa826cd],
  ['ππππππππ', 0x9747b28c, 0xd58063c1],
])('the published value of %j with seed %i', (text, seed, value) => {
  expect(hash(text, seed)).toBe(value);
});

test('only so many bytes count as are told', () => {
  expect(murmur3(Buffer.from('abcdef'), 3, 0)).toBe(hash('abc', 0));
});
