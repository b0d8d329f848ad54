// Owns what has to be done to packages for them to run from the bundle: files that they look for are put beside
// it, and their licenses go along. Never changes what a package does.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What fastify loads only for JSON schemas and for requests without a socket. We use neither; they are two thirds of
 * its code.
 */
const NOT_LOADED = new Set([
  '@fastify/ajv-compiler',
  '@fastify/fast-json-stringify-compiler',
  'light-my-request',
]);

/** Puts an error in the place of what is never loaded. */
export function notLoaded() {
  const prefix = '\0not-loaded:';
  return {
    name: 'not-loaded',
    resolveId: (id) => (NOT_LOADED.has(id) ? prefix + id : null),
    load(id) {
      if (!id.startsWith(prefix)) return null;
      const text = JSON.stringify(`${id.slice(prefix.length)} is not a part of this build`);
      return `throw new Error(${text});\nexport {};`;
    },
  };
}

/** What stands in a module, and what stands there in the bundle. `only` is the end of the module's path. */
const CHANGES = [
  {
    // Our own code loads it late and at once, from the bundle as from its package.
    only: /dist\/util\/pattern\/pattern\.js$/,
    from: "createRequire(import.meta.url)('re2js')",
    to: "createRequire(import.meta.url)('./vendor/re2js.cjs')",
  },
  {
    // LMDB looks for its binary from its own folder: it is told of one beside the bundle, see copyFiles.
    only: /node_modules\/lmdb\/native\.js$/,
    from: "dirname(fileURLToPath(import.meta.url)).replace(/dist$/, '')",
    to: 'lmdbFolder()',
    more: `
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
/** The folder of LMDB's package where the same version is installed: a compiler may have made its binary there. */
function lmdbFolder() {
  const own = fileURLToPath(new URL('./lmdb', import.meta.url));
  const versionIn = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;
  try {
    const installed = join(dirname(createRequire(import.meta.url).resolve('lmdb')), '..');
    return versionIn(installed) === versionIn(own) ? installed : own;
  } catch {
    return own;
  }
}
`,
  },
];

/** Adapts modules that find others by where they lie. Fails when one is no longer as it was. */
export function adaptModules() {
  const done = new Set();
  return {
    name: 'adapt-modules',
    transform: {
      // Only these modules cross over from the bundler.
      filter: { id: CHANGES.map((each) => each.only) },
      handler: (code, id) => {
        const change = CHANGES.find((each) => each.only.test(id));
        if (code.split(change.from).length !== 2) {
          throw new Error(`${id} does not say ${change.from} once: adapt packaging/npm/bundle.mjs`);
        }
        done.add(change);
        return {
          code: code.replace(change.from, () => change.to) + (change.more ?? ''),
          map: null,
        };
      },
    },
    buildEnd(error) {
      if (error) return;
      const missing = CHANGES.filter((each) => !done.has(each)).map((each) => String(each.only));
      if (missing.length > 0) throw new Error(`no module is ${missing.join(', ')}`);
    },
  };
}

/** Files that are read as files, or loaded only when they are needed: package, path, name beside the bundle. */
const COPIED = [
  ['uplot', 'dist/uPlot.esm.js', 'uPlot.esm.js'],
  ['uplot', 'dist/uPlot.min.css', 'uPlot.min.css'],
  ['re2js', 'build/index.cjs', 're2js.cjs'],
];

/** Puts files beside the bundle that are read as files. `packageFolder` finds a package by its name. */
export function copyFiles(packageFolder) {
  return {
    name: 'copy-files',
    generateBundle(_options, bundle) {
      const emit = (fileName, source) => this.emitFile({ type: 'asset', fileName, source });
      const { name, version } = JSON.parse(
        readFileSync(join(packageFolder('lmdb'), 'package.json'), 'utf8'),
      );
      emit('lmdb/package.json', `${JSON.stringify({ name, version })}\n`);
      const copied = new Set();
      for (const [name, file, as] of COPIED) {
        emit(`vendor/${as}`, readFileSync(join(packageFolder(name), file)));
        copied.add(packageFolder(name));
      }
      const chunks = Object.values(bundle).filter((each) => each.type === 'chunk');
      const folders = new Set([
        ...chunks.flatMap((each) => each.moduleIds.map(folderOf)),
        ...copied,
      ]);
      folders.delete(null);
      emit('LICENSES.txt', [...folders].sort().map(licenseOf).join('\n'));
    },
  };
}

/** The folder of the package that a module is of; null for one of ours. */
function folderOf(id) {
  return (
    /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(id.replace(/^\0[^/]*/, ''))?.[0] ?? null
  );
}

/** Packages whose licence says that a copy goes along, and that have no file of it: MIT, and whose it is. */
const OWNERS = new Map([
  ['abstract-logging', 'James Sumners'],
  ['weak-lru-cache', 'Kris Zyp'],
]);

/** Code in other languages that lies within a package, and whose licences lie with it. */
const WITHIN = new Map([
  [
    'lmdb',
    [
      'dependencies/lmdb/libraries/liblmdb/COPYRIGHT',
      'dependencies/lmdb/libraries/liblmdb/LICENSE',
      'dependencies/lz4/lib/LICENSE',
    ],
  ],
]);

/** What has to go along with a package's code. Throws where no file and no list has it. */
function licenseOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  const read = (each) => readFileSync(join(folder, each), 'utf8').trim();
  const owner = OWNERS.get(name);
  if (file === undefined && (owner === undefined || license !== 'MIT')) {
    throw new Error(`${name} has no file of its license, ${license}: see packaging/npm/bundle.mjs`);
  }
  const texts = [file === undefined ? mitOf(owner) : read(file)];
  for (const each of WITHIN.get(name) ?? []) texts.push(`${each}\n\n${read(each)}`);
  return `${name} ${version}\n${'-'.repeat(40)}\n${texts.join('\n\n')}\n`;
}

function mitOf(owner) {
  return `MIT License

Copyright (c) ${owner}

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.`;
}
