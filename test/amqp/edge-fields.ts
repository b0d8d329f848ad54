// Owns a field of every wire type at the edges of its range, for tests of what must never throw.

import type { Field } from '../../src/amqp/field-table.ts';

const NO_TEXT = Buffer.from([0xff, 0xfe, 0x00]);

/** Arrays and tables within each other, so many levels. */
function nested(levels: number): Field {
  let field: Field = { type: 'V', value: null };
  for (let level = 0; level < levels; level += 1) {
    field =
      level % 2 === 0
        ? { type: 'A', value: [field] }
        : { type: 'F', value: new Map([['k', field]]) };
  }
  return field;
}

/** Each type of field-table.ts is here, with its least and greatest value and with odd ones. */
export const EDGE_FIELDS: readonly Field[] = [
  { type: 't', value: true },
  { type: 'b', value: -128 },
  { type: 'b', value: 127 },
  { type: 'B', value: 255 },
  { type: 's', value: -32_768 },
  { type: 'u', value: 65_535 },
  { type: 'I', value: -(2 ** 31) },
  { type: 'I', value: 2 ** 31 - 1 },
  { type: 'i', value: 2 ** 32 - 1 },
  { type: 'l', value: 0 },
  { type: 'l', value: Number.MAX_SAFE_INTEGER },
  { type: 'l', value: 2n ** 53n },
  { type: 'l', value: 2n ** 63n - 1n },
  { type: 'l', value: -(2n ** 63n) },
  { type: 'f', value: 1.5 },
  { type: 'f', value: Number.NaN },
  { type: 'd', value: Number.POSITIVE_INFINITY },
  { type: 'd', value: -0 },
  { type: 'd', value: 1e308 },
  { type: 'D', value: { places: 255, digits: 2 ** 32 - 1 } },
  { type: 'S', value: '' },
  { type: 'S', value: '7' },
  { type: 'S', value: 'x'.repeat(300) },
  { type: 'S', value: NO_TEXT },
  { type: 'x', value: NO_TEXT },
  { type: 'T', value: 0 },
  { type: 'T', value: 2n ** 64n - 1n },
  { type: 'A', value: [] },
  {
    type: 'A',
    value: [
      { type: 'S', value: 'q' },
      { type: 'V', value: null },
    ],
  },
  { type: 'F', value: new Map() },
  { type: 'F', value: new Map([['', { type: 'S', value: 'q' }]]) },
  nested(40),
  { type: 'V', value: null },
];
