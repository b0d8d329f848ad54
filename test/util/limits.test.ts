// Owns the tests of the limits that the wire sets: what fits, and what is cut, down to the byte.

import { expect, test } from 'vitest';
import { heldToInt64, INT64_MAX, INT64_MIN, isShort, shortBytes } from '../../src/util/limits.ts';

test('a text fits into a short string by its bytes, not by its characters', () => {
  for (const sign of ['k', 'é', '日', '😀', '\ud800']) {
    const bytes = Buffer.byteLength(sign);
    const most = Math.floor(255 / bytes);
    expect([isShort(sign.repeat(most)), isShort(sign.repeat(most + 1))], sign).toEqual([
      true,
      false,
    ]);
    const cut = shortBytes(sign.repeat(1000));
    expect(cut.length).toBe(most * bytes);
    expect(cut.toString()).toBe(Buffer.from(sign.repeat(most)).toString());
  }
});

test('bytes that are no text are cut to 255 at most, whatever they are', () => {
  for (const octet of [0x00, 0x80, 0xbf, 0xc0, 0xff]) {
    const { length } = shortBytes(Buffer.alloc(300, octet));
    expect(length).toBeGreaterThan(251);
    expect(length).toBeLessThan(256);
  }
});

test('an integer beyond 64 bits is held at the end of the range', () => {
  expect(heldToInt64(INT64_MAX + 1n)).toBe(INT64_MAX);
  expect(heldToInt64(INT64_MIN - 1n)).toBe(INT64_MIN);
  expect([heldToInt64(5n), heldToInt64(2n ** 53n)]).toEqual([5, 2n ** 53n]);
});
