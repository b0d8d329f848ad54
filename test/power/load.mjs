// One recorded run: a broker under the recorder, and a client that publishes, consumes and acks while it
// notes how long the recording was when it knew something for sure.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { connect } from 'amqplib';

export const [KEPT, ACKED] = ['power.kept', 'power.acked'];
/** Messages wait here before they are ready, or before they are tried again; those of STEP are handed on to NEXT. */
export const [LATER, RETRY, STEP, NEXT] = ['later', 'retry', 'step', 'next'].map(
  (name) => `power.${name}`,
);
/** Where schedules publish, and nothing consumes. */
export const TICKS = 'power.ticks';
export const SCHEDULES = [1_000, 1_130, 1_270].map((every) => ({
  vhost: '/',
  name: `every ${every} ms`,
  every,
  routing_key: TICKS,
  payload: 'tick',
}));
export const QUEUES = [KEPT, ACKED, LATER, RETRY, STEP, NEXT];
const DEFINITIONS = {
  users: [{ name: 'guest', password: 'guest', tags: 'administrator' }],
  vhosts: [{ name: '/' }],
  permissions: [{ user: 'guest', vhost: '/', configure: '.*', write: '.*', read: '.*' }],
  schedules: SCHEDULES,
};
const DELAY_MAX_MS = 500;
const RETRY_MIN_MS = 100;
/** Longer than any busy machine needs for two ticks of the first schedule. */
const TICKS_PATIENCE_MS = 60_000;
/** How often it is noted how long the recording is; times of two processes are rounded. */
const SAMPLE_MS = 5;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A body: its number, and bytes that follow from it, with their checksum in front. */
export function makeBody(number, random) {
  const body = Buffer.alloc(
    8 + random.below(random.below(20) === 0 ? 40_000 : 1_500),
    `${number} `,
  );
  body.writeUInt32BE(number, 4);
  body.writeUInt32BE(crc32(body.subarray(4)), 0);
  return body;
}

/** The number of a body, or null when it is not one that was made. */
export function numberOf(body) {
  if (body.length < 8 || body.readUInt32BE(0) !== crc32(body.subarray(4))) return null;
  return body.readUInt32BE(4);
}

/**
 * Runs a broker from `program` for so many messages. The answer is the file with the recording, and for
 * each message where in it what became certain; Infinity: never.
 * @param {{ recorder: string, program?: string, env?: Record<string, string>, messages: number, random: any }} options
 */
export async function record({ recorder, program, env = {}, messages, random }) {
  const folder = mkdtempSync(join(tmpdir(), 'leveret-power-'));
  const log = join(folder, 'recording');
  const bin = program ?? join(ROOT, 'bin', 'leveret');
  const args = [bin, 'start', '--port', '0', '--data-dir', join(folder, 'data')];
  const definitions = join(folder, 'definitions.json');
  writeFileSync(definitions, JSON.stringify(DEFINITIONS));
  const own = { LEVERET_LOAD_DEFINITIONS: definitions, LD_PRELOAD: recorder, POWER_LOG: log };
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
  const now = () => statSync(log).size;
  const facts = await load(port, now, messages, random);
  child.removeAllListeners('exit');
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('exit', resolve));
  return { folder, log, facts, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

async function load(port, now, messages, random) {
  const connection = await connect(`amqp://guest:guest@127.0.0.1:${port}`);
  const channel = await connection.createConfirmChannel();
  const facts = { declaredAt: Infinity, messages: [] };
  await channel.assertQueue(TICKS, { durable: true });
  for (const queue of QUEUES) {
    const args = queue === RETRY ? { 'x-delayed-retry-min': RETRY_MIN_MS } : {};
    await channel.assertQueue(queue, { durable: true, arguments: args });
  }
  facts.declaredAt = now();
  const acksUnsure = [];
  const samples = [];
  const sampling = setInterval(() => samples.push([performance.now(), now()]), SAMPLE_MS);
  const waits = [];
  const factOf = (message) => facts.messages[numberOf(message.content)];
  await channel.consume(ACKED, (message) => {
    const fact = factOf(message);
    // Some are left alone, some are acked at once, some a little later.
    if (random.below(4) === 0) return;
    const ack = () => {
      fact.ackedFrom = Math.min(fact.ackedFrom, now());
      acksUnsure.push(fact);
      channel.ack(message);
    };
    if (random.below(2) === 0) ack();
    else setTimeout(ack, random.below(30));
  });
  // What comes back waits for another try, and is left alone then.
  await channel.consume(RETRY, (message) => {
    if (!message.fields.redelivered && random.below(4) > 0) channel.nack(message);
  });
  await channel.consume(STEP, (message) => {
    if (random.below(4) === 0) return;
    const fact = factOf(message);
    fact.handedFrom = now();
    const headers = { 'x-ack-delivery-tag': message.fields.deliveryTag };
    const options = { persistent: true, headers };
    channel.sendToQueue(NEXT, message.content, options, (error) => {
      if (!error) fact.handedAt = now();
    });
  });
  for (let number = 0; number < messages; ) {
    const waiting = [];
    for (let n = random.below(random.below(6) === 0 ? 60 : 6); n >= 0; n--, number++) {
      waiting.push(publishNext([ACKED, ACKED, LATER, RETRY, STEP][random.below(9)] ?? KEPT));
    }
    await Promise.all(waiting);
    if (random.below(10) === 0) await sleep(random.below(20));
  }
  // A fast machine is done before any schedule ticks: cuts have to fall between ticks, too.
  const limit = performance.now() + TICKS_PATIENCE_MS;
  while ((await channel.checkQueue(TICKS)).messageCount <= SCHEDULES.length) {
    if (performance.now() > limit) throw new Error('the schedules do not tick');
    await publishNext(KEPT);
    await sleep(10);
  }
  await sleep(300 + DELAY_MAX_MS);
  clearInterval(sampling);
  for (const { fact, dueAt } of waits) {
    // The last sample that was surely taken before its time.
    fact.readyFrom = samples.findLast(([at]) => at < dueAt)?.[1] ?? 0;
  }
  connection.on('error', () => {});
  return facts;

  function publishNext(queue) {
    const never = { ackedFrom: Infinity, ackedAt: Infinity };
    const steps = { handedFrom: Infinity, handedAt: Infinity, readyFrom: 0 };
    const number = facts.messages.push({ queue, confirmedAt: Infinity, ...never, ...steps }) - 1;
    return publish(channel, queue, number);
  }

  /** Publishes, and notes the confirm: all acks sent on this channel before are on the disk with it. */
  function publish(on, queue, number) {
    const before = acksUnsure.length;
    const fact = facts.messages[number];
    const delay = queue === LATER ? random.below(DELAY_MAX_MS) : 0;
    if (delay > 0) waits.push({ fact, dueAt: performance.now() + delay - SAMPLE_MS });
    const options = { persistent: true, ...(delay > 0 && { headers: { 'x-delay': delay } }) };
    return new Promise((resolve, reject) => {
      on.sendToQueue(queue, makeBody(number, random), options, (error) => {
        if (error) return reject(error);
        const at = now();
        fact.confirmedAt = at;
        // A message that was acked before it was written needs no write, and then none is waited for.
        if (queue === KEPT)
          for (const acked of acksUnsure.slice(0, before)) {
            acked.ackedAt = Math.min(acked.ackedAt, at);
          }
        resolve();
      });
    });
  }
}
