import { expect, test } from 'vitest';
import { parseConf } from '../../../src/config/layers/conf-file.ts';

function parse(content: string): [string, string][] {
  return parseConf('a.conf', content).map(({ key, value }) => [key, value]);
}

test('a line that includes other files says how they are named', () => {
  expect(() => parseConf('a.conf', 'include conf.d/*.conf')).toThrow(
    'a.conf:1: include: other files are not included; name all files with --config',
  );
});

test('keys and values are read without the space around them', () => {
  expect(parse('a.b = 1\n\tc=2  \r\n\r\nd   =   three four\n')).toEqual([
    ['a.b', '1'],
    ['c', '2'],
    ['d', 'three four'],
  ]);
});

test('a # starts a comment, on a line of its own or after a value', () => {
  expect(parse('# a = 1\n  # b = 2\nc = 3 # d\ne = f#g')).toEqual([
    ['c', '3'],
    ['e', 'f'],
  ]);
});

test('quotes keep # and = and the space at the ends', () => {
  expect(parse("a = ' x#y=z '  # comment\nb = ''\nc = it's")).toEqual([
    ['a', ' x#y=z '],
    ['b', ''],
    ['c', "it's"],
  ]);
});

test('a value may hold =', () => {
  expect(parse('a = b=c')).toEqual([['a', 'b=c']]);
});

test('a dot that is part of a name is written with a backslash', () => {
  expect(parse('users.a\\.b = 1')).toEqual([['users.a.b', '1']]);
});

test('a byte order mark is not part of the first key', () => {
  expect(parse('\uFEFFa = 1')).toEqual([['a', '1']]);
});

test('every setting knows its file and its line', () => {
  expect(parseConf('x.conf', '\n# c\na = 1\n\nb = 2')).toMatchObject([
    { file: 'x.conf', line: 3 },
    { file: 'x.conf', line: 5 },
  ]);
});

const CLASSIC =
  'a.conf:2: this is the classic format of RabbitMQ (Erlang terms), which is not read; ' +
  "'leveret config check a.conf' prints its settings as lines for a config file";

test.each([
  ['[{rabbit, [{heartbeat, 60}]}].', CLASSIC],
  ['%% from "a=b"', CLASSIC],
  ['heartbeat 60', "a.conf:2: heartbeat: there is no '='; write 'heartbeat = value'"],
  ['heartbeat: 60', "a.conf:2: heartbeat: there is no '='; write 'heartbeat = value'"],
  ['= 60', "a.conf:2: there is no key before '='; write 'key = value'"],
  ['a b = 60', "a.conf:2: there is no key before '='; write 'key = value'"],
  ['a =', "a.conf:2: a: there is no value after '='; write one, or remove the line"],
  ['a = # b', "a.conf:2: a: there is no value after '='; write one, or remove the line"],
  ["a = 'b", "a.conf:2: a: the closing ' is missing; end the value with '"],
  [
    "a = 'b' c",
    "a.conf:2: a: there is more text after the closing '; remove it, or start a comment with #",
  ],
])('a malformed line is named with file, line and key: %s', (line, message) => {
  expect(() => parseConf('a.conf', `# first\n${line}\n`)).toThrow(
    expect.objectContaining({ name: 'ConfigError', message }),
  );
});

test('a malformed line that may hold a password is not repeated', () => {
  expect(() => parseConf('a.conf', "default_pass = 'secret")).toThrow(
    expect.not.objectContaining({ message: expect.stringContaining('secret') }),
  );
  expect(() => parseConf('a.conf', 'default_pass secret')).toThrow(
    expect.not.objectContaining({ message: expect.stringContaining('secret') }),
  );
});

test('control characters and what is not UTF-8 are refused where they mean something', () => {
  const at = (text: string | Buffer) => () => parseConf('a.conf', text);
  expect(at('heartbeat = 3\0')).toThrow(
    'a.conf:1: heartbeat: there is a control character (U+0000)',
  );
  expect(at('a = 1\nb = 1\rc = 2')).toThrow('a.conf:2: b: there is a control character (U+000D)');
  expect(at('\x1b[31ma = 1')).toThrow('there is a control character (U+001B)');
  expect(parseConf('a.conf', '\ta\t=\t1\t2\t# c\n')).toMatchObject([{ key: 'a', value: '1\t2' }]);
  const latin = (text: string) => Buffer.from(text, 'latin1');
  expect(at(latin('a = 1\npass = caf\xe9'))).toThrow('a.conf:2: pass: this is not UTF-8');
  expect(parseConf('a.conf', latin('# caf\xe9\na = 1 # caf\xe9'))).toMatchObject([{ value: '1' }]);
  expect(at(Buffer.from('\uFEFFa = 1', 'utf16le'))).toThrow('a.conf:1: this is not UTF-8');
});
