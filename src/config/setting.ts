// Owns the kinds of settings: how each reads its text, shows its value and says what it expects.
// Never knows which settings exist (settings.ts) or where their text comes from (load.ts).

import { isIP } from 'node:net';
import { isShort, SHORT_BYTES_MAX } from '../util/limits.ts';
import { compilePattern } from '../util/pattern/pattern.ts';

/** Thrown by `read` when the text of a setting is no good; the loader adds where the text stood. */
export class MalformedValue extends Error {
  override readonly name = 'MalformedValue';
}

/** Another way to set all or part of a setting: a flag (`--port`) or a variable (`LEVERET_PORT`). */
export interface Spelling<T> {
  /** The flag or the variable, as the user writes it. */
  readonly name: string;
  /** What stands for the value in `--help`, such as `<port>`; empty for a switch. */
  readonly argument: string;
  /** One line of help. */
  readonly about: string;
  /** Reads the text; `before` is the value from the layers below. */
  read(text: string, before: T): T;
}

/** One row of the settings table. */
export interface Setting<T> {
  /** The key in a config file; RabbitMQ's own wherever the setting is the same. */
  readonly key: string;
  /** One line for the docs page. */
  readonly about: string;
  readonly initial: T;
  /** What a value must be: ends the sentence "expected ...". */
  readonly expects: string;
  /** A right line of a config file, for an operator that wrote a wrong one. */
  readonly example: string;
  /** Environment variables, the weakest first. */
  readonly variables: readonly Spelling<T>[];
  readonly flags: readonly Spelling<T>[];
  /** Reads the text of a value; `before` is the value from the layers below. */
  read(text: string, before: T): T;
  /** Reads the text of `key.<member>`, for the settings that have members. */
  readMember?(member: string, text: string, before: T): T;
  /** The value as a config file would write it. */
  show(value: T): string;
}

/** What every row says of itself, whatever its kind. */
export interface Common {
  readonly key: string;
  readonly about: string;
  /** The flag that sets the whole value, such as `--log-level`. */
  readonly flag?: string;
  /** A line for a config file, where the default shows none. */
  readonly example?: string;
  /** A variable that others set already, such as `RABBITMQ_DEFAULT_USER`; ours wins over it. */
  readonly foreignVariable?: string;
}

/** A listening address: `host` is a name or an IP address, port 0 asks for a free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** The host of a listener that listens on every interface, of IPv6 too where the machine has it. */
export const EVERYWHERE = '*';

const UNITS = 'kB, MB, GB, KiB, MiB and GiB';

/** The units an integer setting may have; `count` shows none. */
type Unit = 'count' | 'bytes' | 'milliseconds' | 'seconds';

/** A whole number within bounds; `infinity` may be allowed, and is read as `Infinity`. */
export function integer(
  row: Common & {
    readonly initial: number;
    readonly min: number;
    readonly max: number;
    readonly unit?: Unit;
    readonly infinite?: boolean;
  },
): Setting<number> {
  const unit = row.unit ?? 'count';
  const expects =
    `a whole number${unit === 'count' ? '' : ` of ${unit}`} from ${row.min} to ${row.max}` +
    `${unit === 'bytes' ? ` (${UNITS} may follow it)` : ''}` +
    `${row.infinite ? ', or infinity' : ''}`;
  return setting(row, '<n>', expects, {
    read: (text) => {
      if (row.infinite && text === 'infinity') return Number.POSITIVE_INFINITY;
      const value = unit === 'bytes' ? readBytes(text) : readInteger(text);
      if (value === null || value < row.min || value > row.max) throw expected(expects, text);
      return value;
    },
    show: (value) => (value === Number.POSITIVE_INFINITY ? 'infinity' : String(value)),
  });
}

/** A size in bytes that may be left out; `none` stands for that. */
export function optionalBytes(row: Common): Setting<number | null> {
  const expects = `none, or a whole number of bytes (${UNITS} may follow it)`;
  return setting({ ...row, initial: null as number | null }, '<n>', expects, {
    read: (text) => {
      if (text === 'none') return null;
      const value = readBytes(text);
      if (value === null || value < 0) throw expected(expects, text);
      return value;
    },
    show: (value) => (value === null ? 'none' : String(value)),
  });
}

