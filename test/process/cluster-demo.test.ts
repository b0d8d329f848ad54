import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { NATS_SERVER } from '../support/nats.ts';
import { PATIENCE_MS } from '../support/patience.ts';

const LEVERET = join(fileURLToPath(new URL('../..', import.meta.url)), 'bin/leveret');

const demo = (...args: string[]): string[] => [LEVERET, 'cluster', 'demo', ...args];

test('the demo of a cluster says what it needs', () => {
  const env = { ...process.env, NATS_SERVER: '/nowhere/nats-server' };
  const { status, stderr } = spawnSync(process.execPath, demo(), { env, encoding: 'utf8' });
  expect(stderr).toBe(
    'leveret: there is no nats-server at /nowhere/nats-server, as NATS_SERVER says: install one, such as with: go install github.com/nats-io/nats-server/v2@latest\n',
  );
  expect(status).toBe(69);
});

test('the demo of a cluster wants a port', () => {
  const args = demo('--port', 'high');
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(stderr).toContain("It takes a port, not 'high'.");
  expect(status).toBe(64);
});

test.skipIf(NATS_SERVER === null)(
  'the demo of a cluster leads, and keeps nothing',
  { timeout: 3 * PATIENCE_MS },
  async () => {
    const env = { ...process.env, NATS_SERVER: NATS_SERVER as string };
    const child = spawn(process.execPath, demo('--port', '0'), { env });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
    }
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    await expect.poll(() => said, { timeout: PATIENCE_MS }).toContain('this node leads');
    const [, folder] = /with one log, in (\S+)\./.exec(said) as unknown as [string, string];
    expect(existsSync(folder)).toBe(true);
    child.kill('SIGINT');
    expect(await ended).toBe(0);
    expect(existsSync(folder)).toBe(false);
  },
);
