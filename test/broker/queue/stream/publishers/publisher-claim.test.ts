// Owns the tests of what the headers of a message may say of its publisher.

import { describe, expect, test } from 'vitest';
import type { Field, FieldTable } from '../../../../../src/amqp/field-table.ts';
import { encodeContentHeaderPayload } from '../../../../../src/amqp/properties.ts';
import { PROPERTY_FLAGS_OFFSET } from '../../../../../src/amqp/property-walk.ts';
import { claimAt } from '../../../../../src/broker/queue/stream/publishers/publisher-claim.ts';

const NAME = 'x-stream-publisher';
const ID = 'x-stream-publishing-id';
const EXPECTED = 'x-stream-expected-id';

const text = (value: string | Buffer): Field => ({ type: 'S', value });
const int = (value: number | bigint): Field => ({ type: 'l', value });

function claimOf(fields: Record<string, Field>): ReturnType<typeof claimAt> {
  const headers: FieldTable = new Map(Object.entries(fields));
  return claimAt(encodeContentHeaderPayload(0, { headers }), PROPERTY_FLAGS_OFFSET);
}

describe('a message claims', () => {
  test.each<[string, Record<string, Field>, ReturnType<typeof claimAt>]>([
    ['nothing without these headers', { other: text('a') }, null],
    ['an id', { [NAME]: text('a'), [ID]: int(0) }, { name: 'a', id: 0, expected: null }],
    [
      'an id of a short type, by a name of any text',
      { [ID]: { type: 'b', value: 7 }, [NAME]: text('é/ü') },
      { name: 'é/ü', id: 7, expected: null },
    ],
    ['the next id', { [NAME]: text('a'), [EXPECTED]: int(0) }, { name: 'a', id: 1, expected: 0 }],
    [
      'the id that it says, where it says also which is expected',
      { [NAME]: text('a'), [EXPECTED]: int(3), [ID]: int(10) },
      { name: 'a', id: 10, expected: 3 },
    ],
    [
      'the highest id there may be',
      { [NAME]: text('n'.repeat(255)), [ID]: int(Number.MAX_SAFE_INTEGER) },
      { name: 'n'.repeat(255), id: Number.MAX_SAFE_INTEGER, expected: null },
    ],
  ])('%s', (_, fields, claim) => {
    expect(claimOf(fields)).toEqual(claim);
  });
});

describe('it is refused, in words that say how to mend it,', () => {
  test.each<[string, Record<string, Field>, string]>([
    ['an id without a name', { [ID]: int(1) }, `'${ID}': it goes with '${NAME}'`],
    ['an expectation without a name', { [EXPECTED]: int(1) }, `'${EXPECTED}': it goes with`],
    ['a name alone', { [NAME]: text('a') }, `'${NAME}': it goes with '${ID}' or '${EXPECTED}'`],
    ['a name that is no text', { [NAME]: int(5), [ID]: int(1) }, `'${NAME}': a text, not long`],
    ['an empty name', { [NAME]: text(''), [ID]: int(1) }, `'${NAME}': a text of 1 to 255 bytes`],
    [
      'a name that is too long',
      { [NAME]: text('é'.repeat(128)), [ID]: int(1) },
      `'${NAME}': a text of 1 to 255 bytes`,
    ],
    [
      'a name that is no text in UTF-8',
      { [NAME]: text(Buffer.of(0xff)), [ID]: int(1) },
      `'${NAME}': it is no valid UTF-8`,
    ],
    ['an id that is a text', { [NAME]: text('a'), [ID]: text('1') }, 'an integer, not longstr'],
    [
      'an id that is a fraction',
      { [NAME]: text('a'), [ID]: { type: 'd', value: 1.5 } },
      `'${ID}': an integer, not double`,
    ],
    ['an id below 0', { [NAME]: text('a'), [ID]: int(-1) }, `'${ID}': an integer from 0 to 9007`],
    ['an id beyond', { [NAME]: text('a'), [ID]: int(2n ** 53n) }, `not 9007199254740992`],
    [
      'an expectation that nothing can follow',
      { [NAME]: text('a'), [EXPECTED]: int(Number.MAX_SAFE_INTEGER) },
      `'${EXPECTED}': an integer from 0 to 9007199254740990`,
    ],
    [
      'an id that does not follow the expected one',
      { [NAME]: text('a'), [EXPECTED]: int(3), [ID]: int(3) },
      `'${ID}': 3 is not above '${EXPECTED}', 3`,
    ],
  ])('%s', (_, fields, words) => {
    expect(() => claimOf(fields)).toThrow(expect.objectContaining({ code: 406 }));
    expect(() => claimOf(fields)).toThrow(words);
  });
});
