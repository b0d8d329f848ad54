import { expect, test } from 'vitest';
import {
  boolean,
  choice,
  decimal,
  integer,
  names,
  optionalBytes,
  optionalDecimal,
  optionalText,
  text,
} from '../../src/config/setting.ts';
import { SETTINGS } from '../../src/config/settings.ts';

const about = 'x';
const size = integer({ key: 'k', about, initial: 5, min: 2, max: 4096, unit: 'bytes' });
const count = integer({ key: 'k', about, initial: 5, min: 2, max: 9, infinite: true });

test.each([
  ['2', 2],
  ['9', 9],
  ['infinity', Number.POSITIVE_INFINITY],
])('a whole number within its bounds is read: %s', (given, value) => {
  expect(count.read(given, 5)).toBe(value);
});

test.each(['1', '10', '-3', '2.5', '0x3', '3s', '', 'three', '1e1'])(
  'a number that is malformed or out of bounds is refused: %j',
  (given) => {
    expect(() => count.read(given, 5)).toThrow(
      'expected a whole number from 2 to 9, or infinity, but got',
    );
  },
);

test.each([
  ['4096', 4096],
  ['4KiB', 4096],
  ['4 kB', 4000],
])('a size may carry a unit: %s', (given, value) => {
  expect(size.read(given, 5)).toBe(value);
});

test.each(['4q', '5KiB', 'KiB', '4KBi', '4 000'])('a wrong size is refused: %s', (given) => {
  expect(() => size.read(given, 5)).toThrow('expected a whole number of bytes from 2 to 4096');
});

test('only a number that may be infinite takes infinity', () => {
  expect(() => size.read('infinity', 5)).toThrow("but got 'infinity'");
});

test('a boolean is true or false, or 1 or 0 as variables have it', () => {
  const flag = boolean({ key: 'k', about, initial: false });
  expect(['true', '1', 'false', '0'].map((given) => flag.read(given, false))).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(() => flag.read('maybe', false)).toThrow("expected true or false, but got 'maybe'");
});

test('a choice maps words of several dialects, and inherits none from objects', () => {
  const level = choice({ key: 'k', about, initial: 'warn', words: { warning: 'warn' } as const });
  expect(level.read('warning', 'warn')).toBe('warn');
  expect(() => level.read('toString', 'warn')).toThrow("one of warning, but got 'toString'");
});

test('text must not be empty', () => {
  const name = text({ key: 'k', about, initial: 'x' });
  expect(name.read('a b', 'x')).toBe('a b');
  expect(() => name.read('', 'x')).toThrow('expected text that is not empty, but got nothing');
});

test('optional text may be none, and never nothing', () => {
  const file = optionalText({ key: 'k', about, argument: '<file>' });
  expect(file.initial).toBeNull();
  expect(file.read('none', 'x')).toBeNull();
  expect(file.read('/a b', null)).toBe('/a b');
  expect(() => file.read('', null)).toThrow('expected text, or none, but got nothing');
});

test('names are a list, none, or members added and taken off', () => {
  const users = names({ key: 'k', about, initial: ['guest'] });
  expect(users.read('a, b,a', [])).toEqual(['a', 'b']);
  expect(users.read('none', ['a'])).toEqual([]);
  expect(users.readMember?.('b', 'true', ['a'])).toEqual(['a', 'b']);
  expect(users.readMember?.('a', 'true', ['a'])).toEqual(['a']);
  expect(users.readMember?.('a', 'false', ['a', 'b'])).toEqual(['b']);
  expect(() => users.readMember?.('a', 'no', [])).toThrow('expected true or false');
  expect(() => users.read('a,,b', [])).toThrow('expected none, or names with commas between them');
});

test.each([
  ['none', null],
  ['0', 0],
  ['2GB', 2e9],
  ['512MiB', 512 * 2 ** 20],
  ['512M', 512 * 2 ** 20],
  ['1k', 1024],
  ['1kb', 1000],
  ['3 TB', 3e12],
])('a size that may be left out is read as RabbitMQ reads it: %s', (given, value) => {
  expect(optionalBytes({ key: 'k', about }).read(given, null)).toBe(value);
});

test.each(['', '-1', '1.5GB', 'GB', '1 XB'])('such a size is refused: %j', (given) => {
  expect(() => optionalBytes({ key: 'k', about }).read(given, null)).toThrow('expected none, or');
});

test.each([
  ['/', ''],
  ['/rabbit', '/rabbit'],
  ['/rabbit/', '/rabbit'],
  ['rabbit', '/rabbit'],
  ['/a/b-c_d.e~f', '/a/b-c_d.e~f'],
])('the prefix of paths %s is read as RabbitMQ reads it', (given, value) => {
  expect(SETTINGS.managementPathPrefix.read(given, '')).toBe(value);
});

test.each([
  '',
  '/a//b',
  '/a/../b',
  '/.',
  '/a b',
  '/a%20b',
  '/a?b',
  '/a#b',
  'http://a/b',
  '/ä',
  `/${'a'.repeat(255)}`,
])('no path of a URL that clients send is %j', (given) => {
  const { managementPathPrefix, prometheusPath } = SETTINGS;
  expect(() => managementPathPrefix.read(given, '')).toThrow('a path such as /rabbit');
  expect(() => prometheusPath.read(given, '')).toThrow('a path such as /metrics');
});

test('a decimal is a number from 0 on, and may be left out where that is said', () => {
  const part = decimal({ key: 'k', about, initial: 0.4 });
  expect(part.example).toBe('k = 0.4');
  expect(part.read('0.75', 0)).toBe(0.75);
  expect(part.read('2', 0)).toBe(2);
  for (const given of ['', '-0.1', '40%', '1e3', '.5', 'none']) {
    expect(() => part.read(given, 0)).toThrow('expected a number from 0 on');
  }
  const maybe = optionalDecimal({ key: 'k', about });
  expect(maybe.read('none', 1)).toBe(null);
  expect(maybe.show(maybe.read('1.5', null))).toBe('1.5');
});

test('a name longer than a short string is refused', () => {
  const name = text({ key: 'k', about, initial: 'x', short: true });
  expect(name.read('n'.repeat(255), 'x')).toBe('n'.repeat(255));
  expect(() => name.read('é'.repeat(128), 'x')).toThrow('of at most 255 bytes');
});
