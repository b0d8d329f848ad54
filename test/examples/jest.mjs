// Runs the example of a fixture for jest with jest itself, which is none of this project's dependencies:
// `npm run jest`, after a build. It needs the registry of npm.

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const EXAMPLES = join(ROOT, 'docs/examples/testing');
const FILES = ['broker.jest.mjs', 'fixture.jest.mjs'];

const folder = mkdtempSync(join(tmpdir(), 'leveret-jest-'));

function run(command, ...args) {
  const env = { ...process.env, NODE_OPTIONS: '--experimental-vm-modules' };
  return spawnSync(command, args, { cwd: folder, env, stdio: 'inherit' }).status ?? 1;
}

try {
  for (const file of FILES) copyFileSync(join(EXAMPLES, file), join(folder, file));
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const installed = run('npm', 'install', '--silent', 'jest@30.5.2', 'amqplib@2.3.1');
  symlinkSync(ROOT, join(folder, 'node_modules/leveret'));
  process.exitCode = installed || run('npx', 'jest', '--testMatch', '**/fixture.jest.mjs');
} finally {
  rmSync(folder, { recursive: true, force: true });
}
