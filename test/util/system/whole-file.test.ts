import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readDefinitionFiles } from '../../../src/config/definition-files.ts';
import { loadSettings } from '../../../src/config/load.ts';
import { readWholeFile, SMALL_FILE_BYTES_MAX } from '../../../src/util/system/whole-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'leveret-file-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'file');
const pipe = join(folder, 'pipe');
execFileSync('mkfifo', [pipe]);

test('a file is read as a whole, up to the last byte that it may have', () => {
  for (const length of [0, 1, 70_000]) {
    writeFileSync(path, 'x'.repeat(length));
    expect(readWholeFile(path, 70_000)).toHaveLength(length);
  }
  expect(() => readWholeFile(path, 69_999)).toThrow('it is larger than 69999 bytes');
});

test('a file that says nothing of its size is read, and cut off by the bound', () => {
  expect(readWholeFile('/proc/self/status', 1e6).toString()).toContain('Pid:');
  expect(() => readWholeFile('/proc/self/status', 10)).toThrow('it is larger than 10 bytes');
});

test('a device, a pipe and a folder are no files', () => {
  for (const odd of ['/dev/zero', pipe]) {
    expect(() => readWholeFile(odd, 1e6)).toThrow('it is no regular file');
  }
  expect(() => readWholeFile(folder, 1e6)).toThrow('EISDIR');
});

test('files that settings name are refused in one line, whatever they are', async () => {
  const huge = join(folder, 'huge');
  writeFileSync(huge, '');
  truncateSync(huge, SMALL_FILE_BYTES_MAX + 1);
  for (const [odd, why] of [
    ['/dev/zero', 'it is no regular file'],
    [pipe, 'it is no regular file'],
    [huge, 'it is larger than'],
  ] as const) {
    const said = new RegExp(`^${odd}: cannot be read: ${why}.*; name a file`);
    await expect(readDefinitionFiles([odd], SMALL_FILE_BYTES_MAX)).rejects.toThrow(said);
    await expect(loadSettings({ configGlobs: [odd], env: {}, flags: {} })).rejects.toThrow(said);
  }
});
