// Owns the tests of starts and verbs on a machine that has no room, no rights and no open files to give: one
// line, an exit code, and nothing left behind.

import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fill, freeOn, useSmallDisks } from './small-disk.ts';
import { ROOT, useProcesses } from './support.ts';

const processes = useProcesses();
const disks = useSmallDisks();
const MIB = 2 ** 20;
const NO_MOUNT = 'this user may not mount a small disk';
const BIN = join(ROOT, 'bin', 'leveret');

interface Said {
  readonly code: number | null;
  readonly text: string;
}

function leveret(...args: string[]): Said {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], {
    encoding: 'utf8',
  });
  return { code: status, text: stdout + stderr };
}

/** The data folder of a stopped broker. */
async function stopped(dataDir: string): Promise<string> {
  const broker = await processes.start(dataDir);
  expect((await broker.end('SIGTERM')).code).toBe(0);
  return dataDir;
}

const names = (folder: string): string[] =>
  (readdirSync(folder, { recursive: true }) as string[])
    .filter((name) => !/^lock\//.test(name))
    .sort();

/** Makes a row of the first user one that cannot be trusted. */
function spoil(dataDir: string): void {
  const file = join(dataDir, 'store', 'data.mdb');
  const data = readFileSync(file);
  for (let at = data.indexOf('administrator'); at >= 0; at = data.indexOf('administrator', at)) {
    data.write('x', at);
  }
  writeFileSync(file, data);
}

test('a first start on a disk without room says so, leaves no store, and works once there is room', async (context) => {
  const disk = processes.folder();
  if (!disks.mount(disk, 40 * MIB)) return context.skip(NO_MOUNT);
  const filler = join(disk, 'filler');
  writeFileSync(filler, Buffer.alloc(20 * MIB));
  const data = join(disk, 'data');
  const said = leveret('start', '--port', '0', '--data-dir', data);
  expect(said.code).toBe(1);
  expect(said.text).toMatch(
    /^leveret: cannot open the store in [^\n]*ENOSPC[^\n]*make room[^\n]*\n$/,
  );
  expect(names(data)).toEqual(['lock', 'store']);
  rmSync(filler);
  await processes.start(data);
});

test('a used folder on a full disk starts, and verbs that need room say so and leave nothing', async (context) => {
  const disk = processes.folder();
  if (!disks.mount(disk, 48 * MIB)) return context.skip(NO_MOUNT);
  const data = await stopped(join(disk, 'data'));
  const copy = processes.folder();
  cpSync(data, copy, { recursive: true, filter: (from) => !from.includes('lock') });
  fill(disk);
  const before = names(data);
  expect((await (await processes.start(data)).end('SIGTERM')).code).toBe(0);
  expect(leveret('check', '--data-dir', data)).toMatchObject({ code: 0 });
  const restored = leveret('restore', copy, '--data-dir', data, '--force');
  expect(restored.text).toMatch(/^leveret: [^\n]*nothing is changed: make room on that disk\n$/);
  expect(restored.code).toBe(1);
  spoil(data);
  expect(leveret('check', '--data-dir', data)).toMatchObject({ code: 1 });
  const repaired = leveret('check', '--repair', '--data-dir', data);
  expect(repaired.text).toMatch(/^[^\n]*nothing is changed: make room on that disk\n$/);
  expect(repaired.code).toBe(2);
  expect(names(data)).toEqual(before);
});

test('a used folder without a log starts on a full disk, and gets its log once there is room', async (context) => {
  const disk = processes.folder();
  if (!disks.mount(disk, 48 * MIB)) return context.skip(NO_MOUNT);
  const data = await stopped(join(disk, 'data'));
  const log = join(data, 'store', 'batches.log');
  const said = (entries: readonly Record<string, unknown>[]): unknown[] =>
    entries.filter(({ msg }) => /no room .* batches\.log/.test(String(msg)));
  rmSync(log);
  writeFileSync(join(disk, 'filler'), Buffer.alloc(freeOn(disk) - 4 * MIB));
  const broker = await processes.start(data);
  expect(said(broker.entries)).toEqual([expect.objectContaining({ level: 'warn' })]);
  // What was begun of it takes no room.
  expect(statSync(log).size).toBe(0);
  const channel = await processes.channel(broker);
  await channel.assertQueue('q');
  await broker.end('SIGKILL');
  rmSync(join(disk, 'filler'));
  const second = await processes.start(data);
  expect(said(second.entries)).toEqual([]);
  expect(statSync(log).size).toBe(16 * MIB);
  await (await processes.channel(second)).checkQueue('q');
});

test('a disk that can only be read is no damage to check, and is named by a start', async (context) => {
  const disk = processes.folder();
  if (!disks.mount(disk, 48 * MIB)) return context.skip(NO_MOUNT);
  const data = await stopped(join(disk, 'data'));
  spawnSync('mount', ['-o', 'remount,ro', disk]);
  for (const [verb, code] of [
    ['start', 1],
    ['check', 2],
    ['compact', 1],
    ['list_users', 1],
  ] as const) {
    const said = leveret(verb, '--data-dir', data);
    expect(said.text, verb).toMatch(/^[^\n]*read-only file system[^\n]*\n$/);
    expect(said.code, verb).toBe(code);
  }
});

test('with hardly any open files starts and verbs end in one line that names the limit', async () => {
  const data = await stopped(processes.folder());
  let named = 0;
  for (const limit of [20, 23, 26, 30]) {
    for (const verb of ['check', 'compact', 'list_users', 'start --config /etc/hostname']) {
      const command = `ulimit -n ${limit}; exec "$0" "${BIN}" ${verb} --data-dir "${data}"`;
      const { status, stdout, stderr } = spawnSync('sh', ['-c', command, process.execPath], {
        encoding: 'utf8',
      });
      const text = stdout + stderr;
      // Below some number Node itself ends, with a place in its own code, before any of ours runs.
      if (status === 0 || !text.includes('EMFILE') || /^node:/m.test(text)) continue;
      named += 1;
      expect(text, `${verb} with ${limit}`).toMatch(/^[^\n]*EMFILE[^\n]*ulimit -n[^\n]*\n$/);
    }
  }
  // How many a runtime needs for itself differs; some of these are not enough.
  expect(named).toBeGreaterThan(0);
  expect(leveret('check', '--data-dir', data)).toMatchObject({ code: 0 });
});
