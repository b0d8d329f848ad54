// The crash test as part of every test run: 14 rounds of kill -9 under load, in processes of their
// own. `node test/crash/run.mjs --rounds 500` goes on for longer.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { SCRIPT_TIMEOUT_MS } from '../support/patience.ts';

test('14 rounds of kill -9 lose, invent, change, repeat and reorder nothing', {
  timeout: SCRIPT_TIMEOUT_MS,
}, async () => {
  const path = fileURLToPath(new URL('run.mjs', import.meta.url));
  const child = spawn(process.execPath, [path, '--rounds', '14'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: SCRIPT_TIMEOUT_MS - 5_000,
  });
  let report = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    report += text;
  });
  const [code] = await once(child, 'close');
  console.log(report);
  expect(code, report).toBe(0);
});
