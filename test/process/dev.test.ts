// Owns the tests of `npm run dev`: the sources run as they are, or one line says what that needs.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { WITHOUT_TOOLS } from '../support/without-tools.ts';
import { ROOT } from './support.ts';

const DEV = join(ROOT, 'dev.mjs');
const stripsTypes = Boolean(Reflect.get(process.features, 'typescript'));

// Each Node tries what holds for it: nothing is left out.
if (stripsTypes) {
  test('a broker runs from the sources, and stops when it is told to', async () => {
    const child = spawn(process.execPath, [DEV, '--memory', '--port', '0'], {
      env: { ...process.env, ...WITHOUT_TOOLS },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const said: string[] = [];
    let told = false;
    for await (const line of createInterface({ input: child.stdout })) {
      said.push(line);
      // Once: there is a line for each address, and a second signal would end the broker at once.
      if (told || !line.includes('"msg":"listening"')) continue;
      told = child.kill('SIGTERM');
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    expect(said.join('\n')).toContain('"msg":"stopped"');
  });
} else {
  test('a Node that cannot run the sources is told in one line what is needed', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [DEV], { encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^npm run dev [^\n]*Node 22\.18 or newer; this is \d[^\n]*npm start\n$/);
  });
}
