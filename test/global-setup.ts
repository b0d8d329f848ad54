// Owns the build that tests of the command line need: bin/leveret runs what lies in dist/. Never
// checks types: that is `npm run typecheck`.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './support/break-build.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** One file of what is run: the files of a bundle are written together. */
const BUNDLE = join(ROOT, 'dist/bundle/leveret.js');

/** Builds dist/ when any source is newer than what was built from it. */
export default function setup(): void {
  if (!isStale()) return;
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const built = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: ROOT });
  // A type error in one file stops no test of another: tsc has written them all the same.
  bundle(ROOT);
  if (isStale()) throw new Error(`the build wrote nothing:\n${built.stdout}${built.stderr}`);
}

function isStale(): boolean {
  const src = join(ROOT, 'src');
  const sources = readdirSync(src, { recursive: true, encoding: 'utf8' });
  return sources.some((source) => {
    if (!source.endsWith('.ts') || source.endsWith('.d.ts')) return false;
    const built = join(ROOT, 'dist', source.replace(/\.ts$/, '.js'));
    const { mtimeMs } = statSync(join(src, source));
    return [built, BUNDLE].some((file) => !existsSync(file) || statSync(file).mtimeMs < mtimeMs);
  });
}