/** How many milliseconds the unit of a time stands for. */
const MS_PER_UNIT = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
]);

/** A time with its unit, such as 500ms, 5s or 2m; read as milliseconds. */
export function duration(
  row: Common & { readonly initialMs: number; readonly minMs: number; readonly maxMs: number },
): Setting<number> {
  const show = (ms: number): string => (ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`);
  const expects = `a time from ${show(row.minMs)} to ${show(row.maxMs)}, such as 500ms, 5s or 2m`;
  return setting({ ...row, initial: row.initialMs }, '<time>', expects, {
    read: (text) => {
      const parts = /^(\d{1,9})(ms|s|m)$/.exec(text);
      const ms = Number(parts?.[1]) * (MS_PER_UNIT.get(parts?.[2] ?? '') ?? Number.NaN);
      if (!(ms >= row.minMs && ms <= row.maxMs)) throw expected(expects, text);
      return ms;
    },
    show,
  });
}

/** A number from 0 on that may have a fraction. */
export function decimal(row: Common & { readonly initial: number }): Setting<number> {
  const expects = 'a number from 0 on, such as 0.4';
  return setting(row, '<n>', expects, { read: (text) => readDecimal(text, expects), show: String });
}

/** The same, where it may be left out; `none` stands for that. */
export function optionalDecimal(row: Common): Setting<number | null> {
  const expects = 'none, or a number from 0 on, such as 1.5';
  return setting({ ...row, initial: null as number | null }, '<n>', expects, {
    read: (text) => (text === 'none' ? null : readDecimal(text, expects)),
    show: (value) => (value === null ? 'none' : String(value)),
  });
}

function readDecimal(text: string, expects: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(value)) throw expected(expects, text);
  return value;
}

/** Any text that is not empty. */
export function text(
  row: Common & {
    readonly initial: string;
    readonly argument?: string;
    /** It is a name, which has to fit into a short string. */
    readonly short?: true;
  },
): Setting<string> {
  const most = row.short === true ? `, of at most ${SHORT_BYTES_MAX} bytes` : '';
  const expects = `text that is not empty${most}`;
  return setting(row, row.argument ?? '<text>', expects, {
    read: (given) => {
      const long = row.short === true && !isShort(given);
      if (given === '' || long) throw expected(expects, given);
      return given;
    },
    show: (value) => value,
  });
}

/** A regular expression. */
export function pattern(row: Common & { readonly initial: string }): Setting<string> {
  const expects = 'text that is not empty';
  return setting(row, '<pattern>', expects, {
    read: (given) => {
      if (given === '') throw expected(expects, given);
      try {
        compilePattern(given);
      } catch (error) {
        throw new MalformedValue(error instanceof Error ? error.message : String(error));
      }
      return given;
    },
    show: (value) => value,
  });
}

/** `true` or `false`; its flag is a switch. */
export function boolean(row: Common & { readonly initial: boolean }): Setting<boolean> {
  const expects = 'true or false';
  return setting(row, '', expects, {
    read: (given) => {
      if (given === 'true' || given === '1') return true;
      if (given === 'false' || given === '0') return false;
      throw expected(expects, given);
    },
    show: String,
  });
}

/** One of a few words; `words` maps what may be written to what it means. */
export function choice<T extends string>(
  row: Common & {
    readonly initial: T;
    readonly words: Readonly<Record<string, T>>;
    readonly argument?: string;
  },
): Setting<T> {
  const words = new Map(Object.entries(row.words));
  const expects = `one of ${[...words.keys()].join(', ')}`;
  return setting(row, row.argument ?? '<level>', expects, {
    read: (given) => {
      const meant = words.get(given);
      if (meant === undefined) throw expected(expects, given);
      return meant;
    },
    show: (value) => value,
  });
}

/** Text that may be left out; `none` stands for that. */
export function optionalText(row: Common & { readonly argument: string }): Setting<string | null> {
  const expects = 'text, or none';
  return setting({ ...row, initial: null as string | null }, row.argument, expects, {
    read: (given) => {
      if (given === '') throw expected(expects, given);
      return given === 'none' ? null : given;
    },
    show: (value) => value ?? 'none',
  });
}

/** A set of names: `none`, a list with commas, or `key.<name> = true|false` to add or remove one. */
export function names(
  row: Common & {
    readonly initial: readonly string[];
    /** They are names that have to fit into a short string. */
    readonly short?: true;
  },
): Setting<readonly string[]> {
  const checked = (name: string): string => {
    if (row.short !== true || isShort(name)) return name;
    throw new MalformedValue(`'${name}' is longer than ${SHORT_BYTES_MAX} bytes`);
  };
  const expects = 'none, or names with commas between them';
  const whole = setting(row, '<names>', expects, {
    read: (given) => {
      if (given === 'none') return [];
      const list = given.split(',').map((name) => checked(name.trim()));
      if (list.includes('')) throw expected(expects, given);
      return [...new Set(list)];
    },
    show: (value) => (value.length === 0 ? 'none' : value.join(', ')),
  });
  return {
    ...whole,
    readMember: (member, given, before) => {
      if (given !== 'true' && given !== 'false') throw expected('true or false', given);
      const others = before.filter((name) => name !== member);
      return given === 'true' ? [...others, checked(member)] : others;
    },
  };
}

/** A row of the kind that `kind` reads and shows. */
export function setting<T>(
  row: Common & { readonly initial: T },
  argument: string,
  expects: string,
  kind: Pick<Setting<T>, 'read' | 'show'>,
): Setting<T> {
  const whole = { argument, about: row.about, read: kind.read };
  const ours = `LEVERET_${row.key.replaceAll('.', '_').toUpperCase()}`;
  const variables = row.foreignVariable === undefined ? [ours] : [row.foreignVariable, ours];
  return {
    key: row.key,
    about: row.about,
    initial: row.initial,
    expects,
    example: row.example ?? `${row.key} = ${kind.show(row.initial)}`,
    variables: variables.map((name) => ({ ...whole, name })),
    flags: row.flag === undefined ? [] : [{ ...whole, name: row.flag }],
    read: kind.read,
    show: kind.show,
  };
}

/** How many bytes a unit stands for, by its first letter in small letters. */
const POWER_PER_UNIT = new Map([
  ['', 0],
  ['k', 1],
  ['m', 2],
  ['g', 3],
  ['t', 4],
]);

/** As RabbitMQ reads sizes: `MB` counts in thousands, `MiB`, `Mi` and `M` in 1024s, in any case. */
function readBytes(given: string): number | null {
  const parts = /^(-?\d+)\s*(?:([kmgt])(b|ib?)?)?$/i.exec(given);
  if (parts === null) return null;
  const power = POWER_PER_UNIT.get((parts[2] ?? '').toLowerCase()) ?? 0;
  return Number(parts[1]) * ((parts[3] ?? '').toLowerCase() === 'b' ? 1000 : 1024) ** power;
}

function readInteger(given: string): number | null {
  return /^-?\d+$/.test(given) ? Number(given) : null;
}

/** A port of a listener. */
export function readPort(given: string, expects: string): number {
  const port = readInteger(given);
  if (port === null || port < 0 || port > 65535) throw expected(expects, given);
  return port;
}

/** Whether this could be the host of a listener: an IP address, or the letters of a host name. */
export function isHost(given: string): boolean {
  return (
    given === EVERYWHERE ||
    isIP(given) !== 0 ||
    /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?$/.test(given)
  );
}

/** What to throw for text that is no good. */
export function expected(expects: string, given: string): MalformedValue {
  return new MalformedValue(
    `expected ${expects}, but got ${given === '' ? 'nothing' : `'${given}'`}`,
  );
}

/** Passwords, tokens, and keys that stand in the file itself. */
const SECRET =
  /(?<!by)pass(?!word_hashing)|secret|cookie|token|private_?key|(^|[._])ssl(_opt(ion)?s)?\.key(\.|$)/i;
/** The value of such a name is a path, which operators have to see. */
const PATH = /[._]?file$/i;

/** Whether the value of a key or a variable is not to be shown: the path of a file with a secret in it is none. */
export function isSecret(name: string): boolean {
  return SECRET.test(name) && !PATH.test(name);
}

/** A setting as a config file would have it, a secret left out; one that is not set is shown as that. */
export function shownSetting(row: Setting<unknown>, value: unknown): string {
  return isSecret(row.key) && value !== null ? '***' : row.show(value);
}
