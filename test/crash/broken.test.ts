// Owns the test that the places are there still which the crash test breaks on purpose: it does so in long runs alone.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { BROKEN } from './broken.mjs';

test.each(BROKEN)('the build has a place to break so that $name', ({ change }) => {
  const { file, from, to } = change;
  const text = readFileSync(fileURLToPath(new URL(`../../dist/${file}`, import.meta.url)), 'utf8');
  expect(text.replace(from, to), file).not.toBe(text);
});
