// A few rounds of moves.mjs as part of every test run. It goes on for longer with `--rounds 100`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const LIMIT_MS = 60_000;

test('dead letters by expiry, limits and returns are in one place after each kill -9', {
  timeout: LIMIT_MS,
}, async () => {
  const path = fileURLToPath(new URL('moves.mjs', import.meta.url));
  const child = spawn(process.execPath, [path, '--rounds', '5'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: LIMIT_MS - 5_000,
  });
  let report = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    report += text;
  });
  const [code] = await once(child, 'close');
  expect(code, report).toBe(0);
});
