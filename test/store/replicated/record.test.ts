import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import {
  BATCH,
  BEAT,
  beatBody,
  digestWith,
  LEAD,
  leadBody,
  PART,
  RECORD_HEAD_BYTES,
  readBeat,
  readLead,
  readRecord,
  recordHead,
} from '../../../src/store/replicated/record.ts';

const record = (kind: number, epoch: number, number: number, ...parts: Buffer[]): Buffer =>
  Buffer.concat([recordHead(kind, epoch, number, parts), ...parts]);
const U48_MAX = 2 ** 48 - 1;

test('a record is read back as it was written, its body in pieces or not', () => {
  const bytes = record(PART, U48_MAX, U48_MAX, Buffer.from('one'), Buffer.from('two'));
  expect(bytes.length).toBe(RECORD_HEAD_BYTES + 6);
  expect(readRecord(bytes)).toEqual({
    kind: PART,
    epoch: U48_MAX,
    number: U48_MAX,
    body: Buffer.from('onetwo'),
    fault: null,
    isLater: false,
  });
  expect(bytes.equals(record(PART, U48_MAX, U48_MAX, Buffer.from('onetwo')))).toBe(true);
});

test('a number that has no room is refused before anything is written', () => {
  expect(() => recordHead(BATCH, 1, U48_MAX + 1, [])).toThrow(RangeError);
});

test('a record with any one octet changed or cut off has a fault, or is none where it begins otherwise', () => {
  const whole = record(BATCH, 7, 3, Buffer.from('body'));
  for (let at = 0; at < whole.length; at += 1) {
    for (const bit of [1, 0x80]) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] as number) ^ bit;
      if (at === 0) expect(readRecord(bytes)).toBeNull();
      else expect(readRecord(bytes)?.fault).toBe('does not match its checksum');
    }
    if (at > 0) expect(readRecord(whole.subarray(0, at))?.fault).toMatch(/cut short|checksum/);
  }
});

test('a whole record of a kind or a version that is not known is not passed over', () => {
  const unknown = record(77, 7, 3, Buffer.from('body'));
  expect(readRecord(unknown)?.fault).toContain('does not know (1, 77)');
  // The checksum stands where it does in all versions: made anew behind another first octet.
  const later = record(BATCH, 0, 0);
  later[0] = 2;
  later.writeUInt32BE(crc32(later.subarray(0, 14)), 14);
  expect(readRecord(later)).toMatchObject({
    fault: expect.stringContaining('does not know (2, 3)'),
    isLater: true,
  });
});

test('what no Leveret wrote is none, and nothing makes the reader throw', () => {
  for (const text of ['', 'x', 'hello, and a good day to the log']) {
    expect(readRecord(Buffer.from(text))).toBeNull();
  }
  const seed = Math.floor(Math.random() * 2 ** 31);
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
  for (let i = 0; i < 20_000; i += 1) {
    const bytes = Buffer.from(Array.from({ length: random(60) }, () => random(256)));
    if (random(2) === 0 && bytes.length > 0) bytes[0] = 1;
    expect(readRecord(bytes)?.fault, `seed ${seed}`).not.toBeNull();
    readLead(bytes);
    readBeat(bytes);
  }
});

test('a LEAD is read back, with names of any length, and cut anywhere it is none', () => {
  const lead = {
    previous: U48_MAX,
    digest: 0xffffffff,
    format: 7,
    nonce: 'ab'.repeat(16),
    node: 'leveret@n1',
    version: '1.2.3',
  };
  const body = leadBody(lead);
  expect(readLead(body)).toEqual(lead);
  for (let end = 0; end < body.length; end += 1) {
    expect(readLead(body.subarray(0, end))).toBeNull();
  }
  const long = readLead(leadBody({ ...lead, node: 'n'.repeat(400), version: '' }));
  expect(long?.node).toBe('n'.repeat(255));
  expect(long?.version).toBe('');
  expect(readLead(readRecord(record(LEAD, 0, 0, body))?.body as Buffer)).toEqual(lead);
  // A later Leveret may say more in it: what this one knows is read all the same.
  expect(readLead(Buffer.concat([body, Buffer.from('and more')]))).toEqual(lead);
});

test('digests tell records, and their order, apart', () => {
  const [one, two] = [record(BATCH, 1, 1, Buffer.from('a')), record(BEAT, 1, 2)];
  const both = digestWith(digestWith(0, one), two);
  expect(both).not.toBe(digestWith(digestWith(0, two), one));
  expect(digestWith(0, one.subarray(0, RECORD_HEAD_BYTES))).toBe(digestWith(0, one));
  expect(readBeat(beatBody(both))).toBe(both);
});
