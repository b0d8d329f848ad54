import { expect, test } from 'vitest';
import { factsText, readFacts } from '../../../src/cluster/snapshots/snapshot-facts.ts';

const FACTS = {
  place: { logId: 'ab'.repeat(16), seq: 5119, epoch: 12, number: 700, digest: 0xfedcba98 },
  bytes: 129 * 2 ** 20,
  sha256: '0f'.repeat(32),
  madeAtMs: 1_700_000_000_000,
};

test('what is written of a snapshot is read back', () => {
  expect(readFacts(factsText(FACTS))).toEqual(FACTS);
});

test('what was not written so is nothing', () => {
  const text = factsText(FACTS);
  for (let end = 0; end < text.length; end += 1) expect(readFacts(text.slice(0, end))).toBeNull();
  for (const wrong of ['null', '[]', '7', '"x"', '{"seq":1}', `${text}x`]) {
    expect(readFacts(wrong)).toBeNull();
  }
  const { place, ...rest } = FACTS;
  const changed = (change: object): string => JSON.stringify({ ...place, ...rest, ...change });
  expect(readFacts(changed({}))).toEqual(FACTS);
  for (const change of [
    { seq: -1 },
    { seq: 1.5 },
    { seq: 2 ** 48 },
    { epoch: '1' },
    { number: null },
    { digest: 2 ** 32 },
    { digest: undefined },
    { bytes: 0 },
    { bytes: 1e300 },
    { madeAtMs: Number.NaN },
    { logId: 'AB'.repeat(16) },
    { logId: 'ab' },
    { sha256: 'zz'.repeat(32) },
    { sha256: ['0f'.repeat(32)] },
  ]) {
    expect(readFacts(changed(change))).toBeNull();
  }
  expect(readFacts(`${text.slice(0, -1)}${' '.repeat(2000)}}`)).toBeNull();
});
