// Owns the format of a config file: `key = value` lines as in rabbitmq.conf. Never knows which keys
// exist nor what their values mean.

import { ConfigError } from './config-error.ts';

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
 * single quotes; a dot that is part of a name is written `\.`.
 */
export function parseConf(file: string, content: string): ConfLine[] {
  const settings: ConfLine[] = [];
  const lines = content.replace(/^\uFEFF/, '').split(/\r?\n/);
  for (const [index, raw] of lines.entries()) {
    const trimmed = raw.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    if (settings.length === 0 && CLASSIC.test(trimmed)) {
      throw new ConfigError(
        `${file}:${index + 1}`,
        'this is the classic format of RabbitMQ (Erlang terms), which is not read',
        `write lines 'key = value', as in rabbitmq.conf`,
      );
    }
    settings.push(parseLine(file, index + 1, trimmed));
  }
  return settings;
}

function parseLine(file: string, line: number, trimmed: string): ConfLine {
  const place = `${file}:${line}`;
  const equals = trimmed.indexOf('=');
  // The value is left out of these messages: it may be a password.
  const key = (equals === -1 ? (trimmed.split(/[\s:#]/, 1)[0] ?? '') : trimmed.slice(0, equals))
    .trim()
    .replaceAll('\\.', '.');
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
