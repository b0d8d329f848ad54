import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import {
  describeFieldType,
  describeFieldValue,
  sameField,
  sameTable,
  sameValue,
} from '../../src/amqp/field-equality.ts';
import type { Field, FieldTable } from '../../src/amqp/field-table.ts';
import { withSeed } from './random.ts';

function same(a: Field, b: Field): boolean {
  const outcome = sameField(a, b);
  expect(sameField(b, a)).toBe(outcome);
  return outcome;
}

describe('two arguments are the same', () => {
  it('when integers of any width, or timestamps, have one value', () => {
    for (const type of ['b', 'B', 's', 'u', 'I', 'i', 'l', 'T'] as const) {
      expect(same({ type, value: 5 }, { type: 'l', value: 5 })).toBe(true);
      expect(same({ type, value: 5 }, { type: 'l', value: 6 })).toBe(false);
      expect(same({ type, value: 5 }, { type: 'd', value: 5 })).toBe(false);
      expect(same({ type, value: 1 }, { type: 't', value: true })).toBe(false);
    }
    expect(same({ type: 'l', value: 2n ** 60n }, { type: 'T', value: 2n ** 60n })).toBe(true);
  });

  it('when float and double have one value', () => {
    expect(same({ type: 'f', value: 0.5 }, { type: 'd', value: 0.5 })).toBe(true);
    expect(same({ type: 'f', value: 0.5 }, { type: 'd', value: 0.25 })).toBe(false);
  });

  it('when text and binary have the same bytes', () => {
    expect(same({ type: 'S', value: 'é' }, { type: 'x', value: Buffer.from('é') })).toBe(true);
    expect(same({ type: 'S', value: 'a' }, { type: 'S', value: 'b' })).toBe(false);
    expect(same({ type: 'S', value: 'true' }, { type: 't', value: true })).toBe(false);
  });

  it('when tables hold the same entries in any order', () => {
    const a: FieldTable = new Map<string, Field>([
      ['a', { type: 'b', value: 1 }],
      ['b', { type: 'A', value: [{ type: 'S', value: 'x' }] }],
    ]);
    const b: FieldTable = new Map<string, Field>([
      ['b', { type: 'A', value: [{ type: 'S', value: 'x' }] }],
      ['a', { type: 'l', value: 1 }],
    ]);
    expect(sameTable(a, b)).toBe(true);
    expect(same({ type: 'F', value: a }, { type: 'F', value: b })).toBe(true);
    b.set('b', { type: 'A', value: [] });
    expect(sameTable(a, b)).toBe(false);
    expect(sameTable(a, new Map([['a', { type: 'b', value: 1 }]]))).toBe(false);
  });

  it('when they are one and the same', () => {
    withSeed((random) => {
      for (let round = 0; round < 500; round += 1) {
        const field = random.field(4);
        expect(sameField(field, structuredCloneOf(field))).toBe(true);
      }
    });
  });
});

/** A deep copy that keeps Buffers. */
function structuredCloneOf(field: Field): Field {
  if (field.type === 'A') return { type: 'A', value: field.value.map(structuredCloneOf) };
  if (field.type !== 'F') return { ...field };
  return {
    type: 'F',
    value: new Map(Array.from(field.value, ([key, value]) => [key, structuredCloneOf(value)])),
  };
}

it('of a header, an integer equals a float that says the same; all else is as for arguments', () => {
  const two: Field = { type: 'I', value: 2 };
  const float: Field = { type: 'd', value: 2 };
  const half: Field = { type: 'f', value: 2.5 };
  expect([sameField(two, float), sameValue(two, float), sameValue(float, two)]).toEqual([
    false,
    true,
    true,
  ]);
  expect([sameValue(two, half), sameValue(half, two)]).toEqual([false, false]);
  expect(sameValue(two, { type: 'l', value: 2n })).toBe(true);
  expect(sameValue(two, { type: 'S', value: '2' })).toBe(false);
  expect(sameValue(two, { type: 't', value: true })).toBe(false);
});

describe('an argument in an error text', () => {
  // As RabbitMQ 3.10.8 prints them.
  it.each<[Field, string, string]>([
    [{ type: 'l', value: 5 }, 'long', '5'],
    [{ type: 'I', value: -5 }, 'signedint', '-5'],
    [{ type: 'i', value: 5 }, 'unsignedint', '5'],
    [{ type: 's', value: 128 }, 'short', '128'],
    [{ type: 'u', value: 5 }, 'unsignedshort', '5'],
    [{ type: 'b', value: 5 }, 'byte', '5'],
    [{ type: 'B', value: 5 }, 'unsignedbyte', '5'],
    [{ type: 'd', value: 5 }, 'double', '5.0'],
    [{ type: 'f', value: 1.5 }, 'float', '1.5'],
    [{ type: 'S', value: 'a' }, 'longstr', 'a'],
    [{ type: 'x', value: Buffer.from('a') }, 'binary', 'a'],
    [{ type: 't', value: true }, 'bool', 'true'],
    [{ type: 'T', value: 5 }, 'timestamp', '5'],
    [{ type: 'V', value: null }, 'void', 'undefined'],
    [{ type: 'D', value: { places: 1, digits: 5 } }, 'decimal', '{1,5}'],
    [{ type: 'A', value: [{ type: 'S', value: 'a' }] }, 'array', '[{longstr,<<"a">>}]'],
    [
      { type: 'F', value: new Map([['a', { type: 'b', value: 1 }]]) },
      'table',
      '[{<<"a">>,byte,1}]',
    ],
  ])('of %o reads as RabbitMQ has it', (field, type, value) => {
    expect(describeFieldType(field)).toBe(type);
    expect(describeFieldValue(field)).toBe(value);
  });
});
