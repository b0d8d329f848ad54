// Owns the tests of finding CC and BCC in the bytes of a message, and of their keys.

import { expect, test } from 'vitest';
import type { Field, FieldTable } from '../../../src/amqp/field-table.ts';
import { encodeContentHeaderPayload } from '../../../src/amqp/properties.ts';
import { PROPERTY_FLAGS_OFFSET } from '../../../src/amqp/property-walk.ts';
import { DuePlaces, headerSigns, SIGN_COPIES } from '../../../src/broker/routing/header-signs.ts';
import { checkCopies, copyKeys } from '../../../src/broker/routing/sender-selected.ts';
import { withSeed } from '../../amqp/random.ts';

const text = (value: string): Field => ({ type: 'S', value });
const list = (...keys: string[]): Field => ({ type: 'A', value: keys.map(text) });

function named(headers: FieldTable | null): boolean {
  const properties = { contentType: 'a/b', ...(headers === null ? {} : { headers }) };
  const payload = encodeContentHeaderPayload(0, properties);
  return (headerSigns(payload, PROPERTY_FLAGS_OFFSET, new DuePlaces()) & SIGN_COPIES) !== 0;
}

test('a message without headers names no copies', () => {
  expect(named(null)).toBe(false);
  expect(named(new Map())).toBe(false);
});

test('CC and BCC are found wherever they stand, and nothing like them', () => {
  withSeed((random) => {
    for (let n = 0; n < 300; n++) {
      const headers = random.table();
      headers.delete('CC');
      headers.delete('BCC');
      for (const other of ['cc', 'C', 'XCC', 'CCC', 'BCCC', 'BC', 'CB']) {
        if (random.below(3) === 0) headers.set(other, list('x'));
      }
      headers.set('deep', { type: 'F', value: new Map([['CC', list('x')]]) });
      expect(named(headers)).toBe(false);
      const entries = [...headers];
      const name = random.below(2) === 0 ? 'CC' : 'BCC';
      entries.splice(random.below(entries.length + 1), 0, [name, list('y')]);
      expect(named(new Map(entries))).toBe(true);
    }
  });
});

test('the keys are those of CC, then those of BCC, without what is no string', () => {
  const copies: Field = { type: 'A', value: [text('a'), { type: 'I', value: 1 }, text('b')] };
  const headers = new Map([
    ['BCC', list('hidden')],
    ['CC', copies],
  ]);
  checkCopies(headers);
  expect(copyKeys(headers)).toEqual(['a', 'b', 'hidden']);
  expect(copyKeys(new Map())).toEqual([]);
});

test('what is no array is refused, and has no keys', () => {
  const headers = new Map([['BCC', text('x')]]);
  expect(() => checkCopies(headers)).toThrow('{unacceptable_type_in_header,"BCC",longstr}');
  expect(copyKeys(headers)).toEqual([]);
});
