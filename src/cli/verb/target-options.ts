// Owns which broker the options of a verb name. Never talks to it.

import { isIP } from 'node:net';
import { InvalidArgumentError, Option } from 'commander';
import { UsageError } from '../exit-codes.ts';
import { type Target, targetOf } from './http-api.ts';
import type { Options } from './verb.ts';

/** The options of all verbs that may go to a running broker. */
export function targetOptions(): Option[] {
  return [
    new Option(
      '--url <url>',
      'The HTTP API of the running broker: http://user:password@host:15672, or LEVERET_URL.',
    ),
    new Option('--host <host>', 'The host of that URL.'),
    new Option('--port <port>', 'The port of that URL.').argParser(parsePort),
  ];
}

/** Whether the options name a running broker. */
export function namesTarget(options: Options): boolean {
  return ['url', 'host', 'port'].some((name) => options[name] !== undefined);
}

/**
 * The broker that the options name, or that of the environment, or that of this machine. Throws a UsageError for options
 * that name none.
 */
export function targetFor(options: Options): Target {
  const { url, host, port } = options as Readonly<Record<string, string | undefined>>;
  const given = targetOf(url);
  if (host === undefined && port === undefined) return given;
  if (url !== undefined) throw new UsageError('--url names host and port: omit --host and --port');
  let base: URL;
  try {
    base = new URL(given.url.includes('://') ? given.url : `http://${given.url}`);
  } catch {
    return given;
  }
  if (host !== undefined) base.hostname = hostnameOf(host);
  if (port !== undefined) base.port = port;
  return { url: base.href };
}

/**
 * A host as a URL has it. Throws a UsageError for what is more than a host, or none: a URL drops that without a word,
 * or keeps the host that it had, and another broker would be asked.
 */
function hostnameOf(host: string): string {
  const bare = /^\[(.*)\]$/.exec(host)?.[1] ?? host;
  const isWord = bare === host && /^[^\s:/\\?#@[\]]+$/.test(host);
  if (isWord || isIP(bare) === 6) {
    try {
      return new URL(`http://${isWord ? host : `[${bare}]`}`).hostname;
    } catch {
      // Said below.
    }
  }
  throw new UsageError(
    '--host takes a host alone, as a name or an address; the port goes in --port',
  );
}

function parsePort(text: string): string {
  if (/^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535) return text;
  throw new InvalidArgumentError('It must be a port from 1 to 65535.');
}
