// Owns the tests of verbs whose answer cannot be printed or kept, and of arguments that are not UTF-8.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fill, useSmallDisks } from './small-disk.ts';
import { ROOT, useProcesses } from './support.ts';

const processes = useProcesses();
const disks = useSmallDisks();
const BIN = join(ROOT, 'bin', 'leveret');

/** Runs a line of a shell, in which $L is the command; the exit code is that of the verb. */
function shell(line: string) {
  const command = `L='${process.execPath} ${BIN}'; ${line}`;
  return spawnSync('bash', ['-o', 'pipefail', '-c', command], { encoding: 'utf8' });
}

test('a verb whose reader has gone ends without a word, and on a full disk with a line', () => {
  const gone = shell('$L completion bash | (exec <&-; sleep 5)');
  expect(gone).toMatchObject({ status: 141, stderr: '' });
  const full = shell('$L completion bash >/dev/full');
  expect(full.status).toBe(1);
  expect(full.stderr).toMatch(/^leveret: the answer cannot be printed \(ENOSPC[^\n]+\n$/);
  expect(shell('$L completion bash >&- 2>&-').status).toBe(0);
});

test('an export to a full disk leaves the file that was there, and nothing else', async (context) => {
  const dataDir = processes.folder();
  expect((await (await processes.start(dataDir)).end('SIGTERM')).code).toBe(0);
  const disk = processes.folder();
  if (!disks.mount(disk, 2 ** 20)) return context.skip('this user may not mount a small disk');
  const file = join(disk, 'all.json');
  const verb = `$L export_definitions ${file} --data-dir ${dataDir}`;
  expect(shell(verb)).toMatchObject({ status: 0, stderr: '' });
  const before = readFileSync(file, 'utf8');
  expect(JSON.parse(before)).toHaveProperty('users');
  const filler = fill(disk);
  const refused = shell(verb);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toMatch(
    /^leveret: [^\n]*cannot be written \(ENOSPC[^\n]*make room[^\n]*\n$/,
  );
  expect(readFileSync(file, 'utf8')).toBe(before);
  expect(readdirSync(disk).sort()).toEqual(['all.json', 'filler']);
  writeFileSync(filler, '');
  expect(
    shell(`${verb} >&2 && $L export_definitions /dev/stdout --data-dir ${dataDir} | cat`).stdout,
  ).toBe(before);
});

test('an argument that is not UTF-8 is refused, and never taken for another password', () => {
  const odd = shell("$L hash_password $'caf\\xe9'");
  expect(odd.status).toBe(64);
  expect(odd.stderr).toBe('leveret: argument 2 is not UTF-8: write it in that encoding\n');
});

test('perf refuses numbers that no machine has, before it connects', () => {
  for (const option of ['--producers', '--consumers', '--queues', '--size', '--qos', '--rate']) {
    const said = shell(`$L perf --uri amqp://127.0.0.1:1 ${option} 99999999999999999999`);
    expect(said.status, option).toBe(64);
    expect(said.stderr, option).toMatch(/^leveret: [^\n]+\n$/);
  }
  expect(shell('$L perf --uri amqp://127.0.0.1:1 --producers 999999999').status).toBe(64);
});
