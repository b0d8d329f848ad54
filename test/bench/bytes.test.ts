// Owns the proof that the way of a message allocates no more than before: figures that depend on the code, not on
// how fast or how busy the machine is.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { NODE_FLAGS } from './kit.ts';

const ROOT = join(import.meta.dirname, '../..');
const OUT = join(import.meta.dirname, 'dist');

test('publishing, delivering and settling allocate no more for each message than the baseline', () => {
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const built = spawnSync(
    process.execPath,
    [tsc, '-p', join(import.meta.dirname, 'tsconfig.json')],
    {
      encoding: 'utf8',
    },
  );
  expect(built.stdout).toBe('');
  const run = join(OUT, 'test/bench/run.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [...NODE_FLAGS, run, '--bytes'], {
    encoding: 'utf8',
  });
  expect(stdout + stderr).toMatch(/: ok$/m);
  expect({ status, said: stdout + stderr }).toMatchObject({ status: 0 });
});
