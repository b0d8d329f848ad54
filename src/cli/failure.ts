// Owns what a user reads when the broker cannot start: one line for what the user can mend, a stack
// for what only we can. Never decides the exit code.

import { ConfigErrors } from '../config/config-error.ts';
import type { Told } from '../config/layers/draft.ts';
import type { Listeners } from '../config/map-setting.ts';
import { showOrigin } from '../config/origin.ts';
import type { Settings } from '../config/settings.ts';
import { systemCode, wayOutOf } from '../util/system/system-error.ts';
import { UserError } from '../util/user-error.ts';

/**
 * What the failures that only the system sees mean for the user; `settings` names the way out, and `told` the place of
 * what was asked for.
 */
export function describeFailure(
  error: unknown,
  settings: Settings | null,
  told: readonly Told[] = [],
): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof ConfigErrors)
    return error.all.map((each) => oneLine(each.advice)).join('\n');
  if (error instanceof UserError) return oneLine(error.advice);
  const known = settings === null ? null : describeSystemError(error, settings, told);
  return known ?? textOfSystemError(error) ?? error.stack ?? error.message;
}

/** What the system refuses is no fault of ours, whatever it was that failed. */
function textOfSystemError(error: Error): string | null {
  if (systemCode(error) === '') return null;
  const wayOut = wayOutOf(error);
  return oneLine(wayOut === null ? error.message : `${error.message}: ${wayOut}`);
}

/** What Node adds to the errors of the network. */
interface NetworkError extends NodeJS.ErrnoException {
  readonly address?: string;
  readonly port?: number;
  readonly hostname?: string;
}

function describeSystemError(
  error: NetworkError,
  settings: Settings,
  told: readonly Told[],
): string | null {
  const host = error.address ?? error.hostname ?? '';
  const { port = 0 } = error;
  const setBy = whatSets(settings, port);
  // Node's errors of the network carry an address or a host name, those of the file system a path.
  if (error.syscall === 'listen' || error.syscall === 'bind') {
    switch (error.code) {
      case 'EADDRINUSE':
        return (
          `port ${port} on ${host} is taken by another program: ` +
          `stop that program, or choose another port with ${setBy('--port')}${originOf(port, told)}`
        );
      case 'EACCES':
        return (
          `this user may not listen on port ${port}: ` +
          `choose a port from 1024 on with ${setBy('--port')}, or give the process the right to take it`
        );
      case 'EADDRNOTAVAIL':
        return `this machine has no address ${host}: choose one that it has with ${setBy('--host')}`;
      default:
        return null;
    }
  }
  if (error.syscall === 'getaddrinfo') {
    return `the host name ${host} is not known here: choose another with ${setBy('--host')}`;
  }
  if (error.path === undefined) return null;
  switch (error.code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return (
        `the data folder ${settings.dataDir} cannot be written (${error.code} at ${error.path}): ` +
        `give this user the right to write there, or choose another folder with --data-dir`
      );
    case 'ENOSPC':
      return (
        `the disk of the data folder ${settings.dataDir} is full: ` +
        `free some space, or choose another folder with --data-dir`
      );
    case 'ENOTDIR':
    case 'EEXIST':
      return (
        `the data folder ${settings.dataDir} is not a folder: ` +
        `remove ${error.path}, or choose another folder with --data-dir`
      );
    default:
      return null;
  }
}

/** What has a port for tools, by the first words of its keys. */
const TOOLS = [
  ['managementPort', 'management.tcp'],
  ['managementSslPort', 'management.ssl'],
  ['prometheusPort', 'prometheus.tcp'],
] as const;

/** Settings that are a port, or have some. */
const WITH_PORTS: ReadonlySet<keyof Settings> = new Set<keyof Settings>([
  'tcpListeners',
  'sslListeners',
  ...TOOLS.map(([field]) => field),
  'prometheusSslPort',
]);

/** Where a port comes from, when no flag says it: the user may not know of that file or variable. */
function originOf(port: number, told: readonly Told[]): string {
  const by = told.findLast(
    ({ text, meaning }) =>
      meaning.is === 'setting' &&
      WITH_PORTS.has(meaning.field) &&
      (text === String(port) || text.endsWith(`:${port}`)),
  )?.origin;
  if (by?.from !== 'file' && by?.from !== 'environment') return '';
  return `; ${port} comes from ${showOrigin(by)}`;
}

/** What sets the address with this port: a flag for the default listener, else the key. */
function whatSets(settings: Settings, port: number): (flag: string) => string {
  const { tcpListeners, sslListeners } = settings;
  const nameIn = (all: Listeners): string | undefined =>
    [...all].find(([, address]) => address.port === port)?.[0];
  const tcp = nameIn(tcpListeners);
  const ssl = nameIn(sslListeners);
  if (tcp === undefined && ssl !== undefined) return () => `listeners.ssl.${ssl}`;
  const tool = TOOLS.find(([field]) => settings[field] === port)?.[1];
  if (tcp === undefined && tool !== undefined) {
    return (flag) => `${tool}.${flag === '--host' ? 'ip' : 'port'}`;
  }
  return (flag) => (tcp === undefined || tcp === 'default' ? flag : `listeners.tcp.${tcp}`);
}

/** What a file says may be quoted, and may be long. */
const LINE_CHARS_MAX = 1200;

function oneLine(text: string): string {
  const line = text.replaceAll(/\s*\n\s*/g, ' ');
  if (line.length <= LINE_CHARS_MAX) return line;
  // The place stands at its beginning, and the way out at its end.
  return `${line.slice(0, LINE_CHARS_MAX / 2)} ... ${line.slice(-LINE_CHARS_MAX / 2)}`;
}
