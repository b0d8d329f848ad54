// All tests again and again beside busy loops: npm run calm -- [--runs 5] [--loops 4]
// A test may not fail because the machine is slow. Each run's output is kept in a folder that is named at the
// beginning. Exit code 1: one of the runs failed.
import { spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, readFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const VITEST = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
const FAILED = /^.*(?:FAIL|Error:).*$/gm;

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    loops: { type: 'string', default: '4' },
  },
});
const folder = mkdtempSync(join(tmpdir(), 'leveret-calm-'));
console.log(`what each run says: ${folder}`);

const loops = Array.from({ length: Number(values.loops) }, () =>
  spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
);
process.on('exit', () => {
  for (const loop of loops) loop.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

let failed = 0;
for (let n = 1; n <= Number(values.runs); n++) failed += await run(n);
process.exit(failed === 0 ? 0 : 1);

/** Runs all tests once; says how it went, and returns 1 if it failed. */
async function run(n) {
  const begun = Date.now();
  const path = join(folder, `run-${n}.log`);
  const output = createWriteStream(path);
  const child = spawn(process.execPath, [VITEST, 'run'], {
    cwd: ROOT,
    env: { ...process.env, CI: 'true' },
  });
  child.stdout.pipe(output, { end: false });
  child.stderr.pipe(output, { end: false });
  const code = await new Promise((resolve) => child.once('close', resolve));
  await new Promise((resolve) => output.end(resolve));
  const minutes = ((Date.now() - begun) / 60_000).toFixed(1);
  const load = loadavg()[0].toFixed(1);
  const text = stripColours(readFileSync(path, 'utf8'));
  const tests = /^\s*Tests\s+(.*)$/m.exec(text)?.[1] ?? 'no tests ran';
  console.log(`run ${n}: exit code ${code}, ${minutes} minutes, load ${load}: ${tests}`);
  if (code === 0) return 0;
  for (const [line] of text.matchAll(FAILED)) console.log(`  ${line.trim()}`);
  return 1;
}

/** Without the escape sequences that colour a terminal. */
function stripColours(text) {
  return text.replaceAll(new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g'), '');
}
