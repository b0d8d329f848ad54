// Power loss, simulated: npm run power -- [--images 1000] [--seed word] [--messages 1500] [--prove]
// A broker runs with its writes and syncs recorded; images are made of what a power cut would have left at
// places picked at random, and each is opened. Exit code 1: something that was certain is not there.
// --prove: the same with a disk that does not sync, and with the builds of BROKEN. Each has to be found.
import { fork, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { breakBuild } from '../support/break-build.mjs';
import { record } from './load.mjs';
import { randomOf } from './random.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const JUDGE = fileURLToPath(new URL('./judge.mjs', import.meta.url));
/** Images that one recorded run is good for. */
const IMAGES_PER_RUN = 500;

/** How long one image may take; most take some tens of milliseconds. */
const JUDGE_TIMEOUT_MS = 60_000;

/** Builds that break a promise: a file of dist/ with a change in it. */
const BROKEN = {
  'a confirm is sent before its batch is on the disk': {
    file: 'server/turn/turn.js',
    from: 'channel.flushConfirms(this.core.durableBatch)',
    to: 'channel.flushConfirms(Infinity)',
  },
  'an ack is not written': {
    file: 'broker/queue/messages/queue-entries.js',
    from: /page\.storedLive -= 1;\s+if \(!page\.dirty\)\s+this\.dirtyPage\(page\);/,
    to: 'page.storedLive -= 1;',
  },
  'what comes back to wait leaves its place in another batch': {
    file: 'broker/queue/delay/queue-delays.js',
    from: /messages\.end\(seq\);/,
    to: 'setTimeout(() => messages.end(seq), 10);',
  },
  'what waits is not written': {
    file: 'broker/queue/delay/queue-delays.js',
    from: 'this.waiting?.sealInto(batch);',
    to: '',
  },
  'a publish that settles acks a moment later, in another batch': {
    file: 'server/channel/publish/publisher.js',
    from: /if \(this\.deliveries\(\)\.ackAll\(acks\)\)\s+outcome \|= ENQUEUED_STORED;/,
    to: 'setTimeout((from) => from.ackAll(acks), 20, this.deliveries());',
  },
  'a delay is half as long': {
    file: 'broker/queue/delay/queue-delays.js',
    from: 'Math.min(delayMs, DELAY_MAX_MS)',
    to: 'Math.min(delayMs, DELAY_MAX_MS) / 2',
  },
  'a tick is noted a moment later, in another batch': {
    file: 'broker/schedule/schedule-watch.js',
    from: 'rows.putTicks(vhost.name, name, schedule.state);',
    to: 'setTimeout((state) => rows.putTicks(vhost.name, name, state), 600, schedule.state);',
  },
};

function noneYet() {
  const wrong = { lost: 0, again: 0, twice: 0, early: 0, ticks: 0, damaged: 0 };
  return { images: 0, failed: 0, confirmed: 0, ...wrong };
}

/** Compiles the recorder; throws when there is no compiler. */
export function buildRecorder(folder) {
  const library = join(folder, 'recorder.so');
  const source = fileURLToPath(new URL('./recorder.c', import.meta.url));
  const args = ['-O2', '-shared', '-fPIC', '-pthread', '-o', library, source, '-ldl'];
  const { status, error, stderr } = spawnSync('cc', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the recorder needs a C compiler, cc: ${error ?? stderr}`);
  return library;
}

/** Records a run and judges so many images of it. */
export async function run({ recorder, seed, images, messages, program, env, onWrong = () => {} }) {
  const random = randomOf(`load ${seed}`);
  const recorded = await record({ recorder, program, env, messages, random });
  const totals = noneYet();
  try {
    for (let part = 0; totals.images < images; part++) {
      const some = Math.min(images - totals.images, 100);
      await judge(recorded, `${seed} ${part}`, some, totals, onWrong);
    }
  } finally {
    recorded.remove();
  }
  return totals;
}

async function judge({ log, folder, facts }, seed, images, totals, onWrong) {
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
  child.send({ log, folder: join(folder, 'image'), seed, images, facts });
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
    },
  });
  const folder = mkdtempSync(join(tmpdir(), 'leveret-power-'));
  const recorder = buildRecorder(folder);
  const messages = Number(values.messages);
  let failed = 0;
  const totals = noneYet();
  for (let n = 0; totals.images < Number(values.images); n++) {
    const images = Math.min(IMAGES_PER_RUN, Number(values.images) - totals.images);
    const seed = `${values.seed} ${n}`;
    const found = await run({ recorder, seed, images, messages, onWrong: console.error });
    for (const [what, count] of Object.entries(found)) totals[what] += count;
    console.log(JSON.stringify(totals));
  }
  failed += totals.failed;
  if (values.prove) failed += await prove(folder, recorder, values.seed, messages);
  rmSync(folder, { recursive: true, force: true });
  process.exitCode = failed === 0 ? 0 : 1;
}

/** Returns how many of the broken builds were not found out. */
export async function prove(folder, recorder, seed, messages, images = 60) {
  const builds = [['the disk does not sync', { env: { POWER_NO_SYNC: '1' } }]];
  for (const [what, change] of Object.entries(BROKEN)) {
    const program = breakBuild(ROOT, mkdtempSync(join(folder, 'broken-')), [change]);
    builds.push([what, { program }]);
  }
  let missed = 0;
  for (const [what, options] of builds) {
    const found = await run({ recorder, seed, images, messages, ...options });
    console.log(`${found.failed > 0 ? 'found' : 'MISSED'}: ${what} ${JSON.stringify(found)}`);
    if (found.failed === 0) missed += 1;
  }
  return missed;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
