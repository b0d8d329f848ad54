// The scenarios of npm run scale in small, as part of every test run: counts and bounds, never times.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { SCRIPT_TIMEOUT_MS } from '../support/patience.ts';

test.each([
  ['sparse', ['--messages', '20000', '--patterns', '1']],
  ['streams-filter', ['--messages', '150000']],
  ['transient', ['--messages', '600000', '--limit-mib', '512']],
])('%s in small', { timeout: SCRIPT_TIMEOUT_MS }, async (name, args) => {
  const path = fileURLToPath(new URL(`${name}.mjs`, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: SCRIPT_TIMEOUT_MS - 5_000,
  });
  let report = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    report += text;
  });
  const [code] = await once(child, 'close');
  expect(code, report).toBe(0);
  expect(report).toMatch(/PASS/);
});
