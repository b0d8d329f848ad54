// npm run model -- [--schedules 1000000] [--seed N]
// The model of the replicated log for longer, or a schedule again that went wrong: as many schedules with a log that
// refuses what does not fit as with one that takes all.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const VITEST = fileURLToPath(new URL('../../../node_modules/vitest/vitest.mjs', import.meta.url));

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 30)) },
  },
});
console.log(`seed ${values.seed}`);
const { status } = spawnSync(
  process.execPath,
  [VITEST, 'run', 'test/store/replicated/model.test.ts', '--testNamePattern', 'nothing goes wrong'],
  {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, MODEL_SCHEDULES: values.schedules, MODEL_SEED: values.seed },
  },
);
process.exit(status ?? 1);
