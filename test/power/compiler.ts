// Whether the recorder can be built here, and the library that it becomes.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Compiles the recorder; null where that cannot be done, which is said aloud. */
export function buildRecorder(): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'leveret-recorder-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const library = join(folder, 'recorder.so');
  const source = fileURLToPath(new URL('recorder.c', import.meta.url));
  const args = ['-O2', '-shared', '-fPIC', '-pthread', '-o', library, source, '-ldl'];
  const { status, error, stderr } = spawnSync('cc', args, { encoding: 'utf8' });
  if (status === 0) return library;
  if (process.platform === 'linux' && process.env['CI'] !== undefined) {
    throw new Error(`no power loss and no disk fault can be tried: ${error?.message ?? stderr}`);
  }
  console.warn('LEFT OUT: power loss and disk faults want a C compiler (cc) on Linux');
  return null;
}
