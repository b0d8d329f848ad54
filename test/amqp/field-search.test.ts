import { Buffer } from 'node:buffer';
import { expect, it } from 'vitest';
import { encodeTable } from '../../src/amqp/encode-table.ts';
import { findField } from '../../src/amqp/field-search.ts';
import { decodeTable } from '../../src/amqp/field-table.ts';
import { STORED_LIMITS } from '../../src/amqp/table-limits.ts';
import { withSeed } from './random.ts';

it('finds in random tables what decoding them finds, and nothing else', () => {
  withSeed((random) => {
    for (let i = 0; i < 2_000; i += 1) {
      const encoded = encodeTable(random.table());
      const before = random.bytes(5);
      const bytes = Buffer.concat([before, encoded, random.bytes(5)]);
      const { table } = decodeTable(
        bytes,
        before.length,
        before.length + encoded.length,
        STORED_LIMITS,
      );
      for (const name of [...table.keys(), random.text(12), '']) {
        const found = findField(bytes, before.length, Buffer.from(name));
        expect(found).toEqual(table.get(name) ?? null);
      }
    }
  });
});

it('does not take the beginning of a name for the name', () => {
  const bytes = encodeTable(new Map([['abc', { type: 'I', value: 1 }]]));
  for (const name of ['a', 'ab', 'abcd', 'abd', '']) {
    expect(findField(bytes, 0, Buffer.from(name))).toBeNull();
  }
  expect(findField(bytes, 0, Buffer.from('abc'))).toEqual({ type: 'I', value: 1 });
});
