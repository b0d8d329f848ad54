// Owns running a command line inside a test. Never checks what it wrote.

import { vi } from 'vitest';

/** What a command line wrote, and whether it failed. */
export async function capture(
  run: () => Promise<unknown>,
): Promise<{ out: string; err: string; code: number }> {
  let [out, err] = ['', ''];
  process.exitCode = 0;
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text);
    return true;
  });
  try {
    await run();
  } finally {
    // A program guards its output once; here it begins many times.
    process.stdout.removeAllListeners('error');
    process.stderr.removeAllListeners('error');
    stdout.mockRestore();
    stderr.mockRestore();
  }
  const code = Number(process.exitCode ?? 0);
  process.exitCode = 0;
  return { out, err, code };
}
