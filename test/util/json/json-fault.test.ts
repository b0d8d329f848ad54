import { expect, test } from 'vitest';
import { faultIndex, placeAt } from '../../../src/util/json/json-fault.ts';

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

test('a text has no fault exactly when it is JSON, whatever was done to it', () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >>> 8) % below;
  };
  const whole = '{"a":[1,-2.5e+3,true,null,"x\\u00e9\\n"],"b":{},"c":[[],{"d":false}]}';
  const signs = '{}[]",:\\0123-.eEtfnu \n\0x';
  for (let round = 0; round < 5_000; round++) {
    const at = random(whole.length);
    const sign = signs[random(signs.length)] as string;
    const cut = random(3);
    const text = whole.slice(0, at) + (random(2) === 0 ? sign : '') + whole.slice(at + cut);
    const index = faultIndex(text);
    expect(index === -1, `seed ${seed}: ${text}`).toBe(isJson(text));
    // What stands before a fault can be the beginning of JSON: the fault is found where it is, not before.
    expect(index).toBeLessThanOrEqual(text.length);
  }
});

test('nesting of any depth is looked through', () => {
  const depth = 200_000;
  expect(faultIndex('['.repeat(depth) + ']'.repeat(depth))).toBe(-1);
  expect(faultIndex('['.repeat(depth))).toBe(depth);
});

test('a place has line and column from 1', () => {
  expect(placeAt('ab\ncd', 0)).toEqual({ line: 1, column: 1 });
  expect(placeAt('ab\ncd', 4)).toEqual({ line: 2, column: 2 });
  expect(placeAt('ab\ncd', 5)).toEqual({ line: 2, column: 3 });
});
