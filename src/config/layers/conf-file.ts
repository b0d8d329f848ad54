// Owns the format of a config file: `key = value` lines as in rabbitmq.conf. Never knows which keys
// exist nor what their values mean.

import { isUtf8 } from 'node:buffer';
import { ConfigError } from '../config-error.ts';

/** One `key = value` line. */
export interface ConfLine {
  readonly file: string;
  readonly line: number;
  readonly key: string;
  readonly value: string;
}

/** How files of Erlang terms begin: with a list, or a comment. */
const CLASSIC = /^[[%]/;

/**
 * The settings of a file, in order. A `#` starts a comment, in a value too unless it stands between
 * single quotes; a dot that is part of a name is written `\.`. A line that is none is told to `onFault`, and
 * left out; throws a ConfigError for a file of another kind.
 */
export function parseConf(
  file: string,
  content: string | Buffer,
  onFault: (fault: ConfigError, line: number) => void = (fault) => {
    throw fault;
  },
): ConfLine[] {
  const settings: ConfLine[] = [];
  // What is no UTF-8 becomes U+FFFD, which does no harm in a comment.
  const odd = typeof content !== 'string' && !isUtf8(content);
  const text = content.toString().replace(/^\uFEFF/, '');
  if (odd && text.startsWith('\uFFFD')) throw notUtf8(`${file}:1`);
  const lines = text.split(/\r?\n/);
  for (const [index, raw] of lines.entries()) {
    const trimmed = raw.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    if (settings.length === 0 && CLASSIC.test(trimmed)) {
      throw new ConfigError(
        `${file}:${index + 1}`,
        'this is the classic format of RabbitMQ (Erlang terms), which is not read',
        `'leveret config check ${file}' prints its settings as lines for a config file`,
      );
    }
    try {
      const setting = parseLine(file, index + 1, trimmed);
      checkSigns(setting, odd);
      settings.push(setting);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      onFault(error, index + 1);
    }
  }
  return settings;
}

/** Refuses what no operator can have meant: a password with half of a letter in it, a path with a NUL. */
function checkSigns({ file, line, key, value }: ConfLine, odd: boolean): void {
  const place = `${file}:${line}: ${key}`;
  if (odd && `${key}${value}`.includes('\uFFFD')) throw notUtf8(place);
  const sign = /\p{Cc}/u.exec(`${key}${value.replaceAll('\t', '')}`)?.[0];
  if (sign === undefined) return;
  const name = `U+${sign.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
  throw new ConfigError(place, `there is a control character (${name})`, 'remove it');
}

function notUtf8(place: string): ConfigError {
  return new ConfigError(place, 'this is not UTF-8', 'save the file in that encoding');
}

function parseLine(file: string, line: number, trimmed: string): ConfLine {
  const place = `${file}:${line}`;
  const equals = trimmed.indexOf('=');
  // The value is left out of these messages: it may be a password.
  const key = (equals === -1 ? (trimmed.split(/[\s:#]/, 1)[0] ?? '') : trimmed.slice(0, equals))
    .trim()
    .replaceAll('\\.', '.');
  if (equals === -1 && key === 'include') {
    const wayOut = 'name all files with --config, or put them into conf.d beside rabbitmq.conf';
    throw new ConfigError(`${place}: include`, 'other files are not included', wayOut);
  }
  if (equals === -1) {
    throw new ConfigError(`${place}: ${key}`, `there is no '='`, `write '${key} = value'`);
  }
  if (!/^[^\s#']+$/.test(key)) {
    throw new ConfigError(place, `there is no key before '='`, `write 'key = value'`);
  }
  return {
    file,
    line,
    key,
    value: parseValue(`${place}: ${key}`, trimmed.slice(equals + 1).trim()),
  };
}

function parseValue(place: string, rest: string): string {
  if (rest.startsWith("'")) {
    const quoted = /^'([^']*)'\s*(#.*)?$/.exec(rest);
    if (quoted !== null) return quoted[1] ?? '';
    if (!rest.includes("'", 1)) {
      throw new ConfigError(place, `the closing ' is missing`, `end the value with '`);
    }
    throw new ConfigError(
      place,
      `there is more text after the closing '`,
      `remove it, or start a comment with #`,
    );
  }
  const value = rest.replace(/\s*#.*$/, '');
  if (value === '') {
    throw new ConfigError(place, `there is no value after '='`, `write one, or remove the line`);
  }
  return value;
}
