// Owns how a tool finds the control socket of a broker on its own machine, and asks over it. Never knows what is asked.

import { lstatSync, statSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { isAbsolute, join } from 'node:path';
import { Readable } from 'node:stream';
import { thisMachine } from '../../config/layers/machine.ts';
import { readConfig } from '../../config/load.ts';
import { CONTROL_FOLDER, CONTROL_SOCKET, withShortPath } from '../../util/system/socket-path.ts';

/** Where packages put the data of a broker. */
const WELL_KNOWN = ['/var/lib/leveret', '/run/leveret'];

/** A call of the HTTP API. */
export interface CallOptions {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

/**
 * The data folder whose broker answers at its control socket: the one that the environment or the usual config files
 * name; where they name none, `data` or the one at the usual places. Null: there is none, or this user may not use it.
 */
export async function findControl(): Promise<string | null> {
  const named = process.env['LEVERET_DATA_DIR'] ?? '';
  const folders = named === '' ? await usualFolders() : [named];
  for (const folder of folders) if (await answers(folder)) return folder;
  return null;
}

/** Whether a broker answers at the control socket of a data folder. */
export async function answers(folder: string): Promise<boolean> {
  if (!isTrusted(folder)) return false;
  try {
    (await open(folder)).destroy();
    return true;
  } catch {
    return false;
  }
}

/** Calls the API over the control socket. Rejects with the system's error. */
export async function fetchOverControl(
  folder: string,
  path: string,
  { method, headers, body, signal }: CallOptions,
): Promise<Response> {
  const socket = await open(folder);
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const asked = request(
      {
        createConnection: () => socket,
        method,
        path,
        headers: { host: 'localhost', connection: 'close', ...headers },
        ...(signal === undefined ? {} : { signal }),
      },
      resolve,
    );
    asked.once('error', reject);
    asked.end(body);
  }).catch((error: unknown) => {
    // A call that cannot be written leaves the connection open, and with it the process.
    socket.destroy();
    throw error;
  });
  const status = answer.statusCode ?? 0;
  const stream = status === 204 ? null : (Readable.toWeb(answer) as ReadableStream<Uint8Array>);
  if (stream === null) answer.resume();
  return new Response(stream, { status });
}

/** The data folder of a broker that is started without a word about it, and where nothing names one, the usual others. */
async function usualFolders(): Promise<readonly string[]> {
  const { env } = process;
  try {
    const sources = { configGlobs: [], env, flags: {}, machine: thisMachine(env) };
    // What else is wrong with the settings of the broker is no matter of its tools.
    const { settings, origins } = await readConfig(sources);
    return origins.has('dataDir') ? [settings.dataDir] : [settings.dataDir, ...WELL_KNOWN];
  } catch {
    return WELL_KNOWN;
  }
}

/**
 * Whether this user may be sure that it is the broker that listens there: in a folder of another user, a program of that
 * user could. Root's own folders are fit for all, and root may use any broker's; but below a relative path, which the
 * folder that this tool was called in may have given, all must be this user's own.
 */
function isTrusted(folder: string): boolean {
  const user = process.getuid?.();
  if (user === undefined) return false;
  try {
    const place = lstatSync(folder);
    const data = statSync(folder);
    const within = lstatSync(join(folder, CONTROL_FOLDER));
    const socket = lstatSync(join(folder, CONTROL_FOLDER, CONTROL_SOCKET));
    if (!within.isDirectory() || !socket.isSocket()) return false;
    const owners = isAbsolute(folder) ? [user, 0] : [user];
    if (isAbsolute(folder) && user === 0) owners.push(data.uid);
    return [place, data, within, socket].every(({ uid }) => owners.includes(uid));
  } catch {
    return false;
  }
}

function open(folder: string): Promise<Socket> {
  return withShortPath(join(folder, CONTROL_FOLDER), CONTROL_SOCKET, (path) => {
    return new Promise<Socket>((resolve, reject) => {
      const socket = connect(path);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(socket);
      });
    });
  });
}
