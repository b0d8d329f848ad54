// Damaged data files: npm run damage -- [--cases 500] [--seed word] [--pages] [--verbose]
// A broker fills a folder; then bits are flipped, pages zeroed or swapped, and files cut, one at a time.
// What `leveret check` calls sound has to hold every message, and a broker must never deliver a wrong
// byte, whatever it does otherwise. Exit code 1: it was not so.
import { fork, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { connect } from 'amqplib';
import { makeBody } from '../power/body.mjs';
import { randomOf } from '../power/random.mjs';
import { bytesInUse } from '../scale/watch.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const JUDGE = fileURLToPath(new URL('./judge.mjs', import.meta.url));
const MESSAGES = 1_600;
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
const queues = await fill(join(folder, 'data'));
const file = join(folder, 'data', 'store', 'data.mdb');
const usedBytes = await bytesInUse(join(folder, 'data', 'store'));

const totals = { cases: 0, refused: 0, damaged: 0, sound: 0, ended: 0, started: 0 };
const failures = [];
for (let next = 0; next < cases; ) next = await judge(next);
console.log(JSON.stringify(totals));
for (const failure of failures) console.log(`FAIL ${failure}`);
rmSync(folder, { recursive: true, force: true });
process.exit(failures.length === 0 ? 0 : 1);

/** Fills a data folder; returns the numbers in each queue, in order. */
async function fill(dataDir) {
  const args = [join(ROOT, 'bin', 'leveret'), 'start', '--port', '0', '--data-dir', dataDir];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const entry = JSON.parse(line);
      if (entry.msg === 'listening') resolve(entry.port);
    });
  });
  const client = await connect(`amqp://guest:guest@127.0.0.1:${port}`);
  const channel = await client.createConfirmChannel();
  const random = randomOf(values.seed);
  const numbers = { one: [], two: [], three: [], stream: [] };
  const names = Object.keys(numbers);
  for (const name of names) {
    const args = name === 'stream' ? { 'x-queue-type': 'stream' } : {};
    await channel.assertQueue(name, { durable: true, arguments: args });
  }
  for (let number = 0; number < MESSAGES; number++) {
    const name = names[random.below(names.length)];
    numbers[name].push(number);
    channel.sendToQueue(name, makeBody(number, random), { persistent: true });
    if (number % 50 === 0) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
  // Some are gone again, so that there are short pages and free pages too.
  for (const name of names.filter((each) => each !== 'stream')) {
    for (let n = numbers[name].length / 3; n > 0; n--) {
      await channel.get(name, { noAck: true });
      numbers[name].shift();
    }
  }
  await client.close();
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('exit', resolve));
  return numbers;
}

/** Looks at cases from `first` on, in one process; returns the first case that it did not get to. */
async function judge(first) {
  const child = fork(JUDGE, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
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
    file,
    folder: join(folder, 'copy'),
    seed: values.seed,
    first,
    last,
    usedBytes,
    queues,
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

function note({ n, what, check, started, right, wrong }) {
  totals.cases += 1;
  const kind = check === 'sound' ? 'sound' : check.startsWith('refused') ? 'refused' : 'damaged';
  totals[kind] += 1;
  if (started) totals.started += 1;
  const all = Object.values(queues).reduce((sum, numbers) => sum + numbers.length, 0);
  if (values.verbose)
    console.log(`${n}: ${what}: ${check}; ${right} of ${all} right, ${wrong} wrong`);
  if (wrong > 0) failures.push(`case ${n}, ${what}: ${wrong} messages are wrong (${check})`);
  if (kind === 'sound' && right !== all) {
    failures.push(
      `case ${n}, ${what}: called sound, but only ${right} of ${all} messages are there`,
    );
  }
}
