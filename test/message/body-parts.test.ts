// Owns the tests of how the parts of a large body are joined.

import { expect, test } from 'vitest';
import { BodyParts } from '../../src/message/body-parts.ts';
import { printedSeed, Random } from '../server/support.ts';

/** A chunk of its own, as a socket gives it. */
function chunkOf(bytes: number, fill: number): Buffer {
  return Buffer.allocUnsafeSlow(bytes).fill(fill);
}

/** The memory that the parts keep, each buffer below them counted once. */
function keptBytes(parts: readonly Buffer[]): number {
  const buffers = new Set(parts.map(({ buffer }) => buffer));
  return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

test('a part that is most of its chunk stays where it was read', () => {
  const parts = new BodyParts(200_000);
  const chunk = chunkOf(65_536, 1);
  parts.add(chunk, 100, 65_536);
  expect(parts.end()[0]?.buffer).toBe(chunk.buffer);
});

test('of bodies that come one behind the other nothing is copied, and a chunk counts for each that keeps it', () => {
  const chunk = chunkOf(65_536, 1);
  const first = new BodyParts(65_536);
  first.add(chunkOf(60_000, 1), 0, 60_000);
  const second = new BodyParts(65_536);
  const held = [first.add(chunk, 0, 5_536), second.add(chunk, 5_600, 15_600)];
  expect(first.end()[1]?.buffer).toBe(chunk.buffer);
  expect(second.list[0]?.buffer).toBe(chunk.buffer);
  for (const bytes of held) expect(bytes).toBeGreaterThanOrEqual(65_536);
  // The next frame of a body in a chunk that it keeps anyway.
  expect(second.add(chunk, 15_608, 65_536)).toBeLessThan(1_000);
  expect(second.end()[1]?.buffer).toBe(chunk.buffer);
});

test('bytes that come one by one take about as much memory as they are', () => {
  const size = 100_000;
  const parts = new BodyParts(size);
  let held = 0;
  let over = 0;
  for (let i = 0; i < size; i++) {
    held += parts.add(chunkOf(1, i & 0xff), 0, 1);
    over = Math.max(over, held - 2 * i);
  }
  expect(over, 'held beyond twice what came').toBeLessThan(8192);
  const list = parts.end();
  expect(list.length).toBeLessThan(20);
  expect(keptBytes(list)).toBe(size);
  expect(Buffer.concat(list).every((byte, i) => byte === (i & 0xff))).toBe(true);
});

test('however a body is cut, it is the same body and keeps no chunk for a small part of it', () => {
  const random = new Random(printedSeed('body parts'));
  for (let round = 0; round < 50; round++) {
    const size = 40_000 + random.below(400_000);
    const body = Buffer.alloc(size);
    for (let i = 0; i < size; i++) body[i] = (i * 31 + round) & 0xff;
    const parts = new BodyParts(size);
    let held = 0;
    for (let at = 0; at < size; ) {
      const length = Math.min(
        size - at,
        1 + random.below([3, 5000, 20_000, 65_000][random.below(4)] ?? 1),
      );
      const before = random.below(3) === 0 ? random.below(65_536 - length) : 0;
      const chunk = Buffer.allocUnsafeSlow(before + length);
      body.copy(chunk, before, at, at + length);
      held += parts.add(chunk, before, before + length);
      at += length;
    }
    const list = parts.end();
    expect(Buffer.concat(list).equals(body)).toBe(true);
    expect(keptBytes(list)).toBeLessThanOrEqual(2 * size + 2 * 65_536);
    expect(held).toBeGreaterThanOrEqual(size);
  }
});
