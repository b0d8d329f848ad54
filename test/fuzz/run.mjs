// npm run fuzz -- [messages] [http] [bytes] [--seconds 60 | --hours 1 | --cases N] [--seed N] [--root FOLDER]
//                 [--replay JSON] [--all]
// The fuzzers for longer, and from another place: `bytes` sends dialogues that are mutated, `messages` odd
// arguments, headers and properties on every way of a message, `http` odd requests; without a name each of
// them has its time, one after the other. A case that finds something is made small and printed, and
// --replay plays it again. --root tries the build of another folder;
// --all notes what it finds and goes on.
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const VITEST = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
const FUZZERS = {
  bytes: 'test/server/fuzz.test.ts',
  messages: 'test/fuzz/messages.test.ts',
  http: 'test/fuzz/http.test.ts',
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string' },
    hours: { type: 'string' },
    cases: { type: 'string' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    root: { type: 'string' },
    replay: { type: 'string' },
    all: { type: 'boolean', default: false },
  },
});
const unknown = positionals.filter((name) => !(name in FUZZERS));
if (unknown.length > 0) {
  console.log(`unknown: ${unknown.join(', ')}; there are ${Object.keys(FUZZERS).join(', ')}`);
  process.exit(2);
}
const names = positionals.length === 0 ? Object.keys(FUZZERS) : positionals;
const seconds = values.seconds ?? (values.hours === undefined ? '60' : String(values.hours * 3600));
const env = { ...process.env, SEED: values.seed };
if (values.cases === undefined) env.FUZZ_SECONDS = seconds;
else env.FUZZ_CASES = values.cases;
if (values.all) env.FUZZ_ALL = '1';
if (values.root !== undefined) env.FUZZ_ROOT = resolve(values.root);
if (values.replay !== undefined) env.FUZZ_REPLAY = values.replay;
const failed = names.filter((name) => {
  console.log(`${name}: --seed ${values.seed}`);
  const args = [VITEST, 'run', '--project', 'leveret', '--execArgv=--expose-gc', FUZZERS[name]];
  return spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit', env }).status !== 0;
});
if (failed.length > 0) console.log(`failed: ${failed.join(', ')}`);
process.exit(failed.length > 0 ? 1 : 0);
