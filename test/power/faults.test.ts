// Disks that fail: the recorder makes one of the broker's calls fail, and what was confirmed until then has
// to be there once the disk is well again.
import { expect, test } from 'vitest';
import { useProcesses } from '../process/support.ts';
import { buildRecorder } from './compiler.ts';

const processes = useProcesses();
const recorder = buildRecorder();
const QUEUE = 'fault';
const PATIENCE_MS = 20_000;

const FAULTS = [
  ['a write of data fails with EIO', 'eio-write:40'],
  ['a write of a meta page fails with EIO', 'eio-meta:14'],
  ['a sync fails with EIO', 'eio-sync:14'],
  ['the disk is full', 'enospc-write:40'],
  ['a write is cut short', 'short-write:40'],
  ['a write to the log fails with EIO', 'eio-log:40'],
  ['a write to the log finds no room', 'enospc-log:40'],
  ['a write to the log is cut short', 'short-log:40'],
] as const;

const HANGS = [
  ['a sync', 'hang-sync:14'],
  ['a write to the log', 'hang-log:20'],
] as const;

const KILLS = [
  ['as it writes to the log', 'kill-log:45'],
  ['as it writes data', 'kill-write:45'],
  ['as it writes a meta page', 'kill-meta:14'],
  ['as it syncs', 'kill-sync:14'],
] as const;

/** Publishes until the broker is gone; returns how many were confirmed. */
async function publishUntilItEnds(dataDir: string, fault: string) {
  const args = ['--port', '0', '--data-dir', dataDir];
  const env = { LD_PRELOAD: recorder ?? '', POWER_FAULT: fault, LEVERET_COMMIT_TIMEOUT: '1000' };
  const broker = await processes.spawn(args, env).listening();
  const channel = await processes.channel(broker);
  await channel.assertQueue(QUEUE, { durable: true });
  let confirmed = 0;
  let sent = 0;
  const gone = broker.ended.then(() => true);
  for (;;) {
    const body = Buffer.alloc(200, `${sent++} `);
    const done = new Promise<boolean>((resolve) => {
      try {
        channel.sendToQueue(QUEUE, body, { persistent: true }, (error) => {
          if (!error) confirmed += 1;
          resolve(error !== null && error !== undefined);
        });
      } catch {
        resolve(true);
      }
    });
    if (await Promise.race([done, gone])) break;
    if (sent > 10_000) throw new Error(`the fault ${fault} never came`);
  }
  const ended = await broker.ended;
  const said = broker.entries.at(-1)?.['msg'];
  const reason = (broker.entries.at(-1)?.['err'] as { message?: string } | undefined)?.message;
  return { ended, said, reason, stderr: broker.stderr, confirmed, sent };
}

const READ_BACK = 'the last batches were read back out of batches.log';

/** The numbers of the messages in the queue of a healthy broker, and what it had to say of the log as it started. */
async function whatIsKept(dataDir: string): Promise<{ kept: number[]; readBack: boolean }> {
  const broker = await processes.start(dataDir);
  const readBack = broker.entries.some(({ msg }) => msg === READ_BACK);
  const channel = await processes.channel(broker);
  const numbers: number[] = [];
  for (;;) {
    const message = await channel.get(QUEUE, { noAck: true });
    if (message === false) break;
    numbers.push(Number.parseInt(message.content.toString('latin1'), 10));
  }
  await broker.end('SIGTERM');
  return { kept: numbers, readBack };
}

test.runIf(recorder !== null).each(FAULTS)(
  'when %s the broker ends with 1, says why, and has confirmed nothing that is not there',
  { timeout: PATIENCE_MS * 2 },
  async (_what, fault) => {
    const dataDir = processes.folder();
    const { ended, said, reason, stderr, confirmed, sent } = await publishUntilItEnds(
      dataDir,
      fault,
    );
    if (ended.signal === 'SIGABRT') {
      // LMDB words why a write failed in a buffer that is at times too short for it, and the system ends the process.
      expect(stderr).toMatch(/^Write error: .*(size|corrupt|invalid|overflow)/);
    } else {
      expect(ended, stderr).toEqual({ code: 1, signal: null });
      expect(said).toBe('stopped because the store failed');
      expect(reason).toMatch(/^a commit has failed: .*: (look at the disk|make room on that disk)/);
    }
    expect(confirmed).toBeGreaterThan(0);
    const { kept, readBack } = await whatIsKept(dataDir);
    // The tables failed over what was confirmed.
    if (!fault.includes('-log')) expect(readBack).toBe(true);
    expect(kept.slice(0, confirmed)).toEqual(Array.from({ length: confirmed }, (_, n) => n));
    expect(kept.length).toBeLessThanOrEqual(sent);
  },
);

test.runIf(recorder !== null).each(HANGS)(
  'when %s never returns the broker gives up after commit_timeout, whatever its threads do',
  { timeout: PATIENCE_MS * 2 },
  async (_what, fault) => {
    const dataDir = processes.folder();
    const { ended, said, confirmed } = await publishUntilItEnds(dataDir, fault);
    expect(said).toBe('stopped because the store failed');
    // A thread that hangs in the system cannot be waited for.
    expect(ended.signal).toBe('SIGKILL');
    const { kept } = await whatIsKept(dataDir);
    expect(kept.slice(0, confirmed)).toEqual(Array.from({ length: confirmed }, (_, n) => n));
  },
);

test.runIf(recorder !== null).each(KILLS)(
  'killed %s, a broker has what it confirmed',
  { timeout: PATIENCE_MS * 2 },
  async (_what, fault) => {
    const dataDir = processes.folder();
    const { ended, confirmed } = await publishUntilItEnds(dataDir, fault);
    expect(ended.signal).toBe('SIGKILL');
    expect(confirmed).toBeGreaterThan(0);
    const { kept } = await whatIsKept(dataDir);
    expect(kept.slice(0, confirmed)).toEqual(Array.from({ length: confirmed }, (_, n) => n));
  },
);
