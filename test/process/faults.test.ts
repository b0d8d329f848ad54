// Owns the faults around a broker: too few open files, peers that vanish without a word. Each as a user
// would meet it, with a real process.

import { spawn } from 'node:child_process';
import { connect as connectSocket, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type ChannelModel, connect } from 'amqplib';
import { afterEach, expect, test } from 'vitest';
import { eventually } from '../support/amqp.ts';
import { type LogEntry, pause, ROOT, useProcesses } from './support.ts';

const processes = useProcesses();
const FILES_MAX = 100;
const cleanUps: (() => void)[] = [];

afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

/** A broker that may have so many files open; its port and the lines of its log. */
async function startWithFiles(max: number): Promise<{ port: number; entries: LogEntry[] }> {
  const command = `ulimit -n ${max}; exec "$0" "$@"`;
  const args = [join(ROOT, 'bin', 'leveret'), 'start', '--port', '0', '--memory'];
  const child = spawn('sh', ['-c', command, process.execPath, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  cleanUps.push(() => child.kill('SIGKILL'));
  const entries: LogEntry[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    entries.push(JSON.parse(line) as LogEntry);
  });
  const listening = (): LogEntry | undefined => entries.find(({ msg }) => msg === 'listening');
  await until(() => listening() !== undefined, 'the start');
  return { port: listening()?.['port'] as number, entries };
}

async function until(true_: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !true_(); tries++) {
    if (tries > 1_000) throw new Error(`${what} does not come`);
    await pause(10);
  }
}

/** Whether a message goes to a queue and back. */
async function works(model: ChannelModel): Promise<boolean> {
  const channel = await model.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  channel.sendToQueue(queue, Buffer.from('there and back'));
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (message !== false) return message.content.toString() === 'there and back';
    await pause(5);
  }
}

test('with too few open files newcomers are refused with a reason, those there go on, and room comes back', async () => {
  const { port, entries } = await startWithFiles(FILES_MAX);
  const url = `amqp://guest:guest@127.0.0.1:${port}`;
  const first = await connect(url);
  first.on('error', () => {});
  const sockets: Socket[] = [];
  let closed = 0;
  for (let n = 0; n < FILES_MAX * 2; n++) {
    const socket = connectSocket(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.on('close', () => {
      closed += 1;
    });
    sockets.push(socket);
  }
  await until(() => closed > FILES_MAX / 2, 'the refusal of newcomers');
  const said = entries.find(({ msg }) => String(msg).includes('no more open files'));
  expect(said?.['msg']).toMatch(
    /^(?:connection refused|a connection without a login gave way): .*ulimit/,
  );
  expect(await works(first)).toBe(true);
  for (const socket of sockets) socket.destroy();
  let second: ChannelModel | null = null;
  for (let tries = 0; second === null && tries < 100; tries++) {
    second = await connect(url).catch(() => null);
    if (second === null) await pause(50);
  }
  expect(second === null ? false : await works(second)).toBe(true);
  await second?.close();
  await first.close();
});

test('a peer that vanishes without a word is gone after two heartbeats, and what it held is ready again', async () => {
  const broker = await processes.spawn(['--port', '0', '--memory']).listening();
  let stuck = false;
  const proxy = createServer((near) => {
    const far = connectSocket(broker.port, '127.0.0.1');
    // Neither side is told anything once the line is stuck, not even that it is cut.
    near.on('data', (chunk) => stuck || far.write(chunk));
    far.on('data', (chunk) => stuck || near.write(chunk));
    far.on('close', () => near.destroy());
    for (const socket of [near, far]) socket.on('error', () => {});
    cleanUps.push(() => far.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  cleanUps.push(() => proxy.close());
  const { port } = proxy.address() as { port: number };
  const other = await processes.channel(broker);
  await other.assertQueue('jobs');
  other.sendToQueue('jobs', Buffer.from('job'));
  await other.waitForConfirms();
  const vanishing = await connect(`amqp://guest:guest@127.0.0.1:${port}/?heartbeat=1`);
  vanishing.on('error', () => {});
  const channel = await vanishing.createChannel();
  await new Promise((resolve) => channel.consume('jobs', resolve));
  stuck = true;
  const back = await eventually(() => other.get('jobs'), 'the end of a peer that vanished');
  expect(back.fields.redelivered).toBe(true);
  expect(JSON.stringify(broker.entries)).toContain('heartbeat');
});
