// Owns the tests of what an operator reads where LMDB's binary is not there, or cannot be loaded.

import { expect, test } from 'vitest';
import { StoreError } from '../../src/store/errors.ts';
import { lmdb } from '../../src/store/opened-store.ts';

const failing = (message: string, code?: string) =>
  lmdb(() => Promise.reject(Object.assign(new Error(message), { code }))).catch(
    (error: unknown) => error as Error,
  );

test('a binary that was not installed, or does not fit the system, is told in one line with the way out', async () => {
  const missing = await failing('No native build was found for platform=x\n    attempted: y');
  expect(missing).toBeInstanceOf(StoreError);
  expect(missing.message).toMatch(
    /^the binary of LMDB for .* without --omit=optional, or .*--memory/,
  );
  const unfit = await failing('libc.so.6: version GLIBC_2.34 not found\nmore', 'ERR_DLOPEN_FAILED');
  expect(unfit).toBeInstanceOf(StoreError);
  expect(unfit.message).toMatch(/GLIBC_2\.34 not found\).*--memory/);
  for (const { message } of [missing, unfit]) expect(message).not.toContain('\n');
});

test('any other failure of loading stays as it is', async () => {
  const bug = new Error('a bug');
  await expect(lmdb(() => Promise.reject(bug))).rejects.toBe(bug);
  expect(await lmdb(() => Promise.resolve(7))).toBe(7);
});
