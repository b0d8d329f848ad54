// Owns the rule that the pages agree with each other and with the program: links lead somewhere, the
// index names each page, and commands that a page shows exist.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { buildProgram } from '../src/cli/program.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const PAGES = [...pagesIn('.'), ...pagesIn('docs'), ...pagesIn('packaging')];

test('every link of a page leads to a file and a heading that are there', () => {
  const broken = PAGES.flatMap((page) => {
    const text = withoutCode(readFileSync(join(ROOT, page), 'utf8'));
    return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map((match) => match[1] as string)
      .filter((target) => !/^[a-z]+:/.test(target) && !leads(page, target))
      .map((target) => `${page}: ${target}`);
  });
  expect(broken).toEqual([]);
});

test('a page of the package keeps the links that lead somewhere there, and the words of all others', async () => {
  const { packedPage } = await import(join(ROOT, 'packaging/npm/pages.mjs'));
  const page = [
    '![picture](images/a.png)',
    '',
    '[here](cli.md#output), [gone](../src/a.ts), [unit](../packaging/u.service), [web](https://x.org/a)',
    '```',
    '[code](gone.md)',
    '```',
  ];
  const has = (path: string) => ['docs/cli.md', 'packaging/u.service'].includes(path);
  expect(packedPage('docs/a.md', page.join('\n'), has).split('\n')).toEqual([
    '[here](cli.md#output), gone, [unit](../packaging/u.service), [web](https://x.org/a)',
    ...page.slice(3),
  ]);
});

test('the index of the documentation names each page once', () => {
  const index = readFileSync(join(ROOT, 'docs/README.md'), 'utf8');
  const rows = [...index.matchAll(/^\| \[[^\]]+\]\(([^)]+)\)/gm)].map((match) => match[1]);
  const pages = readdirSync(join(ROOT, 'docs')).filter(
    (name) => name.endsWith('.md') && name !== 'README.md',
  );
  expect(rows.filter((row) => row?.endsWith('.md') && !row.includes('/')).sort()).toEqual(
    pages.sort(),
  );
  expect(new Set(rows).size).toBe(rows.length);
});

test('the page of the examples has a line and a picture of each, as its program has it', () => {
  const folder = join(ROOT, 'docs/examples');
  const page = readFileSync(join(folder, 'README.md'), 'utf8');
  const programs = readdirSync(folder).filter((name) => /\.(mjs|go)$/.test(name));
  // A worker that another program starts is in the picture of that one.
  for (const name of programs.filter((each) => each !== 'sign-up-worker.mjs')) {
    expect(page, name).toContain(`[${name}](${name})`);
    const [, picture = ''] = page.split(`**${name}**\n\n\`\`\`text\n`);
    const lines = picture.split('\n```')[0]?.split('\n') ?? [];
    expect(lines.join(), name).toContain('->');
    const text = readFileSync(join(folder, name), 'utf8');
    const margin = name.endsWith('.go') ? '//\t' : '//   ';
    expect(text, name).toContain(`//\n${lines.map((line) => margin + line).join('\n')}\n//\n`);
  }
});

test('every command of leveret that a page shows exists', () => {
  const unknown = PAGES.filter((page) => page !== 'CHANGELOG.md').flatMap((page) =>
    commandsIn(readFileSync(join(ROOT, page), 'utf8'))
      .filter((words) => !exists(words))
      .map((words) => `${page}: leveret ${words.join(' ')}`),
  );
  expect(unknown).toEqual([]);
});

function pagesIn(folder: string): string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  const recursive = folder !== '.';
  return readdirSync(join(ROOT, folder), { recursive, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.includes('node_modules'))
    .map((name) => join(folder, name));
}

function withoutCode(text: string): string {
  return text.replaceAll(/^ *```[\s\S]*?^ *```/gm, '').replaceAll(/`[^`\n]*`/g, '');
}

function leads(page: string, target: string): boolean {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? join(ROOT, page) : join(ROOT, dirname(page), decodeURI(path));
  if (!existsSync(file)) return false;
  if (anchor === undefined || !file.endsWith('.md') || statSync(file).isDirectory()) return true;
  return anchorsOf(relative(ROOT, file)).has(anchor);
}

/** What a heading is called in links, by the rule of GitHub. */
function anchorsOf(page: string): Set<string> {
  const text = readFileSync(join(ROOT, page), 'utf8').replaceAll(/^ *```[\s\S]*?^ *```/gm, '');
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map((match) => match[1] as string);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .trim()
        .replaceAll(' ', '-'),
    ),
  );
}

/** The words behind `leveret` in code, up to the first that cannot be the name of a command. */
function commandsIn(text: string): string[][] {
  const blocks = [...text.matchAll(/^ *```(?:sh|bash|console)?\n([\s\S]*?)^ *```/gm)].map(
    (match) => match[1] as string,
  );
  const spans = [...text.replaceAll(/^ *```[\s\S]*?^ *```/gm, '').matchAll(/`([^`\n]+)`/g)].map(
    (match) => match[1] as string,
  );
  return [...blocks.flatMap((block) => block.split('\n')), ...spans].flatMap((line) =>
    [...line.matchAll(/(?:^\s*|&& |\$\(|; |npx |bin\/)leveret((?: [a-z][a-z_-]*)+)/g)].map(
      (match) => (match[1] as string).trim().split(' '),
    ),
  );
}

/** Whether the first words name a command, and, in a group, the one after them as well. */
function exists(words: string[]): boolean {
  const program = buildProgram();
  const known = (parent: typeof program, name: string | undefined) =>
    parent.commands.find(
      (command) => command.name() === name || (name && command.aliases().includes(name)),
    );
  const command = known(program, words[0]);
  if (command === undefined) return words[0] === 'help';
  return (
    command.commands.length === 0 || words.length === 1 || known(command, words[1]) !== undefined
  );
}
