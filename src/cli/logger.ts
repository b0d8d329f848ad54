// Owns how the command line's broker writes its log: JSON lines, or lines for people. Never decides what is
// logged.

import { isatty } from 'node:tty';
import type { DestinationStream, Logger } from 'pino';
import type { Settings } from '../config/settings.ts';
import { printable } from '../util/log/printable.ts';
import { safeLogger } from '../util/log/safe-logger.ts';
import { descriptorOf } from './log/descriptor.ts';
import { LineSink } from './log/line-sink.ts';

export const STDOUT = 1;
export const STDERR = 2;

type LogSettings = Pick<Settings, 'logConsole' | 'logLevel' | 'logFormatter'>;

/** What a log is written to; tests give their own. */
export interface Output {
  readonly terminal: boolean;
  /** Whether colours are wanted there. */
  readonly colours: boolean;
  /** An open file of this process, or something else. */
  readonly target: number | DestinationStream;
}

/** Standard output or standard error. */
export function outputTo(
  file: typeof STDOUT | typeof STDERR,
  env: Readonly<Record<string, string | undefined>>,
): Output {
  const terminal = isatty(file);
  const plain = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  return { terminal, colours: terminal && !plain, target: file };
}

/** A logger that never throws, and never waits for what reads its lines. */
export async function makeLogger(
  { logConsole, logLevel, logFormatter }: LogSettings,
  output: Output,
): Promise<Logger> {
  const { pino, stdTimeFunctions } = await import('pino');
  const { target } = output;
  const stream = typeof target === 'number' ? new LineSink(descriptorOf(target)) : target;
  const pretty = logFormatter === 'auto' ? output.terminal : logFormatter === 'pretty';
  const written = pino(
    {
      level: logConsole ? logLevel : 'silent',
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pretty
      ? await forPeople(stream, output.colours)
      : { write: (line) => stream.write(printable(line)) },
  );
  // A line is spelt out as a whole, so that a program that reads it gets names as they are.
  const logger = safeLogger(written, (text) => text);
  if (stream instanceof LineSink) {
    stream.onDropped = (dropped, code) => {
      logger.warn({ dropped, ...(code === '' ? {} : { code }) }, 'lines of the log were dropped');
    };
  }
  return logger;
}

/** For a log that a person reads; only here is pino-pretty loaded. */
async function forPeople(stream: DestinationStream, colours: boolean): Promise<DestinationStream> {
  const { prettyFactory } = await import('pino-pretty');
  const prettify = prettyFactory({
    colorize: colours,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname',
    messageFormat: (entry, key) => String(entry[key] ?? '').replaceAll('\n', '\\n'),
  });
  return {
    write: (line) => {
      let text = line;
      try {
        text = prettify(harmless(line));
      } catch {
        // Better as a program would read it than not at all.
      }
      stream.write(text);
    },
  };
}

/**
 * Escapes in a line of JSON. An escaped backslash is taken as a whole, so that what follows it is not
 * mistaken for an escape.
 */
const ESCAPES = /\\(\\|[rbft]|u[0-9a-f]{4})/g;

/** The line with control characters spelt out: names that clients chose never act on a terminal. */
function harmless(line: string): string {
  return printable(line.replace(/\n$/, '')).replace(ESCAPES, (found) =>
    found === '\\\\' ? found : `\\${found}`,
  );
}
