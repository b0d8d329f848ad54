// Owns the kinds of settings that have members: `listeners.tcp.<name>`, `ssl_options.versions.1`.
// Never knows which settings exist (settings.ts) or where their text comes from (load.ts).

import {
  type Common,
  expected,
  isHost,
  type ListenAddress,
  readPort,
  type Setting,
  type Spelling,
  setting,
} from './setting.ts';

/** Where to listen, by the name of the listener. */
export type Listeners = ReadonlyMap<string, ListenAddress>;

/** The member that flags and variables set. */
const DEFAULT_MEMBER = 'default';
const PORT_EXPECTS = 'a port from 0 to 65535';
const ADDRESS_EXPECTS = `${PORT_EXPECTS}, or host:port`;

/**
 * Listening addresses by name: `host:port`, `[ipv6]:port`, or a port alone, which leaves the host as
 * it is, localhost at first. The first address that is set takes the place of those that were the
 * default; `none` takes all away. `halves` says whether `--host` and `--port` are for this one.
 */
export function listeners(
  row: Common & { readonly initial: Listeners; readonly halves: boolean },
): Setting<Listeners> {
  const { initial } = row;
  const base = initial.get(DEFAULT_MEMBER) ?? { host: 'localhost', port: 0 };
  const withMember = (before: Listeners, name: string, address: ListenAddress): Listeners => {
    const others = before === initial && name !== DEFAULT_MEMBER ? [] : before;
    return new Map([...others, [name, address]]);
  };
  const readMember = (name: string, given: string, before: Listeners): Listeners => {
    if (name === '') throw expected('a name for the listener', name);
    return withMember(before, name, readAddress(given, before.get(name) ?? base));
  };
  const whole = setting(row, '<address>', `none, or ${ADDRESS_EXPECTS}`, {
    read: (given, before) =>
      given === 'none' ? new Map() : readMember(DEFAULT_MEMBER, given, before),
    show: (value) => (value.size === 0 ? 'none' : [...value.values()].map(showAddress).join(', ')),
  });
  const member: Spelling<Listeners> = {
    name: `${whole.variables[0]?.name}_DEFAULT`,
    argument: '<address>',
    about: row.about,
    read: (given, before) => readMember(DEFAULT_MEMBER, given, before),
  };
  const variables = [...whole.variables, member];
  if (!row.halves) return { ...whole, readMember, variables };
  const port: Omit<Spelling<Listeners>, 'name'> = {
    argument: '<port>',
    about: 'The port to listen on; 0 picks a free one and logs it.',
    read: (given, before) => {
      const { host } = before.get(DEFAULT_MEMBER) ?? base;
      const address = { host, port: readPort(given, PORT_EXPECTS) };
      return withMember(before, DEFAULT_MEMBER, address);
    },
  };
  const host: Omit<Spelling<Listeners>, 'name'> = {
    argument: '<host>',
    about: 'The address to listen on; 0.0.0.0, :: or * for every interface.',
    read: (given, before) => {
      if (!isHost(given)) throw expected('a host name or an IP address', given);
      const address = before.get(DEFAULT_MEMBER);
      // Where the broker does not listen without TLS, a host alone does not make it listen.
      if (address === undefined) return before;
      return withMember(before, DEFAULT_MEMBER, { ...address, host: given });
    },
  };
  return {
    ...whole,
    readMember,
    variables: [
      { ...port, name: 'RABBITMQ_NODE_PORT' },
      { ...host, name: 'RABBITMQ_NODE_IP_ADDRESS' },
      ...variables,
      { ...port, name: 'LEVERET_PORT' },
      { ...host, name: 'LEVERET_HOST' },
    ],
    flags: [...whole.flags, { ...port, name: '--port' }, { ...host, name: '--host' }],
  };
}

function readAddress(given: string, before: ListenAddress): ListenAddress {
  const colon = given.lastIndexOf(':');
  const port = readPort(given.slice(colon + 1), ADDRESS_EXPECTS);
  if (colon === -1) return { ...before, port };
  const host = given.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  if (!isHost(host)) throw expected(ADDRESS_EXPECTS, given);
  return { host, port };
}

function showAddress({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Words in an order, by the member that set each: `key.1 = ...`, `key.2 = ...`. */
export type Ordered<T extends string = string> = ReadonlyMap<string, T>;

/** A map of words numbered from 1, as a default. */
export function numbered<T extends string>(...words: T[]): Ordered<T> {
  return new Map(words.map((word, at) => [String(at + 1), word]));
}

/**
 * A list of words, one a member or all with commas between them; the first member that is set takes
 * the place of the default. `read` makes a word of the text, or gives null where it is none.
 */
export function ordered<T extends string>(
  row: Common & {
    readonly initial: Ordered<T>;
    readonly expects: string;
    readonly read: (text: string) => T | null;
  },
): Setting<Ordered<T>> {
  const { initial, expects } = row;
  const readWord = (given: string): T => {
    const word = row.read(given);
    if (word === null) throw expected(expects, given);
    return word;
  };
  const whole = setting(
    row,
    '<list>',
    `${expects}; one in each line, numbered, or all with commas`,
    {
      read: (given) => {
        if (given === 'none' && initial.size === 0) return numbered<T>();
        return numbered(...given.split(',').map((each) => readWord(each.trim())));
      },
      show: (value) => (value.size === 0 ? 'none' : [...value.values()].join(', ')),
    },
  );
  return {
    ...whole,
    readMember: (member, given, before) => {
      const others = before === initial ? [] : before;
      const all = new Map<string, T>([...others, [member, readWord(given)]]);
      return new Map([...all].sort(([a], [b]) => Number(a) - Number(b) || 0));
    },
  };
}
