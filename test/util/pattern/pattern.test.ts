import { expect, test } from 'vitest';
import { LookaroundPattern } from '../../../src/util/pattern/lookaround.ts';
import { compilePattern, PatternError } from '../../../src/util/pattern/pattern.ts';

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
  expect(matches(pattern, text)).toBe(expected);
});

test.each([
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
  ['^a{1001}$', 'a'.repeat(1001), true],
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
  ['^(\\w+)-\\1$', 'backreferences are not supported'],
  ['(?<x>a)\\k<x>', 'backreferences are not supported'],
])('the pattern %s is refused: %s', (pattern, fault) => {
  expect(() => compilePattern(pattern)).toThrow(PatternError);
  expect(() => compilePattern(pattern)).toThrow(fault);
});

test.each([
  ['(?<=a)b', 'ab', true],
  ['(?<!a)b', 'ab', false],
  ['(?<!a)b', 'cb', true],
  ['^(?=.*eu)(?!.*test).*(?<!tmp)$', 'orders.eu', true],
  ['^(?=.*eu)(?!.*test).*(?<!tmp)$', 'orders.eu.tmp', false],
  ['^(?=.*eu)(?!.*test).*(?<!tmp)$', 'test.eu', false],
  ['^((?!secret).)*$', 'open.orders', true],
  ['^((?!secret).)*$', 'my.secret.orders', false],
  ['(?<=(?<!x)a)b', 'ab', true],
  ['(?<=(?<!x)a)b', 'xab', false],
  ['a(?=b(?!c))', 'abc', false],
  ['a(?=b(?!c))', 'abd', true],
  ['(?i)(?<=EU\\.)o', 'eu.O', true],
  ['(?m)(?<=x)$', 'ax\nb', true],
  ['(?<=x)$', 'ax\nb', false],
  ['(?<=\\bcat)s\\b', 'a cats', true],
  ['(?<=\\bcat)s\\b', 'bobcats', false],
  ['(?<=😀)x', '😀x', true],
  ['(?<=^.)x', '😀x', true],
  ['(?<=a|bc)d|(?<!e)f', 'bcd', true],
  ['(?<=a|bc)d|(?<!e)f', 'ef', false],
  ['(?<=a{2,3})b', 'ab', false],
  ['(?<=a{2,3})b', 'aab', true],
  ['(?:(?<=a)b|c){2}$', 'abc', true],
  ['(?:(?<=a)b|c){2}$', 'bc', false],
  ['(?<=[\\]x-]\\p{Lu})z', ']Äz', true],
])('looking around: %s in %j is %s', (pattern, text, expected) => {
  expect(matches(pattern, text)).toBe(expected);
});

test('looking around finds what the engine of JavaScript finds', () => {
  const parts = [
    'a',
    'b',
    '.',
    '(?=a)',
    '(?!b)',
    '(?<=a)',
    '(?<!b)',
    'a*',
    '(?:ab)?',
    '(?:a|b)+',
    '^',
    '$',
    '\\b',
    '[^a]{1,2}',
    '(?=b.(?<!a))',
    '(?<=(?!a)b*)',
  ];
  // A generator of its own, so that each run tries the same.
  let seed = 42;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((seed / 2 ** 31) * below);
  };
  for (let n = 0; n < 3000; n++) {
    const source = Array.from({ length: 1 + random(5) }, () => parts[random(parts.length)]).join(
      '',
    );
    const text = Array.from({ length: random(7) }, () => 'ab-'[random(3)]).join('');
    const found = new LookaroundPattern(source, 'u').matches(text);
    expect(found, `${source} in '${text}'`).toBe(new RegExp(source, 'u').test(text));
  }
});

