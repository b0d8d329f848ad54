// Owns the pages of the package: what of their links leads nowhere there, as to sources and pictures, becomes plain text.
// Never changes a page for good: `rewrite` returns what was there.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** A page without pictures and links to files that `has` does not know, by their paths from the root. */
export function packedPage(page, text, has) {
  const leads = (target) => {
    const path = target.split('#')[0];
    return (
      path === '' || /^[a-z]+:/i.test(path) || has(normalize(join(dirname(page), decodeURI(path))))
    );
  };
  return text
    .split(/(^ *```[\s\S]*?^ *```)/m)
    .map((part, at) => {
      if (at % 2 === 1) return part;
      return part
        .replaceAll(/^!\[[^\]]*\]\(([^)\s]+)\)\n+/gm, (all, target) => (leads(target) ? all : ''))
        .replaceAll(/\[([^\]]*)\]\(([^)\s]+)\)/g, (all, said, target) =>
          leads(target) ? all : said,
        );
    })
    .join('');
}

/** Rewrites the pages that npm would pack in a folder; returns those that were changed, as they were. */
export function rewritePages(folder) {
  const said = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: folder,
    // As a script of npm it would take the options of the npm that called it.
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name))),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: process.platform === 'win32',
  });
  const files = JSON.parse(said)[0].files.map(({ path }) => normalize(path));
  const has = (path) =>
    files.some((file) => file === path || file.startsWith(`${path.replace(/\/$/, '')}/`));
  const before = {};
  for (const page of files.filter((file) => file.endsWith('.md'))) {
    const text = readFileSync(join(folder, page), 'utf8');
    const packed = packedPage(page.replaceAll('\\', '/'), text, has);
    if (packed === text) continue;
    before[page] = text;
    writeFileSync(join(folder, page), packed);
  }
  return before;
}
