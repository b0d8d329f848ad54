import { expect, test } from 'vitest';
import { Batch, KEY_BYTES_MAX } from '../../../src/store/batch.ts';
import { bytesOfChanges, ChangesWriter, readChanges } from '../../../src/store/log/changes.ts';

/** A batch of each kind of change, with values that are copied and one that is not. */
function sample(): Batch {
  const batch = new Batch();
  batch.put(1, Buffer.from('key'), Buffer.from('value'));
  batch.put(255, Buffer.alloc(KEY_BYTES_MAX, 'k'), Buffer.alloc(20_000, 'v'));
  batch.remove(7, Buffer.alloc(0));
  batch.removeRange(3, Buffer.from('from'), Buffer.from('to'));
  return batch;
}

const bodyOf = (...batches: Batch[]): Buffer => Buffer.concat(new ChangesWriter().write(batches));

test('changes are read back as they were written, and take as many bytes as was said', () => {
  const body = bodyOf(sample(), sample());
  expect(body).toHaveLength(bytesOfChanges([sample(), sample()]));
  const read = new Batch();
  expect(readChanges(body, read)).toBe(true);
  const { kinds, tables, keys, values } = sample();
  expect(read.kinds).toEqual([...kinds, ...kinds]);
  expect(read.tables).toEqual([...tables, ...tables]);
  expect(read.keys).toEqual([...keys, ...keys]);
  expect(read.values).toEqual([...values, ...values]);
});

test('a body that is cut off within a change is none', () => {
  const body = bodyOf(sample());
  const ends = new Set([0]);
  let at = 0;
  for (const [i, key] of sample().keys.entries()) {
    at += 8 + key.length + (sample().values[i] as Buffer).length;
    ends.add(at);
  }
  for (let end = 0; end <= body.length; end++) {
    expect(readChanges(body.subarray(0, end), new Batch()), `cut at ${end}`).toBe(ends.has(end));
  }
});

test.each([
  ['a kind that is not known', (head: Buffer) => head.writeUInt8(4, 0)],
  ['no table', (head: Buffer) => head.writeUInt8(0, 1)],
  ['a key that no store takes', (head: Buffer) => head.writeUInt16LE(KEY_BYTES_MAX + 1, 2)],
  ['a value that is longer than the body', (head: Buffer) => head.writeUInt32LE(2 ** 32 - 1, 4)],
])('%s is refused, and nothing is thrown', (_what, spoil) => {
  const batch = new Batch();
  batch.put(1, Buffer.from('key'), Buffer.alloc(4000));
  const body = bodyOf(batch);
  expect(readChanges(body, new Batch())).toBe(true);
  spoil(body);
  expect(readChanges(body, new Batch())).toBe(false);
});
