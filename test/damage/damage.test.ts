// Damaged data files as part of every test run: 80 cases. npm run damage -- --cases 5000 goes on for longer.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { SCRIPT_TIMEOUT_MS } from '../support/patience.ts';

test('no damage makes a broker deliver what is wrong, and what a check calls sound is whole', {
  timeout: SCRIPT_TIMEOUT_MS,
}, async () => {
  const path = fileURLToPath(new URL('run.mjs', import.meta.url));
  const args = ['--cases', '80', '--seed', 'every run', '--verbose'];
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
  expect(report).toMatch(/"cases":80,"refused":[1-9]\d*,"damaged":[1-9]\d*,"sound":[1-9]/);
  expect(report).toMatch(/"log":[1-9]\d*,"refusedLog":[1-9]/);
});
