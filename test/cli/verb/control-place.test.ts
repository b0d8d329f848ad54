// Which control sockets tools look for, and which they use: those of no stranger.

import { once } from 'node:events';
import { chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import { answers, findControl } from '../../../src/cli/verb/control.ts';
import { HttpApi, targetAt } from '../../../src/cli/verb/http-api.ts';

const root = mkdtempSync(join(tmpdir(), 'leveret-control-'));
const here = process.cwd();
const servers: Server[] = [];

beforeEach(() => {
  for (const name of ['URL', 'DATA_DIR', 'CONFIG']) vi.stubEnv(`LEVERET_${name}`, '');
});
afterEach(() => process.chdir(here));
afterAll(() => {
  vi.unstubAllEnvs();
  for (const server of servers) server.close();
  rmSync(root, { recursive: true });
});

/** A data folder in which some program listens as a broker does. */
async function listenIn(name: string): Promise<{ path: string; server: Server }> {
  const path = join(root, name);
  mkdirSync(join(path, 'control'), { recursive: true, mode: 0o700 });
  const server = createServer().listen(join(path, 'control', 'socket'));
  servers.push(server);
  await once(server, 'listening');
  return { path, server };
}

/** Runs as another user, as far as a tool can tell. */
async function asUser<T>(id: number, run: () => Promise<T>): Promise<T> {
  const uid = vi.spyOn(process, 'getuid').mockReturnValue(id);
  try {
    return await run();
  } finally {
    uid.mockRestore();
  }
}

test('a call over the socket that cannot be written leaves no connection open', async () => {
  const { path, server } = await listenIn('odd');
  const accepted = once(server, 'connection') as Promise<Socket[]>;
  const call = new HttpApi(targetAt(path)).call('GET', '/whoami', undefined, { 'x-odd': '–' });
  await expect(call).rejects.toThrow('ERR_INVALID_CHAR');
  const [socket] = await accepted;
  socket?.resume();
  await once(socket as Socket, 'close');
});

test('a socket below the folder that a tool was called in must be its own user’s', async () => {
  await listenIn('data');
  process.chdir(root);
  expect(await asUser(12_345, () => answers('data'))).toBe(false);
  expect(await answers('data')).toBe(true);
});

test.skipIf(process.getuid?.() !== 0)(
  'a socket, its folder and the data folder must belong to the user of the tool, or to root',
  async () => {
    const { path } = await listenIn('owned');
    const parts = [path, join(path, 'control'), join(path, 'control', 'socket')];
    const own = (...ids: number[]): void => {
      for (const [at, part] of parts.entries()) chownSync(part, ids[at] as number, 0);
    };
    const answersTo = (user: number): Promise<boolean> => asUser(user, () => answers(path));
    for (const owners of [
      [7, 7, 7],
      [0, 7, 7],
      [0, 0, 0],
    ]) {
      own(...owners);
      expect({ owners, is: await answersTo(7) }).toEqual({ owners, is: true });
    }
    for (const owners of [
      [8, 7, 7],
      [7, 8, 7],
      [7, 7, 8],
      [8, 8, 8],
    ]) {
      own(...owners);
      expect({ owners, is: await answersTo(7) }).toEqual({ owners, is: false });
    }
    // Root asks the brokers of all users.
    own(7, 7, 7);
    expect(await answersTo(0)).toBe(true);
    own(7, 7, 8);
    expect(await answersTo(0)).toBe(false);
  },
);

test('a link is not followed to a control socket, and to a data folder where its owner is trusted', async () => {
  const { path } = await listenIn('real');
  const linked = join(root, 'linked');
  symlinkSync(path, linked);
  expect(await answers(linked)).toBe(true);
  const inner = join(root, 'inner');
  mkdirSync(inner);
  symlinkSync(join(path, 'control'), join(inner, 'control'));
  expect(await answers(inner)).toBe(false);
  rmSync(join(inner, 'control'));
  mkdirSync(join(inner, 'control'));
  symlinkSync(join(path, 'control', 'socket'), join(inner, 'control', 'socket'));
  expect(await answers(inner)).toBe(false);
});

test('where a config file names the data folder, no other is asked', async () => {
  await listenIn('data-of-here/data');
  const { path: other } = await listenIn('other');
  const file = join(root, 'leveret.conf');
  writeFileSync(file, `data_dir = ${join(root, 'none')}\n`);
  process.chdir(join(root, 'data-of-here'));
  expect(await findControl()).toBe('./data');
  vi.stubEnv('LEVERET_CONFIG', file);
  expect(await findControl()).toBeNull();
  // Other settings may be wrong.
  writeFileSync(file, `data_dir = ${other}\nheartbeat = often\n`);
  expect(await findControl()).toBe(other);
});
