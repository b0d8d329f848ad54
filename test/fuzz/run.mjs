// npm run fuzz -- [messages] [http] [bytes] [--seconds 60 | --hours 1 | --cases N] [--seed N] [--root FOLDER]
//                 [--replay JSON] [--all] [--prove]
// The fuzzers for longer, and from another place: `bytes` sends dialogues that are mutated, `messages` odd
// arguments, headers and properties on every way of a message, `http` odd requests; without a name each of
// them has its time, one after the other. A case that finds something is made small and printed, and
// --replay plays it again. --root tries the build of another folder;
// --all notes what it finds and goes on, and --prove breaks the build in several ways, each of which has
// to be found.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { breakBuild } from '../support/break-build.mjs';
import { MUTANTS } from './mutants.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const VITEST = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
/** A fault that is put back has to be found in so many cases. */
const PROOF_CASES = 400;
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
    prove: { type: 'boolean', default: false },
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
if (values.cases === undefined && !values.prove) env.FUZZ_SECONDS = seconds;
else if (values.cases !== undefined) env.FUZZ_CASES = values.cases;
if (values.all) env.FUZZ_ALL = '1';
if (values.root !== undefined) env.FUZZ_ROOT = resolve(values.root);
if (values.replay !== undefined) env.FUZZ_REPLAY = values.replay;
function fuzz(name, more) {
  const args = [VITEST, 'run', '--project', 'system', '--execArgv=--expose-gc', FUZZERS[name]];
  return spawnSync(process.execPath, args, {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...env, ...more },
    stdio: more === undefined ? 'inherit' : 'pipe',
  });
}

/** Runs the fuzzers on builds that are broken; returns the names of those that nothing was found in. */
function prove() {
  return MUTANTS.filter(({ name, fuzzers, changes }) => {
    const missed = fuzzers.filter((fuzzer) => {
      const folder = mkdtempSync(join(tmpdir(), 'leveret-mutant-'));
      try {
        breakBuild(ROOT, folder, changes);
        const cases = values.cases ?? String(PROOF_CASES);
        const { stdout } = fuzz(fuzzer, { FUZZ_ROOT: folder, FUZZ_CASES: cases, FUZZ_TRIES: '0' });
        const found = /case (\d+)(?: of SEED=\d+)?(?: found)?:? ((?!\d).{0,100})/.exec(stdout);
        const after =
          found === null
            ? `not found in ${cases} cases`
            : `case ${Number(found[1]) + 1}: ${found[2]}`;
        console.log(`${name}: ${fuzzer}: ${after}`);
        return found === null;
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
    return missed.length > 0;
  }).map(({ name }) => name);
}

const failed = values.prove
  ? prove()
  : names.filter((name) => {
      console.log(`${name}: --seed ${values.seed}`);
      return fuzz(name).status !== 0;
    });
if (failed.length > 0) console.log(`failed: ${failed.join(', ')}`);
process.exit(failed.length > 0 ? 1 : 0);
