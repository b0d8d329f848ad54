import { expect, test } from 'vitest';
import { parseTerm, TermFault } from '../../../src/config/rabbitmq/erlang-terms.ts';

const atom = (name: string, line = 1) => ({ is: 'atom', name, line });
const string = (text: string) => ({ is: 'string', text, line: 1 });
const number = (value: number) => ({ is: 'number', value, line: 1 });

test.each([
  ['abc', atom('abc')],
  ["'two words'", atom('two words')],
  ["'it\\'s'", atom("it's")],
  ['"text"', string('text')],
  ['"a\\"b\\n"', string('a"b\n')],
  ['"one" "two"', string('onetwo')],
  ['"\\x{20ac}\\x41\\101\\^A\\s\\q\\0"', string('\u20acAA\u0001 q\0')],
  ['$\\x41', number(65)],
  ['<<"binary">>', string('binary')],
  ['<<"binary"/utf8>>', string('binary')],
  ['<<>>', string('')],
  ['42', number(42)],
  ['-1.5e3', number(-1500)],
  ['16#FF', number(255)],
  ['$a', number(97)],
  ['[]', { is: 'list', items: [], line: 1 }],
  ['{a, 1}', { is: 'tuple', items: [atom('a'), number(1)], line: 1 }],
  ['[a, %% a comment, with ]\n b].', { is: 'list', items: [atom('a'), atom('b', 2)], line: 1 }],
])('%s is read', (text, term) => {
  expect(parseTerm(text)).toEqual(term);
});

test.each([
  ['', 1, 'ends too early'],
  ['[a,\n b', 2, "a ',' or ']' is missing"],
  ['[a,\n\n]', 3, "comma before ']'"],
  ['[a b]', 1, "a ',' or ']' is missing"],
  ['[a]. [b].', 1, 'more text'],
  ['[X]', 1, "'X' begins no term"],
  ['"open', 1, 'begins no term'],
  ['99#zz', 1, 'no number'],
  ['#{a => 1}', 1, "'#' begins no term"],
])('%s is a fault in line %i', (text, line, message) => {
  const error = (() => {
    try {
      return parseTerm(text);
    } catch (thrown) {
      return thrown;
    }
  })();
  expect(error).toBeInstanceOf(TermFault);
  expect((error as TermFault).line).toBe(line);
  expect((error as TermFault).message).toContain(message);
});

test('depth and size are bounded', () => {
  expect(() => parseTerm('['.repeat(100_000))).toThrow('nest more than 64 deep');
  expect(() => parseTerm(`[${'1,'.repeat(200_000)}1]`)).toThrow('more than 100000 terms');
  expect(() => parseTerm(`"${'\\a'.repeat(400_000)}`)).toThrow('begins no term');
});
