// Owns installing the package as programs would, and using it: from a tarball, from a git URL, globally, by npx, and
// from TypeScript. Each install must pass without a word of warning. Never publishes, never changes this machine.
//   npm run package:try                                          packs first
//   npm run package:try -- --tarball FILE                        a file that was packed before
//   npm run package:try -- --node /path/to/node --node ...       on these versions of Node as well
//   npm run package:try -- --git                                 also from a git URL: that builds, and takes longer

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { pack } from './pack.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NPM = realpathSync(execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim());
/** Compilers that a program may have: the oldest that knows `using`, and the newest of this repository. */
const COMPILERS = ['typescript@5.4', 'typescript@5.9'];

const { values } = parseArgs({
  options: {
    tarball: { type: 'string' },
    node: { type: 'string', multiple: true, default: [] },
    git: { type: 'boolean', default: false },
  },
});

const work = mkdtempSync(join(tmpdir(), 'leveret-try-'));
try {
  const tarball = values.tarball === undefined ? pack(work) : resolve(values.tarball);
  for (const node of [process.execPath, ...values.node.map((path) => resolve(path))])
    await onNode(node, tarball);
  compile(tarball);
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** npm of this machine, on some Node. */
function npmOn(node, args, cwd, allowed = /^$/) {
  const bin = join(work, `bin-${node.replaceAll('/', '_')}`);
  mkdirSync(bin, { recursive: true });
  if (!readdirSync(bin).includes('node')) symlinkSync(node, join(bin, 'node'));
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
  for (const key of Object.keys(env)) if (/^npm_/i.test(key)) delete env[key];
  const ended = spawnSync(node, [NPM, ...args], { cwd, env, encoding: 'utf8' });
  if (ended.status !== 0) throw new Error(`npm ${args.join(' ')}: ${ended.stdout}${ended.stderr}`);
  const warned = ended.stderr
    .split('\n')
    .filter((line) => /warn|EBADENGINE/i.test(line) && !allowed.test(line));
  if (warned.length > 0) throw new Error(`npm ${args.join(' ')} warns:\n${warned.join('\n')}`);
  return { said: ended.stdout, env };
}

function project(name, manifest = { type: 'module' }) {
  const folder = mkdtempSync(join(work, name));
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  return folder;
}

async function onNode(node, tarball) {
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  const sources = values.git ? [tarball, `git+file://${ROOT.replace(/\/$/, '')}`] : [tarball];
  for (const source of sources) {
    const folder = project('project-');
    const from = performance.now();
    // A git URL has a script to prepare it, which a strict npm refuses before it runs.
    // npm names it at the end, having run it.
    const asked = source === tarball ? /^$/ : /^npm warn install-scripts/;
    const strict = source === tarball ? ['--strict-allow-scripts'] : [];
    const { said } = npmOn(node, ['install', '--engine-strict', ...strict, source], folder, asked);
    ok(
      `${version}: npm install ${source === tarball ? 'of the tarball' : 'from a git URL'}`,
      said.trim(),
      from,
    );
    const shown = npmOn(node, ['exec', '--no', 'leveret', '--', '--version'], folder).said.trim();
    ok(`${version}: npx leveret --version`, shown);
    await runs(node, folder);
    embeds(node, folder);
    ok(`${version}: a broker starts by npx and inside a program`);
  }
  const prefix = mkdtempSync(join(work, 'global-'));
  const { env } = npmOn(node, ['install', '--global', '--prefix', prefix, tarball], work);
  const global = execFileSync(join(prefix, 'bin/leveret'), ['--version'], {
    encoding: 'utf8',
    env,
  }).trim();
  ok(`${version}: npm install --global`, global);
  const anywhere = npmOn(
    node,
    ['exec', '--yes', `--package=${tarball}`, '--', 'leveret', '--version'],
    work,
  ).said;
  ok(`${version}: npx --package=<tarball> leveret`, anywhere.trim());
}

/** Starts the command as the documentation says for other languages, and ends it by closing its input. */
async function runs(node, folder) {
  const flags = [
    '--port',
    '0',
    '--print-port',
    '--stop-with-stdin',
    '--management-port',
    'none',
    '--prometheus-port',
    'none',
  ];
  const bin = join(folder, 'node_modules/.bin/leveret');
  const child = spawn(node, [bin, 'start', '--memory', ...flags], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  const [first] = await Promise.race([once(child.stdout, 'data'), exit]);
  if (!/^\d+\n$/.test(String(first))) throw new Error(`it said ${first} in place of a port`);
  child.stdin.end();
  const [code] = await exit;
  if (code !== 0) throw new Error(`it ended with ${code}`);
}

function embeds(node, folder) {
  const program = `import { startBroker } from 'leveret';
const kept = await startBroker({ dataDir: './kept', managementPort: 0 });
const page = await fetch(kept.managementUrl + '/vendor/uPlot.esm.js');
if (page.status !== 200) throw new Error('the charts are missing');
await kept.close();`;
  execFileSync(node, ['--input-type=module', '--eval', program], { cwd: folder, stdio: 'inherit' });
}

/** Types, with nothing but the package and a compiler: not even the types of Node. */
function compile(tarball) {
  const main = `import { startBroker, type BrokerOptions } from 'leveret';
const options: BrokerOptions = { memory: true };
await using broker = await startBroker(options);
export const url: string = broker.url;`;
  for (const compiler of COMPILERS) {
    const folder = project('types-');
    npmOn(process.execPath, ['install', tarball, compiler], folder);
    writeFileSync(join(folder, 'main.ts'), main);
    const tsc = join(folder, 'node_modules/typescript/bin/tsc');
    for (const [module, resolution] of [
      ['node16', 'node16'],
      ['esnext', 'bundler'],
    ]) {
      const compilerOptions = {
        ...{ module, moduleResolution: resolution, target: 'es2022', noEmit: true, types: [] },
        ...{ lib: ['es2022', 'esnext.disposable'], strict: true, skipLibCheck: false },
        exactOptionalPropertyTypes: true,
      };
      writeFileSync(
        join(folder, 'tsconfig.json'),
        JSON.stringify({ compilerOptions, files: ['main.ts'] }),
      );
      const ended = spawnSync(process.execPath, [tsc, '-p', folder], {
        cwd: folder,
        encoding: 'utf8',
      });
      if (ended.status !== 0) throw new Error(`${compiler}, ${resolution}: ${ended.stdout}`);
      ok(`${compiler} compiles with moduleResolution ${resolution}, strict, all types checked`);
    }
  }
}

function ok(what, more = '', from = null) {
  const took = from === null ? '' : ` in ${((performance.now() - from) / 1000).toFixed(1)} s`;
  console.log(`ok   ${what}${more === '' ? '' : `: ${more.replaceAll('\n', ' ')}`}${took}`);
}
