import { expect, test } from 'vitest';
import { type Listeners, listeners, numbered, ordered } from '../../src/config/map-setting.ts';

const about = 'x';
const initial: Listeners = new Map([['default', { host: '127.0.0.1', port: 5672 }]]);
const tcp = listeners({ key: 'listeners.tcp', about, initial, halves: true });
const ssl = listeners({ key: 'listeners.ssl', about, initial: new Map(), halves: false });
const versions = ordered<'a' | 'b'>({
  key: 'k',
  about,
  initial: numbered<'a' | 'b'>('a', 'b'),
  expects: 'a or b',
  read: (text) => (text === 'a' || text === 'b' ? text : null),
});

function spelled(name: string): (text: string, before: Listeners) => Listeners {
  const spelling = [...tcp.flags, ...tcp.variables].find((each) => each.name === name);
  if (spelling === undefined) throw new Error(`there is no ${name}`);
  return spelling.read;
}

test.each([
  ['5673', { host: 'before', port: 5673 }],
  ['0', { host: 'before', port: 0 }],
  ['0.0.0.0:5673', { host: '0.0.0.0', port: 5673 }],
  ['mq.example.org:1', { host: 'mq.example.org', port: 1 }],
  [':::5672', { host: '::', port: 5672 }],
  ['::1:5672', { host: '::1', port: 5672 }],
  ['[::1]:5672', { host: '::1', port: 5672 }],
])('a listening address is read: %s', (given, value) => {
  const before = new Map([['default', { host: 'before', port: 1 }]]);
  expect(tcp.read(given, before).get('default')).toEqual(value);
  expect(tcp.readMember?.('default', given, before).get('default')).toEqual(value);
});

test.each(['', 'localhost', 'localhost:', ':5672', '65536', 'a b:1', 'tcp://x:1', '[x:1'])(
  'a wrong listening address is refused: %j',
  (given) => {
    expect(() => tcp.read(given, initial)).toThrow(
      'expected a port from 0 to 65535, or host:port, but got',
    );
  },
);

test('an IPv6 address is shown in brackets, so that it can be read back', () => {
  const shown = tcp.show(new Map([['default', { host: '::1', port: 5672 }]]));
  expect(shown).toBe('[::1]:5672');
  expect(tcp.read(shown, initial).get('default')).toEqual({ host: '::1', port: 5672 });
});

test('the first listener that is named takes the place of the default, later ones join it', () => {
  const first = tcp.readMember?.('local', '5673', initial) ?? initial;
  expect([...first]).toEqual([['local', { host: '127.0.0.1', port: 5673 }]]);
  const second = tcp.readMember?.('default', '10.0.0.1:5672', first) ?? initial;
  expect([...second.keys()]).toEqual(['local', 'default']);
  const moved = tcp.readMember?.('local', '5674', second) ?? initial;
  expect(moved.get('local')).toEqual({ host: '127.0.0.1', port: 5674 });
});

test('none takes all listeners away, and a host alone brings none back', () => {
  const none = tcp.read('none', initial);
  expect(none.size).toBe(0);
  expect(spelled('--host')('0.0.0.0', none).size).toBe(0);
  expect(spelled('--port')('5673', none).get('default')).toEqual({ host: '127.0.0.1', port: 5673 });
  expect(tcp.show(none)).toBe('none');
});

test('host and port are for the listener without TLS only', () => {
  expect(tcp.flags.map(({ name }) => name)).toEqual(['--port', '--host']);
  expect(ssl.flags).toEqual([]);
  expect(ssl.variables.map(({ name }) => name)).toEqual([
    'LEVERET_LISTENERS_SSL',
    'LEVERET_LISTENERS_SSL_DEFAULT',
  ]);
  expect([...ssl.read('5671', new Map())]).toEqual([
    ['default', { host: 'localhost', port: 5671 }],
  ]);
});

test('a list takes the place of the default with its first member, in order of the numbers', () => {
  const one = versions.readMember?.('2', 'a', versions.initial) ?? versions.initial;
  expect([...one.values()]).toEqual(['a']);
  const two = versions.readMember?.('1', 'b', one) ?? one;
  expect([...two.values()]).toEqual(['b', 'a']);
  expect([...(versions.readMember?.('10', 'b', two) ?? two).values()]).toEqual(['b', 'a', 'b']);
  expect([...(versions.readMember?.('1', 'a', two) ?? two).values()]).toEqual(['a', 'a']);
});

test('a list can be written in one line, and its words are checked', () => {
  expect([...versions.read('b, a', versions.initial).values()]).toEqual(['b', 'a']);
  expect(() => versions.read('b, c', versions.initial)).toThrow("expected a or b, but got 'c'");
  expect(() => versions.read('none', versions.initial)).toThrow("but got 'none'");
  expect(() => versions.readMember?.('1', 'c', versions.initial)).toThrow("but got 'c'");
});
