import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { print } from '../../../src/cli/print.ts';
import { printable, printableLine } from '../../../src/util/log/printable.ts';

/** Every character that a terminal may act upon, or that changes what is read. */
const ODD = [
  ...Array.from({ length: 32 }, (_, i) => i).filter((code) => code !== 9 && code !== 10),
  ...Array.from({ length: 33 }, (_, i) => 0x7f + i),
  ...[
    0x61c, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202e, 0x2066, 0x2069, 0xd800, 0xdfff, 0xfeff,
  ],
].map((code) => String.fromCharCode(code));

test('every character that acts on a terminal is spelt out, and as JSON it stays what it was', () => {
  for (const odd of ODD) {
    const shown = printable(`a${odd}b`);
    expect(shown).toMatch(/^a\\(u[0-9a-f]{4}|[bfrt])b$/);
    expect(JSON.parse(`"${shown}"`)).toBe(`a${odd}b`);
  }
});

test('all other text stays as it is', () => {
  const text = 'häse 🐇 兎 \\u001b "quoted"\nsecond\tline';
  expect(printable(text)).toBe(text);
  expect(printableLine(text)).toBe(text.replace('\n', '\\n').replace('\t', '\\t'));
});

test('what the command line prints acts on no terminal', () => {
  const written: string[] = [];
  const { write } = process.stdout;
  process.stdout.write = (text: unknown) => written.push(String(text)) > 0;
  try {
    for (const odd of ODD) print(`name ${odd}\n`);
  } finally {
    process.stdout.write = write;
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
  expect(written.join('')).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/);
});

/** Where text is printed without print.ts, and why. */
const RAW: Record<string, string> = {
  'print.ts': 'it is the place',
  'completion.ts': 'a script of our own',
  'password.ts': 'a prompt of our own',
  'verbs/live/messages.ts': 'a body, as it was asked for',
  'verbs/live/status.ts': 'our own sequences that clear the screen; the rest is printable()',
  'verbs/start.ts': 'the port',
};

test('no other place of the command line writes to standard output or error by itself', () => {
  const root = join(import.meta.dirname, '../../../src/cli');
  const found = (readdirSync(root, { recursive: true }) as string[])
    .filter((path) => path.endsWith('.ts'))
    .filter((path) =>
      /\bstd(out|err)\b[^\n]*\.write\(|console\./.test(readFileSync(join(root, path), 'utf8')),
    )
    .sort();
  expect(found).toEqual(Object.keys(RAW).sort());
});

test('an error of the command line that quotes a name acts on no terminal', () => {
  const bin = join(import.meta.dirname, '../../../bin/leveret');
  const args = ['start', '--data-dir', '/dev/null/\u001b[2J\u009b2J', '--port', '0'];
  let text = '';
  try {
    execFileSync(process.execPath, [bin, ...args], { stdio: 'pipe', encoding: 'utf8' });
  } catch (error) {
    text = (error as { stderr: string }).stderr;
  }
  expect(text).toContain('\\u001b[2J\\u009b2J');
});