/** Patterns and texts that take engines which backtrack seconds to ages. */
const CATASTROPHES: readonly (readonly [pattern: string, text: string])[] = [
  ['(?<=x)(a+)+$', `x${'a'.repeat(253)}b`],
  ['^(?:(a+)+(?!x)b|(a|aa)+c)$', 'a'.repeat(255)],
  ['(?!b)(a|a)*(a|a)*(a|a)*(a|a)*c', 'a'.repeat(255)],
  ['^(([a-z])+.)+[A-Z](?!x)([a-z])+$', 'a'.repeat(255)],
  ['(?<!z)(.*a){25}$', 'a'.repeat(254).concat('b')],
  ['^(?=(a*)*b)(?=(a*a*)*b)(?=((a+)*)+b)a', 'a'.repeat(255)],
  ['(?=(?=(?=(?=(a+)+b).*b).*b).*b)a', 'a'.repeat(255)],
  ['(?<=(?<=(?<=(a|aa)+b).*b).*b)a', 'a'.repeat(255)],
  ['(?:(?:(?=a?)a?){4}a?){4}a{50}(?!a)', 'a'.repeat(255)],
  ['((((((a*)*)*)*)*)*)*(?!a)b', 'a'.repeat(255)],
  [`${'a?'.repeat(500)}${'a'.repeat(200)}(?<=b)`, 'a'.repeat(255)],
];

test.each(CATASTROPHES)(
  'steps are bounded by the size of the pattern and the text: %s',
  (source, text) => {
    const pattern = new LookaroundPattern(source, 'u');
    pattern.matches(text);
    expect(pattern.steps).toBeLessThanOrEqual(pattern.states * ([...text].length + 1));
    // Whatever else the machine does, the same text takes the same steps.
    const { steps } = pattern;
    pattern.matches(text);
    expect(pattern.steps).toBe(steps);
    expect(() => compilePattern(source).matches(text)).not.toThrow();
  },
);

test.each([
  ['many counted repetitions', '[a-z]{1000}'.repeat(400)],
  ['repetitions within repetitions', '(?:(?:(?:a{90}){90}){90}){90}'],
  ['the same with lookahead', '(?!b)(?:(?:a{100}){100}){100}'],
  ['without an end', 'a{99999}'],
  ['with huge numbers', '(?!b)a{4000000000,}'],
  ['optional ones', '(?:a?){700}'],
  ['optional ones that are written out', 'a?'.repeat(700)],
  ['alternatives', `(?:${'a|'.repeat(1500)}b)`],
  ['classes of Unicode', '[\\pL\\pN]'.repeat(400)],
  ['empty ones', '(?:){1000}(?:(?:){1000}){1000}'],
])('a pattern that would grow is refused before it does: %s', (_what, pattern) => {
  expect(() => compilePattern(pattern)).toThrow('too many steps');
});

test.each([
  ['long', `(${'x'.repeat(20_000)})`, 'longer than 8192 characters'],
  ['deep', `${'('.repeat(2000)}a${')'.repeat(2000)}`, 'nested deeper than 100'],
  ['deep with lookahead', `${'(?!'.repeat(500)}a${')'.repeat(500)}`, 'nested deeper than 100'],
])('a pattern that is too %s is refused', (_what, pattern, fault) => {
  expect(() => compilePattern(pattern)).toThrow(fault);
});

test.each([
  ['^.{1,255}$'],
  ['^[a-z]{1,255}\\.[a-z]{1,255}$'],
  ['^(?!amq\\.)[\\w.-]{1,255}$'],
  ['^((?!secret).)*$'],
  ['(?i)^(\\p{L}|\\d|[_.:-])+$'],
  ['^(dev|test|prod)\\.([a-z]+\\.)*(orders|invoices)(\\.(dlq|retry[0-9]{1,3}))?$'],
])('what users write stays far within the bounds: %s', (pattern) => {
  expect(() => compilePattern(pattern)).not.toThrow();
});

test('a list of a hundred long names is a pattern as any other', () => {
  const names = Array.from({ length: 100 }, (_, n) => `orders-of-region-${n}`);
  const pattern = compilePattern(`^(${names.join('|')})$`);
  expect(pattern.matches('orders-of-region-99')).toBe(true);
  expect(pattern.matches('orders-of-region-100')).toBe(false);
});

test('text in quotes is not a repetition', () => {
  expect(matches('^\\Qa{99999}\\E', 'a{99999}b')).toBe(true);
  expect(matches('^[{99999}]+$', '{9}')).toBe(true);
});
