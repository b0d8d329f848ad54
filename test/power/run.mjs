// Power loss, simulated: npm run power -- [--images 1000] [--seed word] [--messages 1500] [--prove [--together]]
// A broker runs with its writes and syncs recorded; images are made of what a power cut would have left at
// places picked at random, and each is opened. Exit code 1: something that was certain is not there.
// --prove: the same with a disk that does not sync, and with the builds of broken.mjs. Each has to be found. --together: with
// several changes in one build.
import { fork, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { breakBuild } from '../support/break-build.mjs';
import { BROKEN, brokenTogether } from './broken.mjs';
import { record } from './load.mjs';
import { randomOf } from './random.mjs';
import { noneWrong } from './wrongs.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const JUDGE = fileURLToPath(new URL('./judge.mjs', import.meta.url));
/** Images that one recorded run is good for. */
const IMAGES_PER_RUN = 500;

/** Its images may be no data files at all. */
const NO_SYNC = { name: 'the disk does not sync', wrongs: [] };
/** So many times as many images are made of a build in few of whose images something is wrong. */
const RARE_TIMES = 4;
/** What a build breaks may not show in one load, since it depends on when its clients act: so many loads must all miss it. */
const ATTEMPTS = 4;
/**
 * What makes a build one that does more often what is rare in so small a load: it commits to the tables without the log, and
 * in pieces, and its log is soon full. Every second run is one of such a build, and breaks no promise either.
 */
const TIGHT = [
  { file: 'store/log/logged-store.js', from: /DIRECT_BYTES = [^;]+;/, to: 'DIRECT_BYTES = 4096;' },
  { file: 'store/log/applier.js', from: /PIECE_CHANGES = [^;]+;/, to: 'PIECE_CHANGES = 3;' },
  { file: 'store/log/open.js', from: /LOG_BYTES = [^;]+;/, to: 'LOG_BYTES = 65536;' },
];
/** So many broken builds are tried at the same time. */
const AT_ONCE = 3;
/** How long one image may take; most take some tens of milliseconds. */
const JUDGE_TIMEOUT_MS = 60_000;

function noneYet() {
  return { images: 0, failed: 0, confirmed: 0, replayed: 0, torn: 0, ...noneWrong() };
}

/** Compiles the recorder; throws when there is no compiler. */
function buildRecorder(folder) {
  const library = join(folder, 'recorder.so');
  const source = fileURLToPath(new URL('./recorder.c', import.meta.url));
  const args = ['-O2', '-shared', '-fPIC', '-pthread', '-o', library, source, '-ldl'];
  const { status, error, stderr } = spawnSync('cc', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the recorder needs a C compiler, cc: ${error ?? stderr}`);
  return library;
}

/** Records a run of the build in a folder, and judges so many images of it, which another build opens. */
async function run(options) {
  const { recorder, seed, images, messages, env, build = ROOT, opensWith = ROOT } = options;
  const { onWrong = () => {} } = options;
  const program = join(build, 'bin', 'leveret');
  const random = randomOf(`load ${seed}`);
  const recorded = await record({ recorder, program, env, messages, random });
  const totals = noneYet();
  try {
    for (let part = 0; totals.images < images; part++) {
      const some = Math.min(images - totals.images, 100);
      await judge(opensWith, recorded, `${seed} ${part}`, some, totals, onWrong);
    }
  } finally {
    recorded.remove();
  }
  return totals;
}

async function judge(build, { log, folder, facts }, seed, images, totals, onWrong) {
  // What LMDB says of an image that it cannot read is of no use to anybody.
  const child = fork(JUDGE, {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    serialization: 'advanced',
  });
  let begun = -1;
  const before = totals.images;
  // On an image whose disk lied, LMDB may go round for ever in a thread of its own. A broker ends itself then, see
  // commit_timeout; here it is the judge that is ended.
  const patience = setTimeout(() => child.kill('SIGKILL'), JUDGE_TIMEOUT_MS);
  child.on('message', ({ begins, place, wrong, counts }) => {
    patience.refresh();
    if (begins !== undefined) {
      begun = begins;
      return;
    }
    totals.images += 1;
    for (const [what, count] of Object.entries(counts)) totals[what] += count;
    if (wrong === null) return;
    totals.failed += 1;
    onWrong(`image behind record ${place}, seed '${seed}': ${wrong}`);
  });
  child.send({ build, log, folder: join(folder, 'image'), seed, images, facts });
  const ended = await new Promise((resolve) =>
    child.once('exit', (code, signal) => resolve(signal ?? code)),
  );
  clearTimeout(patience);
  if (ended === 0 && totals.images - before === images) return;
  totals.images += 1;
  totals.failed += 1;
  onWrong(
    `the process that opened the image behind record ${begun}, seed '${seed}', ended with ${ended}`,
  );
}

async function main() {
  const { values } = parseArgs({
    options: {
      images: { type: 'string', default: '1000' },
      messages: { type: 'string', default: '1500' },
      seed: { type: 'string', default: String(Date.now()) },
      prove: { type: 'boolean', default: false },
      together: { type: 'boolean', default: false },
    },
  });
  const folder = mkdtempSync(join(tmpdir(), 'leveret-power-'));
  const recorder = buildRecorder(folder);
  const messages = Number(values.messages);
  let failed = 0;
  const totals = noneYet();
  const tight = mkdtempSync(join(folder, 'tight-'));
  breakBuild(ROOT, tight, TIGHT);
  const wanted = Number(values.images);
  const perRun = Math.min(IMAGES_PER_RUN, Math.ceil(wanted / 2));
  for (let n = 0; totals.images < wanted; n++) {
    const images = Math.min(perRun, wanted - totals.images);
    const seed = `${values.seed} ${n}`;
    const build = n % 2 === 0 ? ROOT : tight;
    const found = await run({ recorder, seed, images, messages, build, onWrong: console.error });
    for (const [what, count] of Object.entries(found)) totals[what] += count;
    console.log(JSON.stringify(totals));
  }
  failed += totals.failed;
  const builds = values.together ? brokenTogether() : BROKEN.map((broken) => [broken]);
  if (values.prove) failed += await prove(folder, recorder, values.seed, messages, builds);
  rmSync(folder, { recursive: true, force: true });
  process.exitCode = failed === 0 ? 0 : 1;
}

/** Returns how many of the broken builds were not found out. */
async function prove(folder, recorder, seed, messages, builds, images = 60) {
  const runs = [{ broken: [NO_SYNC], env: { POWER_NO_SYNC: '1' } }];
  for (const broken of builds) {
    const build = mkdtempSync(join(folder, 'broken-'));
    breakBuild(
      ROOT,
      build,
      broken.map(({ change }) => change),
    );
    runs.push({ broken, build, opensWith: broken.some(({ opens }) => opens) ? build : ROOT });
  }
  let missed = 0;
  const proveNext = async () => {
    for (let next = runs.shift(); next !== undefined; next = runs.shift()) {
      const { broken, ...options } = next;
      const isRare = broken.some(({ rare }) => rare);
      const many = isRare ? RARE_TIMES * images : images;
      let left = broken;
      for (let attempt = 1; left.length > 0 && attempt <= ATTEMPTS; attempt++) {
        const its = attempt === 1 ? seed : `${seed}, attempt ${attempt}`;
        const found = await run({ recorder, seed: its, images: many, messages, ...options });
        const isFound = ({ wrongs }) => (wrongs.length === 0 ? found.failed : found[wrongs[0]]) > 0;
        for (const each of left) {
          console.log(
            `${isFound(each) ? 'found' : 'not yet'}: ${each.name} ${JSON.stringify(found)}`,
          );
        }
        left = left.filter((each) => !isFound(each));
      }
      missed += left.length;
      for (const { name } of left) console.log(`MISSED: ${name}`);
    }
  };
  // A run waits most of the time.
  await Promise.all(Array.from({ length: AT_ONCE }, proveNext));
  return missed;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
