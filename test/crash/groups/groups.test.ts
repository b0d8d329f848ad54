// The crash test of a cluster with groups of vhosts as part of every test run: two moves of a vhost under load, a kill amid each,
// in processes of their own. `npm run crash -- --cluster --groups --moves 100` goes on for longer.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { NATS_SERVER } from '../../support/nats.ts';
import { SCRIPT_TIMEOUT_MS } from '../../support/patience.ts';

const SHORT = ['--moves', '2', '--servers', '1', '--backlog', '500'];
const FAULTS = [
  '--fault',
  'kill -9 of the source during the snapshot',
  '--fault',
  'kill -9 of the target between arrival and flip',
];

test.skipIf(NATS_SERVER === null)(
  'a vhost that is moved as nodes fail loses, invents, repeats and reorders nothing, and is in one group',
  { timeout: SCRIPT_TIMEOUT_MS },
  async () => {
    const path = fileURLToPath(new URL('../run.mjs', import.meta.url));
    const child = spawn(process.execPath, [path, '--cluster', '--groups', ...SHORT, ...FAULTS], {
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
