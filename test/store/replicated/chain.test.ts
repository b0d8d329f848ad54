import { expect, test } from 'vitest';
import { BATCH_BYTES_MAX, Chain, LOG_START } from '../../../src/store/replicated/chain.ts';
import {
  BATCH,
  BEAT,
  beatBody,
  DOWN,
  digestWith,
  PART,
} from '../../../src/store/replicated/record.ts';
import { leadBehind, placeOfLead, record } from './written.ts';

/** A chain that has read a LEAD at 1. */
function begun(): Chain {
  const chain = new Chain(LOG_START);
  expect(chain.read(1, leadBehind(LOG_START))).toMatchObject({ is: 'counts', batch: null });
  expect(chain.place).toEqual(placeOfLead(LOG_START));
  return chain;
}

const batchOf = (chain: Chain, seq: number, bytes: Buffer): string | null => {
  const step = chain.read(seq, bytes);
  return step.is === 'counts' && step.batch !== null ? step.batch.join('|') : null;
};

test('a batch is whole with its last piece, and counts by number', () => {
  const chain = begun();
  expect(batchOf(chain, 2, record(PART, 1, 1, 'one'))).toBeNull();
  expect(chain.isOpen).toBe(true);
  expect(batchOf(chain, 3, record(PART, 1, 2, 'two'))).toBeNull();
  expect(batchOf(chain, 4, record(BATCH, 1, 3, 'three'))).toBe('one|two|three');
  expect(chain.isOpen).toBe(false);
  expect(batchOf(chain, 5, record(BATCH, 1, 4, 'four'))).toBe('four');
  expect(chain.place).toMatchObject({ seq: 5, epoch: 1, number: 4 });
  expect(chain.ignored).toBe(0);
});

test('a record again, one too early, and one of another epoch mean nothing, and the digest does not see them', () => {
  const chain = begun();
  chain.read(2, record(BATCH, 1, 1, 'a'));
  const { digest } = chain.place;
  expect(chain.read(3, record(BATCH, 1, 1, 'a')).is).toBe('ignored');
  expect(chain.read(4, record(BATCH, 1, 3, 'c')).is).toBe('ignored');
  expect(chain.read(5, record(BATCH, 0, 2, 'b')).is).toBe('ignored');
  expect(chain.read(6, record(BATCH, 2, 2, 'b')).is).toBe('ignored');
  expect(chain.read(7, Buffer.from('a note of an operator')).is).toBe('ignored');
  expect(chain.place).toEqual({ seq: 7, epoch: 1, number: 1, digest });
  expect(chain.ignored).toBe(5);
  expect(batchOf(chain, 8, record(BATCH, 1, 2, 'b'))).toBe('b');
});

test('nothing counts before the first LEAD', () => {
  const chain = new Chain(LOG_START);
  expect(chain.read(1, record(BATCH, 0, 1, 'a')).is).toBe('ignored');
  expect(chain.place).toEqual({ ...LOG_START, seq: 1 });
});

test('a LEAD counts right behind the record that it names alone', () => {
  const chain = begun();
  chain.read(2, record(BATCH, 1, 1, 'a'));
  const { place } = chain;
  expect(chain.read(3, leadBehind(place, { previous: 1 })).is).toBe('ignored');
  expect(chain.read(4, leadBehind(place)).is).toBe('ignored');
  expect(chain.place.epoch).toBe(1);
  expect(chain.read(5, leadBehind(chain.place)).is).toBe('counts');
  expect(chain.place).toMatchObject({ seq: 5, epoch: 5, number: 0 });
  expect(chain.read(6, record(BATCH, 1, 2, 'late')).is).toBe('ignored');
});

test('a LEAD cuts off the batch that the leader before it had begun', () => {
  const chain = begun();
  chain.read(2, record(PART, 1, 1, 'half of'));
  chain.read(3, leadBehind(chain.place));
  expect(chain.isOpen).toBe(false);
  expect(chain.read(4, record(BATCH, 1, 2, 'the other half')).is).toBe('ignored');
  expect(batchOf(chain, 5, record(BATCH, 3, 1, 'whole'))).toBe('whole');
});

test('what is damaged ends the reading and leaves the chain as it was, whatever it says of itself', () => {
  const chain = begun();
  const { place } = chain;
  for (const [epoch, number] of [
    [1, 1],
    [1, 9],
    [0, 1],
  ] as const) {
    const bytes = record(BATCH, epoch, number, 'body');
    bytes[bytes.length - 1] = 0;
    const step = chain.read(2, bytes);
    expect(step).toEqual({
      is: 'damaged',
      why: 'record 2 of the log does not match its checksum',
      isLater: false,
    });
  }
  expect(chain.place).toBe(place);
  expect(batchOf(chain, 2, record(BATCH, 1, 1, 'body'))).toBe('body');
});

test('a record that is not there ends the reading', () => {
  const chain = begun();
  const step = chain.read(3, record(BATCH, 1, 1, 'a'));
  expect(step).toEqual({ is: 'damaged', why: 'record 2 of the log is not there', isLater: false });
});

test('a BEAT or a LEAD of a node that has read other records before it ends the reading', () => {
  const chain = begun();
  const { digest } = chain.place;
  const beat = (number: number, of: number): Buffer =>
    record(BEAT, 1, number, beatBody(of).toString('latin1'));
  expect(chain.read(2, beat(1, digest)).is).toBe('counts');
  expect(chain.read(3, beat(2, digest))).toMatchObject({
    is: 'damaged',
    why: expect.stringContaining('has read others before it'),
  });
  // One that does not count says nothing.
  expect(chain.read(3, beat(7, 1)).is).toBe('ignored');
  expect(chain.read(4, leadBehind({ ...chain.place, digest })).is).toBe('damaged');
  expect(chain.read(4, leadBehind(chain.place)).is).toBe('counts');
});

test('the digest is of all that counts: BEAT, DOWN and pieces too', () => {
  const chain = begun();
  let { digest } = chain.place;
  for (const [i, kind] of [DOWN, PART, BATCH].entries()) {
    const bytes = record(kind, 1, i + 1, 'x');
    digest = digestWith(digest, bytes);
    chain.read(i + 2, bytes);
    expect(chain.place.digest).toBe(digest);
  }
});

test('the pieces of a batch have a bound', () => {
  const chain = begun();
  // As if so many had come.
  (chain as unknown as { partBytes: number }).partBytes = BATCH_BYTES_MAX - 2;
  expect(chain.read(2, record(PART, 1, 1, 'x')).is).toBe('counts');
  expect(chain.read(3, record(PART, 1, 2, 'xx'))).toMatchObject({
    is: 'damaged',
    why: expect.stringContaining('a batch of more than'),
  });
  expect(batchOf(chain, 3, record(BATCH, 1, 2, 'x'))).toBe('x|x');
  // The next one begins anew.
  expect(batchOf(chain, 4, record(BATCH, 1, 3, 'xxx'))).toBe('xxx');
});
