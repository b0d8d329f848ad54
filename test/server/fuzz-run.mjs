// npm run fuzz -- [--seconds 60] [--seed N]: the fuzzer of test/server/fuzz.test.ts for longer, and from
// another place. It fails when a case harms the broker, when a pause is longer than 100 ms, or when
// memory grows; what it prints names the seed and the case.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 32)) },
  },
});
const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
const args = ['run', '--project', 'leveret', 'test/server/fuzz.test.ts', '--execArgv=--expose-gc'];
const { status } = spawnSync(process.execPath, [vitest, ...args], {
  cwd: ROOT,
  stdio: 'inherit',
  env: { ...process.env, FUZZ_SECONDS: values.seconds, SEED: values.seed },
});
process.exit(status ?? 1);
