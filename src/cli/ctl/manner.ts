// Owns the flags that RabbitMQ's tools take with any verb, before it and behind it. Never runs a verb.

import { EXIT_USAGE } from '../exit-codes.ts';
import { CtlError } from './ctl-verb.ts';
import { FORMATTERS } from './show/formats.ts';

/** What was asked for beside the verb. */
export interface Manner {
  quiet: boolean;
  silent: boolean;
  headers: boolean;
  format: string;
  /** Null: not given. */
  timeoutMs: number | null;
}

const WITH_VALUE = [
  '-n',
  '--node',
  '-t',
  '--timeout',
  '--formatter',
  '--erlang-cookie',
  '--script-name',
  '--printer',
];
const SWITCHES = [
  '-q',
  '--quiet',
  '-s',
  '--silent',
  '-l',
  '--longnames',
  '--no-table-headers',
  '--table-headers',
  '--print-stacktrace',
  '--dry-run',
];

/** Takes the flags that any verb may have out of a command line, and puts the verb first. Throws a CtlError. */
export function readManner(args: readonly string[]): { manner: Manner; rest: string[] } {
  const manner: Manner = {
    quiet: false,
    silent: false,
    headers: true,
    format: 'table',
    timeoutMs: null,
  };
  const verb: string[] = [];
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    const [flag = '', inline] = /^--[^=]+=/.test(arg) ? splitAt(arg, arg.indexOf('=')) : [arg];
    if (WITH_VALUE.includes(flag)) {
      const value = inline ?? args[++i];
      if (value === undefined) throw new CtlError(EXIT_USAGE, `${flag} needs a value after it`);
      note(manner, flag, value);
    } else if (SWITCHES.includes(arg)) {
      if (arg === '-q' || arg === '--quiet') manner.quiet = true;
      if (arg === '-s' || arg === '--silent') manner.silent = true;
      if (arg === '--no-table-headers') manner.headers = false;
    } else if (verb.length === 0 && (arg === '-p' || arg === '--vhost')) {
      rest.push('-p', args[++i] ?? '');
    } else if (verb.length === 0 && !arg.startsWith('-')) {
      verb.push(arg);
    } else {
      rest.push(arg);
    }
  }
  return { manner, rest: [...verb, ...rest] };
}

function note(manner: Manner, flag: string, value: string): void {
  if (flag === '--formatter') {
    if (!FORMATTERS.includes(value)) {
      const known = FORMATTERS.join(', ');
      throw new CtlError(EXIT_USAGE, `there is no formatter '${value}': choose from ${known}`);
    }
    manner.format = value;
  } else if (flag === '-t' || flag === '--timeout') {
    manner.timeoutMs = timeoutOf(value);
  }
}

/** The longest that a timer runs. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

/** Seconds, or `infinity`. */
function timeoutOf(text: string): number | null {
  if (text === 'infinity') return null;
  const seconds = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(seconds)) {
    throw new CtlError(EXIT_USAGE, `--timeout is a number of seconds, not '${text}'`);
  }
  return Math.min(seconds * 1000, TIMEOUT_MS_MAX);
}

const splitAt = (text: string, at: number): string[] => [text.slice(0, at), text.slice(at + 1)];
