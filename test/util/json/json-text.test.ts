// JSON within limits and in steps gives what JSON.parse gives, for texts of every shape.

import { expect, test } from 'vitest';
import {
  DEFINITION_LIMITS,
  JSON_LIMITS,
  JsonTextError,
  parseJson,
  parseJsonSlowly,
} from '../../../src/util/json/json-text.ts';
import { Random } from '../../server/support.ts';

const bytes = (text: string): Buffer => Buffer.from(text);

/** What a text gives, or that it is none. */
function outcome(parse: () => unknown): unknown {
  try {
    return { value: parse() };
  } catch {
    return 'refused';
  }
}

const same = (text: string): void => {
  const ours = outcome(() => parseJson(bytes(text), DEFINITION_LIMITS));
  const theirs = outcome(() => JSON.parse(text));
  // Shown by its parts, since such texts are long.
  expect([text.length, text.slice(0, 60), ours]).toEqual([text.length, text.slice(0, 60), theirs]);
};

const LONG = `[${'{"a":[1,2,{"b":"]}"}]},'.repeat(3000)}0]`;
const MEMBERS = Array.from({ length: 5000 }, (_, n) => `"key ${n}":${n % 7 === 0 ? '{}' : n}`);

test('texts of all shapes give what JSON.parse gives', () => {
  const texts = [
    '',
    ' ',
    '0',
    '"x"',
    'null',
    '[]',
    '{}',
    ' [ ] ',
    '[1,]',
    '[,1]',
    '{"a":1,}',
    '{,}',
    '[}',
    '{]',
    ']',
    '[[]',
    '"',
    '"\\"',
    '{"a"}',
    '{"a":}',
    '[1 2]',
    '{"__proto__":{"x":1}}',
    LONG,
    `{"x":${LONG}}`,
    `{"x":1,"y":${LONG},"z":[${LONG},${LONG}]}`,
    `{"x":1,"__proto__":${LONG}}`,
    `{"x" : ${LONG} , "y" : ${LONG} }`,
    `{"x":${LONG},}`,
    `{"x":${LONG},,"y":1}`,
    `{"x":${LONG}"y":1}`,
    `{"x"${LONG}}`,
    `{${LONG}}`,
    `{"x":1 ${LONG}}`,
    `{"x":1,"y" ${LONG}}`,
    `[1 ${LONG}]`,
    `[,${LONG}]`,
    `[${LONG},]`,
    `[${LONG},,${LONG}]`,
    `[${LONG}${LONG}]`,
    `[${LONG} , ${LONG}]`,
    `[1,${LONG}]`,
    `[1,,${LONG}]`,
    `[${'1,'.repeat(40_000)}]`,
    `[${'1,'.repeat(40_000)}1]`,
    `[${' '.repeat(50_000)}]`,
    `[1${' '.repeat(50_000)},2,${' '.repeat(50_000)}]`,
    `[,${' '.repeat(50_000)},]`,
    `{${MEMBERS.join(',')}}`,
    `{${MEMBERS.join(',')},}`,
    `{${MEMBERS.join(' , ')},"key 1":[${LONG}]}`,
    `{"s":"${'é\\n"'.replace('"', '\\"').repeat(20_000)}","t":[]}`,
    `${LONG} x`,
    `${LONG}${LONG}`,
    `x${LONG}`,
  ];
  for (const text of texts) same(text);
});

test('texts that are damaged anywhere are refused, or give what JSON.parse gives', () => {
  const random = new Random(20261128);
  const whole = `{"q":${LONG},"users":[{"name":"x"}],${MEMBERS.join(',')}}`;
  for (let n = 0; n < 60; n++) {
    const at = random.below(whole.length);
    const put = '{}[],:"\\ 1'[random.below(10)] as string;
    same(whole.slice(0, at) + put + whole.slice(at + random.below(2)));
  }
});

test('what is too deep, too much or too long is refused before anything is made', () => {
  const refused = (text: string): unknown => outcome(() => parseJson(bytes(text), JSON_LIMITS));
  expect(refused('['.repeat(400) + ']'.repeat(400))).toBe('refused');
  expect(refused('['.repeat(60) + ']'.repeat(60))).not.toBe('refused');
  expect(refused(`[${'{},'.repeat(100_000)}0]`)).toBe('refused');
  expect(refused(`"${'x'.repeat(9_000_000)}"`)).toBe('refused');
  expect(() => parseJson(bytes('['.repeat(1_000_000)), JSON_LIMITS)).toThrow(JsonTextError);
});

test('a text with a mark of the byte order is taken', () => {
  expect(parseJson(bytes('\ufeff {"a":1} '))).toEqual({ a: 1 });
});

test('others have their turn while a large text is read', async () => {
  let rests = 0;
  const rest = async (): Promise<void> => {
    rests += 1;
  };
  const text = `[${'{},'.repeat(700_000)}{}]`;
  const limits = { ...DEFINITION_LIMITS, values: 3_000_000 };
  const value = await parseJsonSlowly(bytes(text), limits, { due: true, rest });
  expect(value).toHaveLength(700_001);
  // A step is at most some tens of KiB, in both passes.
  expect(rests).toBeGreaterThan((2 * text.length) / (40 * 1024));
});
