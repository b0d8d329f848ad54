// One recorded run: a broker under the recorder, and a client that publishes, consumes and acks while it
// notes how long the recording was when it knew something for sure.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'amqplib';
import { makeBody } from './body.mjs';
import { addressOf, KeysInUse } from './keys.mjs';
import { acksOf, readStream } from './stream.mjs';
import {
  ACKED,
  DEFINITIONS,
  declareTopology,
  FIRST,
  FIRST_QUEUES,
  GROUPED,
  JOB,
  KEPT,
  LAST,
  LATER,
  LEASE,
  ONCE,
  RETRY,
  SCHEDULES,
  STEP,
  STREAM,
  TICKS,
} from './topology.mjs';
import { startWorkers } from './workers.mjs';

const DELAY_MAX_MS = 500;
const GROUPS = 6;
/** Longer than a run and all that is done with its images. */
const LONG_MS = 1_800_000;
/** Longer than any busy machine needs for two ticks of the first schedule. */
const TICKS_PATIENCE_MS = 60_000;
/** How long it is waited until leases have run out and were prolonged; a broken build may have none. */
const LEASES_PATIENCE_MS = 6_000;
/** How often it is noted how long the recording is; times of two processes are rounded. */
const SAMPLE_MS = 5;
/** Where messages go, and how often beside KEPT, which has as many as ACKED, LATER and RETRY. */
const PLACES = [
  ...[ACKED, ACKED, LATER, RETRY, STEP, LEASE, LEASE, GROUPED, GROUPED, ONCE, ONCE, JOB, JOB],
  ...[LAST, FIRST, FIRST, STREAM, STREAM, KEPT, KEPT, KEPT, KEPT],
];

/**
 * Runs a broker from `program` for so many messages. The answer is the file with the recording, and for
 * each message where in it what became certain; Infinity: never.
 * @param {{ recorder: string, program: string, env?: Record<string, string>, messages: number, random: any }} options
 */
export async function record({ recorder, program, env = {}, messages, random }) {
  const folder = mkdtempSync(join(tmpdir(), 'leveret-power-'));
  const log = join(folder, 'recording');
  const args = [program, 'start', '--port', '0', '--data-dir', join(folder, 'data')];
  const definitions = join(folder, 'definitions.json');
  writeFileSync(definitions, JSON.stringify(DEFINITIONS));
  const own = { LEVERET_LOAD_DEFINITIONS: definitions, LD_PRELOAD: recorder, POWER_LOG: log };
  const start = async () => {
    const child = spawn(process.execPath, args, {
      env: { ...process.env, ...own, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const port = await new Promise((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`the broker ended with ${code}`)));
      createInterface({ input: child.stdout }).on('line', (line) => {
        const entry = JSON.parse(line);
        if (entry.msg === 'listening') resolve(entry.port);
      });
    });
    const kill = async () => {
      child.removeAllListeners('exit');
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('exit', resolve));
    };
    return { port, kill };
  };
  const now = () => statSync(log).size;
  const broker = await start();
  const facts = await load(broker.port, now, messages, random);
  await broker.kill();
  // Power may fail amid a start as well, while it applies what the log has and begins a new one.
  facts.startedAt = now();
  const again = await start();
  await again.kill();
  return { folder, log, facts, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

async function load(port, now, messages, random) {
  const connection = await connect(`amqp://guest:guest@127.0.0.1:${port}`);
  const channel = await connection.createConfirmChannel();
  const other = await connection.createConfirmChannel();
  const facts = { declaredAt: Infinity, messages: [] };
  await declareTopology(channel);
  facts.declaredAt = now();
  const samples = [];
  const sampling = setInterval(() => samples.push([performance.now(), now()]), SAMPLE_MS);
  const waits = [];
  const keys = new KeysInUse(random);
  await readStream(channel, facts, now);
  const workers = await startWorkers({ channel, facts, now, random, keys });
  for (let number = 0; number < messages; ) {
    const waiting = [];
    for (let n = random.below(random.below(6) === 0 ? 60 : 6); n >= 0; n--, number++) {
      waiting.push(publishNext(PLACES[random.below(PLACES.length)]));
    }
    await Promise.all(waiting);
    if (random.below(10) === 0) await sleep(random.below(20));
  }
  // A fast machine is done before any schedule ticks or any lease is over: cuts have to fall between these, too.
  const startedAt = performance.now();
  const waited = () => performance.now() - startedAt;
  const ticked = async () => (await channel.checkQueue(TICKS)).messageCount > SCHEDULES.length;
  for (let done = false; !done; ) {
    if (waited() > TICKS_PATIENCE_MS) throw new Error('the schedules do not tick');
    // Often the others come while the batch of the first is on its way to the disk.
    const later = (place) => sleep(random.below(4)).then(() => publishNext(place));
    const other = PLACES[random.below(PLACES.length)];
    await Promise.all([publishNext(KEPT), later(other), later(FIRST), sleep(10)]);
    done = (workers.leasesEnded || waited() > LEASES_PATIENCE_MS) && (await ticked());
  }
  await sleep(300 + DELAY_MAX_MS);
  clearInterval(sampling);
  workers.stop();
  for (const { fact, dueAt } of waits) {
    // The last sample that was surely taken before its time.
    fact.readyFrom = samples.findLast(([at]) => at < dueAt)?.[1] ?? 0;
  }
  connection.on('error', () => {});
  return facts;

  /** Publishes to a queue or to FIRST, and notes the confirm: all acks sent on this channel before are on the disk with it. */
  function publishNext(place) {
    const queues = place === FIRST ? FIRST_QUEUES : [place];
    const fact = {
      ...{ place, queues, group: null, key: null, brief: false, firstOf: null },
      ...{ confirmedAt: Infinity, ackedFrom: Infinity, ackedAt: Infinity },
      ...{ handedFrom: Infinity, handedAt: Infinity, readyFrom: 0 },
    };
    const number = facts.messages.push(fact) - 1;
    const body = makeBody(number, random);
    const headers = {};
    if (place === LATER || (place === JOB && random.below(3) === 0)) {
      const delay = random.below(DELAY_MAX_MS);
      if (delay > 0) headers['x-delay'] = delay;
      if (delay > 0) waits.push({ fact, dueAt: performance.now() + delay - SAMPLE_MS });
    }
    if (place === GROUPED) {
      fact.group = `group ${random.below(GROUPS)}`;
      headers.group = fact.group;
      // Some that are put back hold up their group from then on.
      if (random.below(2) === 0) headers['x-delayed-retry-min'] = LONG_MS;
    }
    Object.assign(headers, keys.choose(fact, number));
    const acked = workers.acksUntilNow();
    const read = acksOf(facts);
    const publish = (on) => {
      const [exchange, key] = addressOf(place);
      return new Promise((resolve, reject) => {
        on.publish(exchange, key, body, { persistent: true, headers }, (error) => {
          if (error) return reject(error);
          const at = now();
          fact.confirmedAt = Math.min(fact.confirmedAt, at);
          // A message that was acked before it was written needs no write, and then none is waited for.
          if (place === KEPT) {
            for (const each of acked()) each.ackedAt = Math.min(each.ackedAt, at);
            read(at);
          }
          resolve();
        });
      });
    };
    // One that is not sure sends it again on another channel, and either may come first.
    const twice = (place === FIRST || place === ONCE) && fact.firstOf === null && !fact.brief;
    return Promise.all(twice ? [publish(channel), publish(other)] : [publish(channel)]);
  }
}
