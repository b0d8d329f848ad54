import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readDefinitionFile, readDefinitionFiles } from '../../src/config/definition-files.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'leveret-definitions-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const jsonOf = async (...places: string[]): Promise<unknown[]> =>
  (await readDefinitionFiles(places)).files.map(({ json }) => json);

test('files are read in the order given, those of a pattern in order of name, none twice', async () => {
  const b = write('b.json', '2');
  write('a.json', '1');
  const c = write('c.json', '3');
  expect(await jsonOf(c, join(folder, '*.json'))).toEqual([3, 1, 2]);
  expect(await jsonOf(b, c)).toEqual([2, 3]);
});

test('of a folder the files that end in .json are read', async () => {
  write('b.json', '2');
  write('a.json', '1');
  write('notes.txt', 'no');
  mkdirSync(join(folder, 'deeper.json'));
  expect(await jsonOf(folder)).toEqual([1, 2]);
});

test('the hash changes with every byte of every file', async () => {
  const hash = async () => (await readDefinitionFiles([folder])).hash;
  write('a.json', '1');
  write('b.json', '2');
  const first = await hash();
  expect(await hash()).toBe(first);
  write('b.json', '2 ');
  expect(await hash()).not.toBe(first);
});

test('a byte order mark is no part of the JSON', () => {
  expect(readDefinitionFile(write('a.json', '\uFEFF{}')).json).toEqual({});
});

test('what cannot be loaded is named', async () => {
  const none = join(folder, 'none*.json');
  await expect(readDefinitionFiles([none])).rejects.toThrow(
    `load_definitions: ${none}: no file is found there; correct load_definitions, or leave it out`,
  );
  const broken = write('broken.json', '{');
  expect(() => readDefinitionFile(broken)).toThrow(`${broken}: this is not JSON (`);
  expect(() => readDefinitionFile(join(folder, 'x'))).toThrow(
    'cannot be read: there is no such file',
  );
});

test('a text that is not JSON is refused with line and column, and without what it says', () => {
  const cases: [string, string][] = [
    ['', 'line 1, column 1: it ends too early'],
    ['{"queues":[\n  {"name":"a"', 'line 2, column 14: it ends too early'],
    ['{"users":[\n{"password":secret}]}', 'line 2, column 13'],
    ['{}\0', 'line 1, column 3'],
    ['{} {}', 'line 1, column 4'],
    ['{"a":1,}', 'line 1, column 8'],
    ['[1,]', 'line 1, column 4'],
    ['{"a":01}', 'line 1, column 7'],
    ['"\\x"', 'line 1, column 1'],
  ];
  for (const [text, expected] of cases) {
    const path = write('a.json', text);
    expect(() => readDefinitionFile(path), text).toThrow(`${path}: this is not JSON (${expected})`);
    expect(() => readDefinitionFile(path), text).not.toThrow('secret');
  }
});

test('a file in another encoding is refused, and not read as if its names were others', () => {
  const path = join(folder, 'a.json');
  writeFileSync(path, Buffer.from('{\n"queues":[{"name":"caf\xe9"}]}', 'latin1'));
  expect(() => readDefinitionFile(path)).toThrow(`${path}: this is not UTF-8 (line 2, column 23)`);
  writeFileSync(path, Buffer.from('\uFEFF{}', 'utf16le'));
  expect(() => readDefinitionFile(path)).toThrow(`${path}: this is not UTF-8 (line 1, column 1)`);
});
