// Owns the kinds of settings that only the cluster has: names within the log, addresses of its parts, its secret. Never
// knows which settings exist (cluster-settings.ts).

import {
  type Common,
  EVERYWHERE,
  expected,
  isHost,
  type ListenAddress,
  MalformedValue,
  readPort,
  type Setting,
  setting,
} from '../setting.ts';

/** Longer names make no sense beside one another in the name of a stream. */
const NAME_CHARS_MAX = 32;
/** The servers of one log, of which one that answers is enough. */
const ADDRESSES_MAX = 32;
const SECRET_BYTES_MAX = 512;

/** A name that becomes a part of NATS subjects and stream names. `letters` are those beside a-z, A-Z and 0-9. */
function clusterName(letters: '-' | '-_'): {
  readonly expects: string;
  readonly read: (given: string) => string;
} {
  const said = letters === '-' ? 'letters, digits and -' : 'letters, digits, - and _';
  const expects = `a name of 1 to ${NAME_CHARS_MAX} ${said}`;
  const pattern = new RegExp(`^[A-Za-z0-9${letters === '-' ? '' : '_'}-]+$`);
  const read = (given: string): string => {
    if (given.length > NAME_CHARS_MAX || !pattern.test(given)) throw expected(expects, given);
    return given;
  };
  return { expects, read };
}

/** The name of a cluster or of a node; `none` stands for none. */
export function optionalName(row: Common): Setting<string | null> {
  const { expects, read } = clusterName('-_');
  return setting({ ...row, initial: null as string | null }, '<name>', `none, or ${expects}`, {
    read: (given) => (given === 'none' ? null : read(given)),
    show: (value) => value ?? 'none',
  });
}

/**
 * The name of a group. It has no `_`: streams are named `<cluster>_<group>`, and the last `_` has to say where the
 * name of the cluster ends, or two clusters could write to one log.
 */
export function groupName(row: Common & { readonly initial: string }): Setting<string> {
  const { expects, read } = clusterName('-');
  return setting(row, '<name>', expects, { read, show: (value) => value });
}

/** Addresses of servers, as `host:port` with an IPv6 address in brackets; `none` for none. */
export function addresses(row: Common): Setting<readonly string[]> {
  const expects = 'none, or host:port, several with commas between them';
  return setting({ ...row, initial: [] as readonly string[] }, '<addresses>', expects, {
    read: (given) => {
      if (given === 'none') return [];
      // What stands before it is a password, as a rule, and no message may show it.
      if (given.includes('@')) throw new MalformedValue(`expected ${expects}, without a login`);
      const list = given.split(',').map((each) => showAddress(readPeer(each.trim(), expects)));
      if (list.length > ADDRESSES_MAX) throw expected(`at most ${ADDRESSES_MAX} addresses`, given);
      return [...new Set(list)];
    },
    show: (value) => (value.length === 0 ? 'none' : value.join(', ')),
  });
}

/** One such address, where others reach this node; `none` stands for none. */
export function optionalAddress(row: Common): Setting<string | null> {
  const expects = 'none, or host:port';
  return setting({ ...row, initial: null as string | null }, '<address>', expects, {
    read: (given) => (given === 'none' ? null : showAddress(readPeer(given, expects))),
    show: (value) => value ?? 'none',
  });
}

/** Where to listen; port 0 asks for a free one. */
export function listenAddress(
  row: Common & { readonly initial: ListenAddress },
): Setting<ListenAddress> {
  const expects = 'host:port, where port 0 picks a free one';
  return setting(row, '<address>', expects, {
    read: (given) => readAddress(given, expects),
    show: showAddress,
  });
}

/** A text that no message shows, not even where it is refused; `none` stands for none. */
export function optionalSecret(
  row: Common & { readonly bytesMin: number },
): Setting<string | null> {
  const { bytesMin } = row;
  const expects = `none, or text of ${bytesMin} to ${SECRET_BYTES_MAX} bytes`;
  return setting({ ...row, initial: null as string | null }, '<text>', expects, {
    read: (given) => {
      if (given === 'none') return null;
      const bytes = Buffer.byteLength(given);
      if (bytes < bytesMin || bytes > SECRET_BYTES_MAX)
        throw new MalformedValue(`expected ${expects}, but got ${bytes} bytes`);
      return given;
    },
    show: (value) => value ?? 'none',
  });
}

/** An address that something can be reached at, which neither every interface nor a free port is. */
function readPeer(given: string, expects: string): ListenAddress {
  const address = readAddress(given, expects);
  if (address.port === 0 || address.host === EVERYWHERE) throw expected(expects, given);
  return address;
}

function readAddress(given: string, expects: string): ListenAddress {
  const colon = given.lastIndexOf(':');
  const host = given.slice(0, Math.max(colon, 0));
  const bare = host.replace(/^\[(.*:.*)\]$/, '$1');
  // An IPv6 address without brackets would take its last part for the port.
  if (colon === -1 || !isHost(bare) || (bare.includes(':') && bare === host))
    throw expected(expects, given);
  return { host: bare, port: readPort(given.slice(colon + 1), expects) };
}

function showAddress({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
