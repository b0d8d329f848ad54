// Eight publishers send bodies of 128 MiB at once to a broker that may use 400 MB: npm run large.
// Fails when a body is lost or damaged, or when the broker takes more memory than it should.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { connect } from 'amqplib';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PUBLISHERS = 8;
const BODY_BYTES = 128 * 2 ** 20;
const WATERMARK = '400MB';
/** What the C library keeps of what was freed counts here, though not for the alarm. */
const PEAK_MIB_MAX = 1500;

const folder = mkdtempSync(join(tmpdir(), 'leveret-large-'));
const args = [join(ROOT, 'bin', 'leveret'), 'start', '--port', '0', '--data-dir', folder];
const broker = spawn(process.execPath, args, {
  env: { ...process.env, LEVERET_VM_MEMORY_HIGH_WATERMARK_ABSOLUTE: WATERMARK },
  stdio: ['ignore', 'pipe', 'inherit'],
});
let alarms = 0;
const port = await new Promise((resolve, reject) => {
  broker.once('exit', (code) => reject(new Error(`the broker ended with ${code}`)));
  createInterface({ input: broker.stdout }).on('line', (line) => {
    const entry = JSON.parse(line);
    if (entry.msg === 'listening') resolve(entry.port);
    if (entry.msg.startsWith('memory alarm:')) alarms += 1;
  });
});

/** A body that no other is like, and what to know it by. */
function makeBody(number) {
  const body = Buffer.alloc(BODY_BYTES, `${number} `);
  return { body, sum: createHash('sha1').update(body).digest('hex') };
}

const url = `amqp://guest:guest@127.0.0.1:${port}`;
const startMs = performance.now();
const wanted = new Set();
let failure = '';
const consumer = await (await connect(url)).createChannel();
await consumer.assertQueue('large', { durable: true });
await consumer.prefetch(1);
await consumer.consume('large', (message) => {
  const sum = createHash('sha1').update(message.content).digest('hex');
  if (!wanted.delete(sum)) failure = 'a body is damaged, or came twice';
  consumer.ack(message);
});
const publishers = Array.from({ length: PUBLISHERS }, async (_none, number) => {
  const { body, sum } = makeBody(number);
  wanted.add(sum);
  const channel = await (await connect(url)).createConfirmChannel();
  // Every other one is not to be stored.
  channel.sendToQueue('large', body, { persistent: number % 2 === 0 });
  await channel.waitForConfirms();
});
await Promise.all(publishers);
for (let i = 0; i < 300 && wanted.size > 0; i++) {
  await new Promise((resolve) => setTimeout(resolve, 100));
}
if (wanted.size > 0) failure = `${wanted.size} bodies are missing`;
const status = readFileSync(`/proc/${broker.pid}/status`, 'utf8');
const peakMib = Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024);
if (peakMib > PEAK_MIB_MAX) failure = `the broker took ${peakMib} MiB`;
const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
const mib = BODY_BYTES / 2 ** 20;
console.log(
  `${PUBLISHERS} bodies of ${mib} MiB in ${seconds} s under ${WATERMARK}: ` +
    `${alarms} alarms, peak ${peakMib} MiB, ${failure === '' ? 'all right' : failure}`,
);
broker.removeAllListeners('exit');
broker.kill('SIGKILL');
rmSync(folder, { recursive: true, force: true });
process.exit(failure === '' ? 0 : 1);
