// Damaged files: npm run damage -- [--cases 500] [--seed word] [--pages] [--verbose]
// A broker fills a folder; then bits are flipped, pages zeroed or swapped, and files cut, one at a time. Half of the cases
// are of the folder of a broker that was killed, whose log has records that its tables have not.
// What `leveret check` calls sound has to hold every message, and a broker must never deliver a wrong
// byte, whatever it does otherwise. Where the log is damaged, a start is refused by its name, or nothing is
// missing, but what the very last record had. Exit code 1: it was not so.
import { fork, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { connect } from 'amqplib';
import { makeBody } from '../power/body.mjs';
import { randomOf } from '../power/random.mjs';
import { bytesInUse } from '../scale/watch.mjs';
import { breakBuild } from '../support/break-build.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const JUDGE = fileURLToPath(new URL('./judge.mjs', import.meta.url));
const MESSAGES = 1_600;
const MESSAGES_IN_LOG = 300;
/** A build that applies nothing to the tables by itself. */
const HELD = [{ file: 'store/log/applier.js', from: /WAIT_MS = [^;]+;/, to: 'WAIT_MS = 2 ** 30;' }];
const CASES_PER_PROCESS = 400;

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '500' },
    seed: { type: 'string', default: String(Date.now()) },
    // Pages are exchanged, and nothing else is done.
    pages: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});
const cases = Number(values.cases);
const folder = mkdtempSync(join(tmpdir(), 'leveret-damage-'));
const random = randomOf(values.seed);
const names = ['one', 'two', 'three', 'stream'];
let published = 0;
const stopped = await fill(ROOT, join(folder, 'stopped'), addAndTake);
const held = join(folder, 'held');
mkdirSync(held);
breakBuild(ROOT, held, HELD);
cpSync(join(folder, 'stopped', 'store'), join(folder, 'killed', 'store'), { recursive: true });
const killed = await fill(held, join(folder, 'killed'), add, 'SIGKILL', stopped.queues);

const totals = {
  cases: 0,
  refused: 0,
  damaged: 0,
  sound: 0,
  ended: 0,
  started: 0,
  log: 0,
  refusedLog: 0,
  tail: 0,
};
const failures = [];
for (let next = 0; next < cases; ) next = await judge(next);
console.log(JSON.stringify(totals));
for (const failure of failures) console.log(`FAIL ${failure}`);
rmSync(folder, { recursive: true, force: true });
process.exit(failures.length === 0 ? 0 : 1);

/** Has a broker of a build fill a data folder and end; returns its files and the numbers in each queue, in order. */
async function fill(build, dataDir, act, signal = 'SIGTERM', before = {}) {
  const args = [join(build, 'bin', 'leveret'), 'start', '--port', '0', '--data-dir', dataDir];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const entry = JSON.parse(line);
      if (entry.msg === 'listening') resolve(entry.port);
    });
  });
  const client = await connect(`amqp://guest:guest@127.0.0.1:${port}`);
  client.on('error', () => {});
  const channel = await client.createConfirmChannel();
  channel.on('error', () => {});
  const queues = Object.fromEntries(names.map((name) => [name, [...(before[name] ?? [])]]));
  await act(channel, queues);
  if (signal === 'SIGTERM') await client.close();
  child.kill(signal);
  await new Promise((resolve) => child.once('exit', resolve));
  const store = join(dataDir, 'store');
  return { store, queues, usedBytes: bytesInUse(store) };
}

async function addAndTake(channel, queues) {
  for (const name of names) {
    const args = name === 'stream' ? { 'x-queue-type': 'stream' } : {};
    await channel.assertQueue(name, { durable: true, arguments: args });
  }
  await publish(channel, queues, MESSAGES, 50);
  // Some are gone again, so that there are short pages and free pages too.
  for (const name of names.filter((each) => each !== 'stream')) {
    for (let n = queues[name].length / 3; n > 0; n--) {
      await channel.get(name, { noAck: true });
      queues[name].shift();
    }
  }
}

function add(channel, queues) {
  return publish(channel, queues, MESSAGES_IN_LOG, 4);
}

async function publish(channel, queues, count, atOnce) {
  for (let n = 0; n < count; n++) {
    const name = names[random.below(names.length)];
    const number = published++;
    queues[name].push(number);
    channel.sendToQueue(name, makeBody(number, random), { persistent: true });
    if (n % atOnce === 0) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
}

/** Looks at cases from `first` on, in one process; returns the first case that it did not get to. */
async function judge(first) {
  const child = fork(JUDGE, {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const last = Math.min(cases, first + CASES_PER_PROCESS);
  let now = first;
  child.on('message', (told) => {
    if ('begins' in told) now = told.begins;
    else {
      note(told);
      now = told.n + 1;
    }
  });
  child.send({
    folders: { stopped, killed },
    folder: join(folder, 'copy'),
    seed: values.seed,
    first,
    last,
    pages: values.pages,
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), 120_000);
  await new Promise((resolve) => child.once('exit', resolve));
  clearTimeout(timer);
  if (now >= last) return now;
  // LMDB ended the process: `leveret check` reports that, and no message is delivered.
  totals.cases += 1;
  totals.ended += 1;
  if (values.verbose) console.log(`${now}: the process was ended`);
  return now + 1;
}

function note({ n, of, what, check, log, started, right, wrong }) {
  totals.cases += 1;
  const kind = check === 'sound' ? 'sound' : check.startsWith('refused') ? 'refused' : 'damaged';
  totals[kind] += 1;
  if (started) totals.started += 1;
  const { queues } = { stopped, killed }[of];
  const all = Object.values(queues).reduce((sum, numbers) => sum + numbers.length, 0);
  if (values.verbose)
    console.log(`${n}: ${of}, ${what}: ${check}; ${right} of ${all} right, ${wrong} wrong`);
  const fail = (why) => failures.push(`case ${n}, ${of}, ${what}: ${why} (${check})`);
  if (wrong > 0) fail(`${wrong} messages are wrong`);
  if (log === null) {
    if (kind === 'sound' && right !== all)
      fail(`called sound, but only ${right} of ${all} messages are there`);
    return;
  }
  totals.log += 1;
  if (kind === 'refused') {
    totals.refusedLog += 1;
    if (!log.named) fail('the log is damaged, and the refusal does not say so');
  } else if (right !== all && right === log.withoutLast && log.inLast) totals.tail += 1;
  else if (right !== all || kind !== 'sound') fail(`only ${right} of ${all} messages are there`);
}
