import { expect, test } from 'vitest';
import { compilePattern, PatternError } from '../../src/util/pattern.ts';

const matches = (pattern: string, text: string): boolean => compilePattern(pattern).matches(text);

test.each([
  ['.*', '', true],
  ['.*', 'orders', true],
  ['', 'orders', true],
  ['^$', '', true],
  ['^$', 'orders', false],
  ['orders', 'all-orders-here', true],
  ['orders', 'order', false],
  ['^orders', 'orders.eu', true],
  ['^orders', 'my-orders', false],
  ['orders$', 'my-orders', true],
  ['orders$', 'orders.eu', false],
  ['^orders$', 'orders', true],
  ['^orders$', 'orders.eu', false],
  ['^orders\\.eu$', 'orders.eu', true],
  ['^orders\\.eu$', 'orders-eu', false],
  ['^a\\/b\\-c', 'a/b-c-d', true],
  ['^orders.*', 'orders.eu', true],
  ['^orders.*', 'my-orders', false],
  ['^orders.*$', 'orders.eu', true],
  ['^orders.*$', 'orders\nlate', false],
  ['orders.*$', 'my-orders', true],
  ['orders.*$', 'orders\nlate', false],
  ['^größe$', 'größe', true],
])('a plain pattern %s in %j is %s', (pattern, text, expected) => {
  expect(matches(pattern, text)).toBe(expected);
});

test.each([
  ['^(a|b)$', 'b', true],
  ['^(a|b)$', 'c', false],
  ['(?i)^ORDERS', 'orders.eu', true],
  ['^orders\\.\\d+$', 'orders.17', true],
  ['^orders\\.\\d+$', 'orders.x', false],
  ['^[a-z]+\\.[[:digit:]]{2}$', 'ab.12', true],
  ['^\\Qa.b\\E$', 'a.b', true],
  ['^\\Qa.b\\E$', 'axb', false],
  ['a|^b', 'xa', true],
  ['\\bcat\\b', 'a cat here', true],
  ['^.$', '😀', true],
])('the pattern %s in %j is %s', (pattern, text, expected) => {
  expect(matches(pattern, text)).toBe(expected);
});

test.each([
  ['^(?!amq\\.).*', 'orders', true],
  ['^(?!amq\\.).*', 'amq.gen-1', false],
  ['^(?!amq\\.).*', 'my-amq.x', true],
  ['^(?!amq[.)]|tmp).*$', 'tmp-1', false],
  ['^(?!amq[.)]|tmp).*$', 'temp', true],
  ['(?i)^(?!amq\\.)[a-z]+', 'AMQ.x', false],
  ['(?i)^(?!amq\\.)[a-z]+', 'ORDERS', true],
  ['^(?=a)(?!ab)..$', 'ac', true],
  ['^(?=a)(?!ab)..$', 'ab', false],
  ['^(?=a)(?!ab)..$', 'xc', false],
  // One alternative is anchored and looks ahead, the other is free.
  ['^(?!a)b|c', 'ac', true],
  ['^(?!a)b|c', 'ab', false],
])('lookahead at the start: %s in %j is %s', (pattern, text, expected) => {
  const compiled = compilePattern(pattern);
  expect(compiled.matches(text)).toBe(expected);
  expect(compiled.cutShort).toBe(0);
});

test('lookahead at the start needs no engine that backtracks', () => {
  const compiled = compilePattern('^(?!(a+)+$)(a|aa)+$');
  expect(compiled.matches(`${'a'.repeat(60)}b`)).toBe(false);
  expect(compiled.matches('a'.repeat(60))).toBe(false);
  expect(compiled.cutShort).toBe(0);
});

test.each([
  ['^(\\w+)-\\1$', 'ab-ab', true],
  ['^(\\w+)-\\1$', 'ab-cd', false],
  ['(?<=eu\\.)orders', 'eu.orders', true],
  ['(?<=eu\\.)orders', 'us.orders', false],
  ['a(?!b)', 'ab', false],
  ['a(?!b)', 'ac', true],
  ['(?i)^a(?!b)', 'AC', true],
  ['\\Aa(?=b)b\\z', 'ab', true],
  ['a(?!b)\\-[\\]x[:digit:]]', 'a-7', true],
  ['(?!b)a{2}\\{', 'aa{', true],
  ['^(?:a(?!b)|]|})', ']', true],
  ['^[]a](?!b)', ']', true],
  ['a(?!b)\\Q.*\\E', 'a.*', true],
  ['a(?!b)\\Q.*\\E', 'axx', false],
  ['a(?!b)(?#a remark)c', 'ac', true],
  ['^a{2,1001}$', 'aaa', true],
  ['\\h', 'a b', true],
  ['^(?P<x>a)(?!b)', 'ac', true],
])('what RE2 lacks: %s in %j is %s', (pattern, text, expected) => {
  expect(matches(pattern, text)).toBe(expected);
});

test.each([
  ['a(', 'missing closing )'],
  ['[a', 'missing closing ]'],
  ['*a', 'missing argument to repetition operator'],
  ['(?!a', 'Unterminated group'],
  ['a(?!b)++', 'possessive quantifiers are not supported'],
  ['(?>a)', 'atomic groups'],
  ['a\\Gb', '\\G is not supported'],
  ['(?!a)(?i:b)(?x:c)', 'flags are supported at the start'],
  ['a{2,1}', 'numbers out of order'],
])('the pattern %s is refused: %s', (pattern, fault) => {
  expect(() => compilePattern(pattern)).toThrow(PatternError);
  expect(() => compilePattern(pattern)).toThrow(fault);
});

test('a pattern without end is refused', () => {
  expect(() => compilePattern(`(${'x'.repeat(20_000)})`)).toThrow('longer than 16384 characters');
});

test('a pattern that could run away is matched in linear time', () => {
  const compiled = compilePattern('(a+)+$');
  const startMs = performance.now();
  expect(compiled.matches(`${'a'.repeat(250)}b`)).toBe(false);
  expect(performance.now() - startMs).toBeLessThan(1000);
  expect(compiled.cutShort).toBe(0);
});

test('one that needs backtracking is cut short, is no match then, and is not run again and again', () => {
  const compiled = compilePattern('^(\\w+)+(?!x)(a+)+\\1-$');
  const hostile = 'a'.repeat(60);
  const startMs = performance.now();
  for (let i = 0; i < 500; i++) expect(compiled.matches(hostile)).toBe(false);
  expect(performance.now() - startMs).toBeLessThan(2000);
  expect(compiled.cutShort).toBe(4);
});

test('a pattern that was cut short once goes on matching what ends in time', () => {
  const compiled = compilePattern('^(?:(a+)+(?!x)\\1-|b)$');
  expect(compiled.matches('a'.repeat(60))).toBe(false);
  expect(compiled.cutShort).toBe(1);
  expect(compiled.matches('b')).toBe(true);
});
