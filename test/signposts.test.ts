// Owns the rule that comments and the map tell the truth about where things are: a file that one names is there.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const SOURCE = /\.(?:ts|mjs)$/;

test('a file that a comment names is there', () => {
  const sources = ['src', 'test']
    .flatMap((room) => filesIn(room))
    .filter((name) => SOURCE.test(name));
  const known = [...sources, ...filesIn('docs'), ...filesIn('bin'), 'README.md', 'CHANGELOG.md'];
  const untrue = sources.flatMap((path) =>
    namesInComments(readFileSync(join(ROOT, path), 'utf8'))
      .filter((name) => !known.some((file) => `/${file}`.endsWith(`/${name}`)))
      .map((name) => `${path}: ${name}`),
  );
  expect(untrue).toEqual([]);
});

test('each folder of src is named on the map of the rooms, and each one named there exists', () => {
  const map = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');
  const named = [
    ...map.matchAll(/^\| (src\/\w+|on other floors) \| owns \|\n(?:\|.*\n)+/gm),
  ].flatMap(([table, floor]) =>
    [...table.matchAll(/^\| (.*?) \|/gm)]
      .flatMap(([, rooms]) => [...(rooms as string).matchAll(/`([\w/-]+)\/`/g)])
      .map(([, room]) => (floor?.startsWith('src/') ? `${floor.slice(4)}/${room}` : room)),
  );
  const folders = readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true })
    .filter((each) => each.isDirectory())
    .map((each) => posix.relative('src', posix.join(relative(ROOT, each.parentPath), each.name)))
    .filter((folder) => folder.includes('/'));
  expect(named.sort()).toEqual(folders.sort());
});

/** All files in a folder of the repository and below, from its root. */
function filesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
    posix.join(folder, name.replaceAll('\\', '/')),
  );
}

/** The names of sources in the comments of a text, without `./` and `../` before them. */
function namesInComments(text: string): string[] {
  const comments = text.match(/(?:^|\s)\/\/ .*|\/\*[\s\S]*?\*\//g) ?? [];
  return comments.flatMap((comment) =>
    [
      ...comment.matchAll(/(?<![\w.-])(?:\.{1,2}\/)*((?:[\w-]+\/)*[\w-][\w.-]*\.(?:ts|mjs))\b/g),
    ].map((match) => match[1] as string),
  );
}
