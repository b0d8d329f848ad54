// Owns the test that the places are there still which the crash test of groups breaks on purpose: it does so in long runs alone.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { BROKEN } from './broken.mjs';

test.each(BROKEN)('the build has places to break so that $name', ({ changes }) => {
  for (const { file, from, to } of changes) {
    const path = fileURLToPath(new URL(`../../../dist/${file}`, import.meta.url));
    const text = readFileSync(path, 'utf8');
    expect(text.replace(from, to), file).not.toBe(text);
  }
});
