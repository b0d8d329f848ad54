// Builds of the product for the test of an upgrade, each in a folder of its own with a version of its own. Never runs one.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { breakBuild, bundle } from '../../../support/break-build.mjs';

const ARCHIVE_BYTES_MAX = 2 ** 30;

/**
 * @typedef {object} Build
 * @property {string} leveret the path of its bin/leveret
 * @property {string} dist
 * @property {string} version as its package.json says
 */

/** The build in `root` as another one with this version. @returns {Build} */
export function copyOf(root, folder, version) {
  mkdirSync(folder);
  for (const name of ['bin', 'dist', 'package.json']) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return named(folder, version);
}

/** The same, which writes the next format of tables. @returns {Build} */
export function ofNextFormat(root, folder, version) {
  mkdirSync(folder);
  const from = /(FORMAT_VERSION = )(\d+)/;
  const to = (_text, name, format) => `${name}${Number(format) + 1}`;
  breakBuild(root, folder, [{ file: 'store/format.js', from, to }]);
  return named(folder, version);
}

/** What was committed as `ref`, built with the modules that are installed now. @returns {Build} */
export function buildOf(root, folder, ref) {
  mkdirSync(folder);
  const commit = run('git', ['rev-parse', '--short', `${ref}^{commit}`], root)
    .toString()
    .trim();
  const archive = run('git', ['archive', commit], root);
  run('tar', ['-x'], folder, archive);
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], folder);
  bundle(folder);
  return named(folder, `0.0.0-${commit}`);
}

function named(folder, version) {
  const file = join(folder, 'package.json');
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), version }));
  return { leveret: join(folder, 'bin/leveret'), dist: join(folder, 'dist'), version };
}

function run(program, args, cwd, input) {
  const options = { cwd, input, maxBuffer: ARCHIVE_BYTES_MAX };
  const { status, stdout, stderr, error } = spawnSync(program, args, options);
  if (status === 0) return stdout;
  throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? `${stdout}${stderr}`}`);
}
