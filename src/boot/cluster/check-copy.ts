// Owns checking a copy of the tables as `leveret check` does, in a process of its own: it takes the processor for seconds, and
// a leader has clients to serve meanwhile. Never mends anything.

import { spawn } from 'node:child_process';
import { link, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { StoreError } from '../../store/errors.ts';

const DATA = 'data.mdb';
/** What of its output an error repeats, characters. */
const SAID_CHARS_MAX = 400;

/**
 * Rejects with a StoreError that says what is wrong with the tables in a folder, which no process uses. `program`: what to run;
 * the one that this process runs unless given, since a copy is checked by the same version that will read it.
 */
export async function checkCopy(
  folder: string,
  program = process.argv[1] as string,
): Promise<void> {
  const place = join(folder, 'checked');
  const store = join(place, 'store');
  try {
    await rm(place, { recursive: true, force: true });
    await mkdir(store, { recursive: true, mode: 0o700 });
    await link(join(folder, DATA), join(store, DATA));
    const { code, said } = await runCheck(program, place);
    if (code === 0) return;
    throw new StoreError(`a copy of the tables is damaged: ${said}`, 'make another one', {
      damaged: true,
    });
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

function runCheck(
  program: string,
  dataDir: string,
): Promise<{ code: number | null; said: string }> {
  const args = [...process.execArgv, program, 'check', '--data-dir', dataDir];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      env: { PATH: process.env['PATH'], HOME: dataDir, LEVERET_CONFIG_ROOT: dataDir },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    const hear = (chunk: Buffer): void => {
      said = `${said}${chunk.toString('utf8')}`.slice(-SAID_CHARS_MAX);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, said: said.trim().replaceAll('\n', '; ') }));
  });
}
