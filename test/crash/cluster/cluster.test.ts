// The crash test of a cluster as part of every test run: some failovers under load, in processes of their own.
// `npm run crash -- --cluster --failovers 200` goes on for longer.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { NATS_SERVER } from '../../support/nats.ts';
import { SCRIPT_TIMEOUT_MS } from '../../support/patience.ts';

test.skipIf(NATS_SERVER === null)(
  'a cluster loses, invents, repeats and reorders nothing as its leaders, followers and servers fail',
  { timeout: SCRIPT_TIMEOUT_MS },
  async () => {
    const path = fileURLToPath(new URL('../run.mjs', import.meta.url));
    const child = spawn(process.execPath, [path, '--cluster', '--failovers', '5'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NATS_SERVER: NATS_SERVER as string },
      timeout: SCRIPT_TIMEOUT_MS - 5_000,
    });
    let report = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      report += text;
    });
    const [code] = await once(child, 'close');
    console.log(report);
    expect(code, report).toBe(0);
  },
);
