// Owns the package.json that is published: what installing a package needs, without the scripts and tools of this
// repository. npm asks about install scripts of what it installs; a package without any asks nothing.
//   trim      before npm packs: the whole file is kept beside it, and so are the pages whose links are cut
//   restore   after that
//   prepare   after npm ci, and in the clone that npm makes to install from a git URL: builds; trims in that clone

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rewritePages } from './pages.mjs';

const FILE = 'package.json';
const WHOLE = '.package.json.whole';
/** The pages that were changed for the package, as they were. */
const PAGES = '.package.pages.json';
const LEFT_OUT = ['scripts', 'devDependencies', 'overrides', 'allowScripts'];

/** The manifest to publish, by the text of ours. */
export function published(text) {
  const manifest = JSON.parse(text);
  for (const key of LEFT_OUT) delete manifest[key];
  return manifest;
}

function trim() {
  restore();
  const text = readFileSync(FILE, 'utf8');
  writeFileSync(WHOLE, text);
  writeFileSync(FILE, `${JSON.stringify(published(text), null, 2)}\n`);
  writeFileSync(PAGES, JSON.stringify(rewritePages('.')));
}

/** Also after a pack that failed half way. */
function restore() {
  if (existsSync(WHOLE)) renameSync(WHOLE, FILE);
  if (!existsSync(PAGES)) return;
  for (const [page, text] of Object.entries(JSON.parse(readFileSync(PAGES, 'utf8'))))
    writeFileSync(page, text);
  rmSync(PAGES);
}

function prepare() {
  restore();
  const { status } = spawnSync('npm', ['run', '-s', 'build'], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) process.exit(status ?? 1);
  // npm says so in the clone of a git URL. Where a later npm does not, the package is as good, but npm asks.
  if (process.env._PACOTE_NO_PREPARE_ !== undefined) trim();
}

const ACTS = { trim, restore, prepare };
if (process.argv[1] === fileURLToPath(import.meta.url)) ACTS[process.argv[2]]();
