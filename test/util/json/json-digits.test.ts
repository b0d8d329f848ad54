// Numbers of JSON keep their digits on the way in and out: integers of 64 bits, and floats that are whole.

import { expect, test } from 'vitest';
import { describeTerm, type JsonValue } from '../../../src/util/json/json.ts';
import { JsonFloat } from '../../../src/util/json/json-float.ts';
import {
  JsonDepthError,
  parseAnswer,
  parseJsonText,
  parseStoredJson,
} from '../../../src/util/json/json-input.ts';
import { JsonTextError, parseJson } from '../../../src/util/json/json-text.ts';
import { jsonText } from '../../../src/util/json/json-writer.ts';
import { JSON_DEPTH_MAX } from '../../../src/util/limits.ts';
import { Random } from '../../amqp/random.ts';

test.each([
  '0',
  '9007199254740991',
  '9007199254740993',
  '-9007199254740993',
  '9223372036854775807',
  '-9223372036854775808',
  '18446744073709551615',
  '1.0',
  '1000.0',
  '-0.0',
  '1.5',
  '0.1',
  '1e+30',
  '1e-7',
])('%s is written as it was read', (digits) => {
  for (const text of [digits, `[${digits}]`, `{"a":{"b":[1,${digits},"x"]}}`]) {
    expect(jsonText(parseJsonText(text))).toBe(text);
    expect(jsonText(parseStoredJson(text))).toBe(text);
    expect(jsonText(parseJson(Buffer.from(text)))).toBe(text);
  }
});

test.each([
  ['-0', 0],
  ['1.0', new JsonFloat(1)],
  ['1e3', new JsonFloat(1000)],
  ['1E3', new JsonFloat(1000)],
  ['100000000000000000000e-2', new JsonFloat(1e18)],
  ['1.25', 1.25],
  ['9007199254740991', 9007199254740991],
  ['9007199254740992', 9007199254740992n],
])('%s is read as what it is', (text, value) => {
  expect(parseJsonText(text)).toEqual(value);
});

test.each(['18446744073709551616', '-9223372036854775809', '9'.repeat(4000), '1e999', '-1e999'])(
  'a number that 64 bits do not hold is refused, and named: %.30s',
  (digits) => {
    const named = digits.slice(0, 20);
    expect(() => parseJsonText(`{"a":[${digits}]}`)).toThrow(named);
    const refused = () => parseJson(Buffer.from(`{"a":[${digits}]}`));
    expect(refused).toThrow(JsonTextError);
    expect(refused).toThrow(/64 bits/);
    // What is there already, and what another program says, is never refused.
    expect(parseStoredJson(`{"a":1,"b":${digits}}`)).toMatchObject({ a: 1 });
    expect(parseAnswer(`{"a":1,"b":${digits}}`)).toMatchObject({ a: 1 });
  },
);

/** A text of JSON of any shape, whose numbers JSON.parse and JSON.stringify keep, and one that it changes. */
function anyJson(random: Random, levels: number): string {
  const space = random.pick(['', '', ' ', '\n\t']);
  const inner = (): string => `${space}${anyJson(random, levels - 1)}${space}`;
  const count = random.below(4);
  switch (random.below(levels === 0 ? 4 : 6)) {
    case 0:
      return random.pick(['true', 'false', 'null', '0', '-5', '1.5', '12345']);
    case 1:
      return JSON.stringify(
        random.pick(['', 'x', '1.0', '"', '\\', '\\"', 'a\\\\"b', '\n', 'é', '[{']),
      );
    case 2:
      return random.pick(['"\\u0041"', '"\\\\"', '"\\/"', '"1e5"', '"12345678901234567890"']);
    case 3:
      return '-0.5';
    case 4:
      return `[${Array.from({ length: count }, inner).join(',')}${count === 0 ? space : ''}]`;
    default: {
      const key = () => JSON.stringify(random.pick(['a', 'b', '__proto__', 'x"y', '1.0', '']));
      const members = Array.from({ length: count }, () => `${space}${key()}${space}:${inner()}`);
      return `{${members.join(',')}${count === 0 ? space : ''}}`;
    }
  }
}

test('texts of all shapes give what JSON.parse gives, but for the digits', () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = new Random(seed);
  for (let n = 0; n < 2000; n++) {
    // Its first number is what calls for the reader of digits.
    const text = `[9007199254740993,${anyJson(random, 4)}]`;
    const [first, ours] = parseJsonText(text) as unknown[];
    expect(first).toBe(9007199254740993n);
    const theirs = (JSON.parse(text) as unknown[])[1];
    expect([seed, text, ours]).toEqual([seed, text, theirs]);
    expect(jsonText([first, ours])).toBe(`[9007199254740993,${JSON.stringify(theirs)}]`);
  }
});

test('lines and spaces are as JSON.stringify has them', () => {
  const value = { a: [], b: {}, c: [1, { d: undefined, e: [undefined, 'x'] }], f: undefined };
  expect(jsonText({ ...value, z: 1n }, 2)).toBe(JSON.stringify({ ...value, z: 1 }, null, 2));
  expect(jsonText(undefined)).toBe('null');
});

test('what is nested too deeply is refused before it costs anything', () => {
  const deep = `${'['.repeat(JSON_DEPTH_MAX + 1)}1.0${']'.repeat(JSON_DEPTH_MAX + 1)}`;
  expect(() => parseJsonText(deep)).toThrow(JsonDepthError);
  const deepest = `${'['.repeat(100_000)}1.0${']'.repeat(100_000)}`;
  expect(() => parseJsonText(deepest)).toThrow(JsonDepthError);
  expect(jsonText(parseStoredJson(deepest))).toContain('null');
  expect(jsonText(parseJsonText(deep.slice(1, -1)))).toBe(deep.slice(1, -1));
});

test.each<[JsonValue, string]>([
  [new JsonFloat(1), '1.0'],
  [new JsonFloat(100), '100.0'],
  [new JsonFloat(1000), '1.0e3'],
  [new JsonFloat(1e30), '1.0e30'],
  [new JsonFloat(-0), '-0.0'],
  [1.5, '1.5'],
  [9007199254740993n, '9007199254740993'],
  [[new JsonFloat(2)], '[2.0]'],
])('errors name %s as Erlang prints it', (value, term) => {
  expect(describeTerm(value)).toBe(term);
});
