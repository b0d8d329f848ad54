// The upgrade of a cluster under load as part of every test run, from a copy of the build with another version: node by node,
// with a failover to the new version and one back to the old one. `npm run upgrade-proof -- --from GITREF` upgrades an older
// commit, and `--format` goes on to a version that writes a later format.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { NATS_SERVER } from '../../../support/nats.ts';
import { SCRIPT_TIMEOUT_MS } from '../../../support/patience.ts';

test.skipIf(NATS_SERVER === null)(
  'a cluster goes from one version to the next under load, and loses, invents, repeats and reorders nothing',
  { timeout: SCRIPT_TIMEOUT_MS },
  async () => {
    const path = fileURLToPath(new URL('../../run.mjs', import.meta.url));
    const child = spawn(process.execPath, [path, '--upgrade', '--brief'], {
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
