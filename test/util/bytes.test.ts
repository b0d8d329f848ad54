// Owns the tests of copying byte ranges.

import { expect, test } from 'vitest';
import { copyBytes, viewOf } from '../../src/util/bytes.ts';

test('a copy changes just its range, whatever its length and offsets', () => {
  const source = Buffer.alloc(260);
  for (let i = 0; i < source.length; i++) source[i] = (i * 7 + 1) & 0xff;
  const target = Buffer.alloc(260);
  for (let length = 0; length <= 180; length++) {
    for (const from of [0, 1, 2, 3, 4, 5, 70]) {
      for (const to of [0, 1, 2, 3, 4, 5, 70]) {
        target.fill(0xff);
        copyBytes(source, viewOf(source), from, target, viewOf(target), to, length);
        const expected = Buffer.alloc(target.length, 0xff);
        source.copy(expected, to, from, from + length);
        if (!target.equals(expected)) expect({ length, from, to, target }).toEqual({ expected });
      }
    }
  }
});

test('bytes that are no number as a float stay what they are', () => {
  const source = Buffer.from('7ff0000000000001fff8dead0000beef7f800001ffc00000', 'hex');
  const target = Buffer.alloc(source.length);
  copyBytes(source, viewOf(source), 0, target, viewOf(target), 0, source.length);
  expect(target).toEqual(source);
});

test('a view shows the bytes of its buffer, also of one that is a part of another', () => {
  const whole = Buffer.from([1, 2, 3, 4, 5, 6]);
  const view = viewOf(whole.subarray(2, 4));
  expect(view.byteLength).toBe(2);
  expect(view.getUint16(0)).toBe(0x0304);
  view.setUint8(1, 9);
  expect(whole[3]).toBe(9);
});
