// Runs the examples of tests that have a broker of their own, each with its own runner.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const FOLDER = fileURLToPath(new URL('../../docs/examples/testing', import.meta.url));
const VITEST = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));

/** What a runner that is not told of the one around it prints. */
async function run(...args: string[]): Promise<{ code: number | null; output: string }> {
  const outside = Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_)/.test(name));
  const env = { ...Object.fromEntries(outside), NO_COLOR: '1' };
  const child = spawn(process.execPath, args, { cwd: FOLDER, env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

test('the examples with node:test pass', async () => {
  const { code, output } = await run(
    '--test',
    '--test-reporter=tap',
    'worker.test.mjs',
    'fixture.test.mjs',
  );
  expect(output).toContain('# pass 7');
  expect(code).toBe(0);
});

test('the examples with vitest pass', async () => {
  const { code, output } = await run(
    VITEST,
    'run',
    '--root',
    FOLDER,
    'worker.spec.mjs',
    'fixture.spec.mjs',
  );
  expect(output).toMatch(/Tests\s+7 passed/);
  expect(code).toBe(0);
});
