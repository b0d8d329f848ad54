import { expect, test } from 'vitest';
import { encodeTable } from '../../../src/amqp/encode-table.ts';
import type { Field, FieldTable } from '../../../src/amqp/field-table.ts';
import { FIELD_DEPTH_MAX } from '../../../src/amqp/table-limits.ts';
import {
  argumentsFromJson,
  argumentsToJson,
} from '../../../src/broker/definitions/arguments-json.ts';
import type { JsonObject, JsonValue } from '../../../src/util/json/json.ts';
import { JsonFloat } from '../../../src/util/json/json-float.ts';
import { parseJsonText } from '../../../src/util/json/json-input.ts';
import { jsonText } from '../../../src/util/json/json-writer.ts';

const table = (fields: Record<string, Field>): FieldTable => new Map(Object.entries(fields));

/** Through the text of a file. */
function roundTrip(fields: Record<string, Field>): FieldTable {
  return read(jsonText(argumentsToJson(table(fields))));
}

/** What the text of a file says. */
function read(text: string): FieldTable {
  const json = parseJsonText(text) as JsonObject;
  return argumentsFromJson(json['arguments'], json['leveret_arguments']);
}

const PLAIN: Record<string, Field> = {
  text: { type: 'S', value: 'a' },
  flag: { type: 't', value: true },
  long: { type: 'l', value: 5 },
  huge: { type: 'l', value: 9_007_199_254_740_993n },
  half: { type: 'd', value: 2.5 },
  whole: { type: 'd', value: 2 },
  nought: { type: 'd', value: -0 },
  vast: { type: 'd', value: 1e30 },
  none: { type: 'V', value: null },
  list: { type: 'A', value: [{ type: 'S', value: 'x' }] },
  table: { type: 'F', value: table({ k: { type: 'l', value: 1 } }) },
};

const EXACT: Record<string, Field> = {
  bytes: { type: 'x', value: Buffer.from([1, 255]) },
  words: { type: 'x', value: Buffer.from('hi') },
  broken: { type: 'S', value: Buffer.from([255]) },
  time: { type: 'T', value: 1_700_000_000 },
  decimal: { type: 'D', value: { places: 2, digits: 314 } },
  float: { type: 'f', value: 1.5 },
  endless: { type: 'd', value: Infinity },
  inside: { type: 'A', value: [{ type: 'F', value: table({ t: { type: 'T', value: 5 } }) }] },
};

test('what JSON can carry comes back as it was, without anything beside it', () => {
  expect(argumentsToJson(table(PLAIN))).toEqual({
    arguments: {
      text: 'a',
      flag: true,
      long: 5,
      huge: 9_007_199_254_740_993n,
      half: 2.5,
      whole: new JsonFloat(2),
      nought: new JsonFloat(-0),
      vast: new JsonFloat(1e30),
      none: null,
      list: ['x'],
      table: { k: 1 },
    },
  });
  expect(roundTrip(PLAIN)).toEqual(table(PLAIN));
});

test.each(Object.entries(EXACT))('what JSON cannot carry comes back as it was: %s', (_, field) => {
  expect(roundTrip({ field })).toEqual(table({ field }));
});

test.each([
  [EXACT['bytes'], 'Not UTF-8, base64 is: Af8='],
  [EXACT['words'], 'hi'],
  [EXACT['time'], 1_700_000_000],
  [EXACT['decimal'], 3.14],
  [PLAIN['whole'], new JsonFloat(2)],
  [{ type: 'T', value: 2n ** 64n - 1n }, 2n ** 64n - 1n],
])('%o looks in JSON as RabbitMQ would have it', (field, expected) => {
  expect(argumentsToJson(table({ field: field as Field }))['arguments']).toEqual({
    field: expected,
  });
});

test('what an older version has written, which could not keep the digits, comes back as it was', () => {
  for (const name of ['huge', 'whole', 'nought', 'vast'] as const) {
    const fields = table({ [name]: PLAIN[name] as Field });
    const { value } = PLAIN[name] as { readonly value: number | bigint };
    const wire = encodeTable(fields).toString('base64');
    const text = `{"arguments":{"${name}":${JSON.stringify(Number(value))}},"leveret_arguments":"${wire}"}`;
    expect(read(text)).toEqual(fields);
  }
});

test('an integer that no argument can hold is refused by name', () => {
  expect(() => read('{"arguments":{"x":9223372036854775808}}')).toThrow(/9223372036854775808 is /);
  expect(read('{"arguments":{"x":-9223372036854775808}}').get('x')?.value).toBe(-(2n ** 63n));
});

test('an integer of any width comes back as a long, which declarations take for the same', () => {
  for (const type of ['b', 'B', 's', 'u', 'I', 'i'] as const) {
    expect(roundTrip({ n: { type, value: 7 } })).toEqual(table({ n: { type: 'l', value: 7 } }));
  }
});

test('an integer of a binding comes back in its width, which makes it another binding', () => {
  const bound = table({ n: { type: 'I', value: 7 } });
  const { arguments: json, leveret_arguments: wire } = argumentsToJson(bound, true);
  expect(argumentsFromJson(json as JsonValue, wire as string)).toEqual(bound);
  expect(argumentsToJson(table(PLAIN), true)['leveret_arguments']).toBeUndefined();
});

test('who edits the JSON means what it says', () => {
  const { leveret_arguments: wire } = argumentsToJson(table({ at: { type: 'T', value: 5 } }));
  expect(argumentsFromJson({ at: 6 }, wire as string)).toEqual(
    table({ at: { type: 'l', value: 6 } }),
  );
  expect(argumentsFromJson({ at: 5 }, 'garbage')).toEqual(table({ at: { type: 'l', value: 5 } }));
});

test('no arguments may be written in several ways', () => {
  for (const none of [undefined, null, [], {}]) expect(argumentsFromJson(none).size).toBe(0);
});

test.each<[string, JsonValue]>([
  ['arguments must be an object', 'x'],
  ['arguments must be an object', [1]],
  ['the name of an argument is longer than 255 bytes', { ['x'.repeat(256)]: 1 }],
])('refuses, since %s', (text, json) => {
  expect(() => argumentsFromJson(json)).toThrow(text);
});

test('refuses what is nested deeper than could be read back', () => {
  let json: JsonValue = 1;
  for (let n = 0; n < FIELD_DEPTH_MAX; n++) json = n % 2 === 0 ? { n: json } : [json];
  expect(() => argumentsFromJson({ json })).toThrow(/nested more than 250 deep/);
  let list: JsonValue = 1;
  for (let n = 0; n < FIELD_DEPTH_MAX; n++) list = [list];
  expect(() => argumentsFromJson({ list })).toThrow(/nested more than 250 deep/);
});
