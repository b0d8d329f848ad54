// Owns what is run and published: the modules that tsc wrote to dist/, and the packages that they use, become a
// few files in dist/bundle/. A start reads two dozen files in place of a thousand, and the published package
// depends on nothing but LMDB's binaries. Never touches what tsc checked. It works on the folder it is started in.

import { existsSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join } from 'node:path';
import { adaptModules, copyFiles, notLoaded } from './packaging/npm/bundle.mjs';

const root = process.cwd();
const { optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));

/** Whether a module stays outside: one of Node, a binary, or what a package does without. */
const OUTSIDE = new Set([
  ...builtinModules,
  ...Object.keys(optionalDependencies),
  'bufferutil',
  'utf-8-validate',
  'msgpackr-extract',
]);

export default {
  // What bin/ and `import 'leveret'` load.
  input: {
    leveret: 'dist/cli/leveret.js',
    rabbitmqctl: 'dist/cli/rabbitmqctl.js',
    'start-broker': 'dist/embed/start-broker.js',
  },
  platform: 'node',
  external: (id) => id.startsWith('node:') || OUTSIDE.has(id),
  logLevel: 'warn',
  // LMDB's order of keys is made by it.
  checks: { eval: false },
  plugins: [notLoaded(), adaptModules(), copyFiles(packageFolder)],
  output: {
    dir: 'dist/bundle',
    format: 'esm',
    cleanDir: true,
    // In no folder of its own: src/config/version.ts and src/management/static.ts find files of the
    // package two folders above where they are.
    chunkFileNames: '[name]-[hash].js',
  },
};

/** The folder of an installed package. */
function packageFolder(name) {
  for (let folder = root; ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules', name);
    if (existsSync(join(found, 'package.json'))) return found;
    if (folder === dirname(folder)) throw new Error(`the package ${name} is not installed`);
  }
}
