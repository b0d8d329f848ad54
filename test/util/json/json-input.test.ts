// Owns the tests of what every JSON has to be: texts that are some, and nesting that can be borne.

import { expect, test } from 'vitest';
import {
  checkedJson,
  faultOfValue,
  JsonDepthError,
  parseJsonText,
  parseStoredJson,
} from '../../../src/util/json/json-input.ts';
import { JSON_DEPTH_MAX, VALUE_BYTES_MAX, VALUE_DEPTH_MAX } from '../../../src/util/limits.ts';

const nested = (levels: number): string => '{"a":['.repeat(levels / 2) + ']}'.repeat(levels / 2);

test('half of a pair of surrogates becomes U+FFFD, in keys and values at any depth', () => {
  const odd = parseJsonText('{"a\\ud800":["\\uDFFF", {"b": "x\\ud83d\\ude00\\udC00"}], "c": 1}');
  expect(odd).toEqual({ 'a\ufffd': ['\ufffd', { b: 'x😀\ufffd' }], c: 1 });
  expect(checkedJson({ a: ['\ud800'], b: '\udfff' })).toEqual({ a: ['\ufffd'], b: '\ufffd' });
  const key = parseJsonText('{"__proto__":{"x":"\\ud800"}}') as object;
  expect([Object.getPrototypeOf(key), Object.keys(key)]).toEqual([Object.prototype, ['__proto__']]);
});

test('what a program hands over is not changed in its hands', () => {
  const given = Object.freeze({ list: Object.freeze(['\ud800']), name: 'n' });
  expect(checkedJson(given)).toEqual({ list: ['\ufffd'], name: 'n' });
  expect(given.list[0]).toBe('\ud800');
});

test('JSON may be as deep as the limit, and is refused beyond it; what is stored is cut there', () => {
  expect(() => parseJsonText(nested(JSON_DEPTH_MAX))).not.toThrow();
  for (const levels of [JSON_DEPTH_MAX + 2, 5_000, 200_000]) {
    expect(() => parseJsonText(nested(levels))).toThrow(JsonDepthError);
    expect(() => JSON.stringify(parseStoredJson(nested(levels)))).not.toThrow();
  }
  expect(() => parseJsonText('[1')).toThrow(SyntaxError);
  expect(parseJsonText(`[${'[],'.repeat(5_000)}[]]`)).toHaveLength(5_001);
});

test('a value that is kept is bound in depth and size', () => {
  expect(faultOfValue(JSON.parse(nested(VALUE_DEPTH_MAX)))).toBeNull();
  expect(faultOfValue(JSON.parse(nested(VALUE_DEPTH_MAX + 2)))).toMatch(/nested more than/);
  expect(faultOfValue('x'.repeat(VALUE_BYTES_MAX - 2))).toBeNull();
  expect(faultOfValue('x'.repeat(VALUE_BYTES_MAX))).toMatch(/more than/);
  expect(faultOfValue('é'.repeat(VALUE_BYTES_MAX / 2))).toMatch(/more than/);
});
