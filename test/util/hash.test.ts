import { expect, test } from 'vitest';
import { hashText, mix } from '../../src/util/hash.ts';

test('hashes are whole numbers of 32 bits, and never change: what is stored relies on them', () => {
  expect(['', 'a', 'order.1', 'ß€😀'].map(hashText)).toEqual([
    2872998923, 444641715, 1095855390, 1919465062,
  ]);
});

test('texts that differ in little fall evenly into few places', () => {
  for (const places of [2, 3, 7, 16, 100]) {
    const counts = new Array<number>(places).fill(0);
    const texts = 2_000 * places;
    for (let i = 0; i < texts; i++) counts[hashText(`key-${i}`) % places]!++;
    // Six standard deviations of a fair draw.
    const slack = 6 * Math.sqrt(2_000);
    for (const count of counts) expect(Math.abs(count - 2_000)).toBeLessThan(slack);
  }
});

test('mixing turns about half of the bits when one bit of the input turns', () => {
  let turned = 0;
  for (let bit = 0; bit < 32; bit++) {
    for (let i = 1; i <= 100; i++) {
      let difference = mix(i * 7_919) ^ mix((i * 7_919) ^ (1 << bit));
      for (; difference !== 0; difference &= difference - 1) turned++;
    }
  }
  expect(turned / (32 * 100)).toBeGreaterThan(15.5);
  expect(turned / (32 * 100)).toBeLessThan(16.5);
});
