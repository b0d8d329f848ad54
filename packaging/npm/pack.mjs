// Owns packing the package for scripts, beside the repository: `npm pack` there changes package.json for a moment,
// which what else runs in it could see. Never publishes.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { published } from './manifest.mjs';
import { rewritePages } from './pages.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PARTS = [
  'bin',
  'dist',
  'docs',
  'packaging',
  'src/management/ui',
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
];

/** Builds, and packs into a folder; returns the path of the tarball. `version` stands in the place of our own. */
export function pack(to, version = null) {
  const run = (command, args, cwd) =>
    execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  run('npm', ['run', '-s', 'build'], ROOT);
  const stage = mkdtempSync(join(tmpdir(), 'leveret-pack-'));
  try {
    for (const part of PARTS) cpSync(join(ROOT, part), join(stage, part), { recursive: true });
    const manifest = published(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    if (version !== null) manifest.version = version;
    writeFileSync(join(stage, 'package.json'), JSON.stringify(manifest, null, 2));
    rewritePages(stage);
    return join(to, run('npm', ['pack', '--silent', '--pack-destination', to], stage).trim());
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}
