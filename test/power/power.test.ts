// A power cut as part of every test run: a few images of one recorded run, and a disk and builds that break promises, several
// in one. npm run power -- --images 10000 --prove goes on for longer, with one in each build.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { SCRIPT_TIMEOUT_MS } from '../support/patience.ts';
import { buildRecorder } from './compiler.ts';

test.runIf(buildRecorder() !== null)(
  'a power cut at any moment loses nothing confirmed and brings back nothing acked, and broken builds do',
  { timeout: SCRIPT_TIMEOUT_MS },
  async () => {
    const path = fileURLToPath(new URL('run.mjs', import.meta.url));
    const args = ['--images', '40', '--messages', '300', '--seed', 'every run'];
    const child = spawn(process.execPath, [path, ...args, '--prove', '--together'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: SCRIPT_TIMEOUT_MS - 5_000,
    });
    let report = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        report += text;
      });
    }
    const [code] = await once(child, 'close');
    expect(code, report).toBe(0);
    expect(report.match(/^found: /gm)).toHaveLength(26);
  },
);
