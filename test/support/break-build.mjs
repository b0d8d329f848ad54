// Owns builds that are broken on purpose: a copy of the build with places changed, for tests that
// must find the change. Never touches the build itself.

import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Copies the build in `root` to `folder`, changes it, and bundles it anew; returns its program.
 * Each change is a file of dist/, what is searched there and what comes in its place. Throws where
 * there is no such place any more.
 */
export function breakBuild(root, folder, changes) {
  for (const name of ['bin', 'dist', 'package.json', 'packaging/npm', 'rolldown.config.mjs']) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const { file, from, to } of changes) {
    const path = join(folder, 'dist', file);
    const before = readFileSync(path, 'utf8');
    const after = before.replace(from, to);
    if (after === before) throw new Error(`${file} has no place to break any more`);
    writeFileSync(path, after);
  }
  bundle(folder);
  return join(folder, 'bin', 'leveret');
}

/** Makes dist/bundle/ of the modules in dist/, in the folder of a build. */
export function bundle(root) {
  const rolldown = join(root, 'node_modules', 'rolldown', 'bin', 'cli.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [rolldown, '-c'], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`no bundle was made: ${stdout}${stderr}`);
}
