// Whether systemd is told how the broker is: what in which order, and by a real datagram socket.
import { ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  type Means,
  NO_MANAGER,
  Systemd,
  serviceManager,
  watchdogOf,
} from '../../src/cli/service-manager.ts';

const has = (program: string): boolean => spawnSync(program, ['--version']).status === 0;
const HAS_PROGRAMS = has('systemd-notify') && has('python3');

const told: string[][] = [];
let timers: { dueMs: number; listener: () => void }[] = [];
let nowMs = 0;

const means: Means = {
  tell: (assignments) => told.push([...assignments]),
  after: (delayMs, listener) => timers.push({ dueMs: nowMs + delayMs, listener }),
  monotonicUs: () => 77n,
};

beforeEach(() => {
  told.length = 0;
  timers = [];
  nowMs = 0;
});

/** Lets time go by, a second at a time. */
function pass(seconds: number): void {
  for (let each = 0; each < seconds; each++) {
    nowMs += 1000;
    const due = timers.filter((timer) => timer.dueMs <= nowMs);
    timers = timers.filter((timer) => timer.dueMs > nowMs);
    for (const { listener } of due) listener();
  }
}

describe('systemd is told', () => {
  test('that a start goes on, until the broker is ready, and with which status', () => {
    const manager = new Systemd(means, null);
    manager.starting();
    pass(61);
    expect(told).toHaveLength(2);
    expect(told[1]).toContain('EXTEND_TIMEOUT_USEC=600000000');
    manager.ready('Listening on\n[::1]:5672');
    pass(300);
    expect(told.slice(2)).toEqual([['READY=1', 'STATUS=Listening on [::1]:5672']]);
  });

  test('that a reload begins and ends', () => {
    const manager = new Systemd(means, null);
    manager.reloading();
    manager.reloaded();
    expect(told).toEqual([]);
    manager.ready('here');
    manager.reloading();
    manager.reloaded();
    expect(told.slice(1)).toEqual([
      ['RELOADING=1', 'MONOTONIC_USEC=77'],
      ['READY=1', 'STATUS=here'],
    ]);
  });

  test('that the event loop turns, twice in the time that it waits, and only while the broker runs', () => {
    const manager = new Systemd(means, 20_000);
    pass(30);
    expect(told).toEqual([]);
    manager.ready('here');
    pass(60);
    expect(told.slice(1)).toEqual(Array.from({ length: 6 }, () => ['WATCHDOG=1']));
    manager.stopping(30_000);
    pass(60);
    expect(told.slice(7)).toEqual([
      ['STOPPING=1', 'STATUS=Stopping', 'EXTEND_TIMEOUT_USEC=40000000'],
    ]);
  });

  test('nothing of a start that comes to its end while the broker is being stopped', () => {
    const manager = new Systemd(means, null);
    manager.stopping(1000);
    manager.ready('here');
    manager.reloaded();
    expect(told).toHaveLength(1);
  });
});

test('a watchdog that is not for this process, or that is no number, is none', () => {
  expect(watchdogOf({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 7)).toBe(30_000);
  expect(watchdogOf({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, 7)).toBeNull();
  for (const text of ['', '-1', 'x', '1e999', '0']) {
    expect(watchdogOf({ WATCHDOG_USEC: text }, 7)).toBeNull();
  }
  expect(watchdogOf({}, 7)).toBeNull();
});

test('without NOTIFY_SOCKET nothing is told, and no process is started', () => {
  const after = (): void => expect.unreachable();
  const logger = pino({ level: 'silent' });
  expect(serviceManager({ WATCHDOG_USEC: '2000000' }, after, logger)).toBe(NO_MANAGER);
  expect(serviceManager({ NOTIFY_SOCKET: '' }, after, logger)).toBe(NO_MANAGER);
});

/** A manager whose warnings are kept. */
function warned(env: Readonly<Record<string, string>>) {
  const warnings: unknown[] = [];
  const write = (line: string): unknown => warnings.push(JSON.parse(line).why);
  return { manager: serviceManager(env, () => {}, pino({ base: null }, { write })), warnings };
}

test('a shell that cannot be started is said once, and the broker goes on', async () => {
  const { manager, warnings } = warned({ NOTIFY_SOCKET: 'a\0b' });
  manager.ready('here');
  expect(warnings).toEqual([expect.stringContaining('null bytes')]);
});

test('a process without descriptors for the pipes of the shell goes on', async () => {
  const failure = new Error('spawn /bin/sh EMFILE');
  // As the runtime does it there: no pipe is made, and the error comes as an event.
  const made = vi
    .spyOn(ChildProcess.prototype as unknown as { spawn(this: ChildProcess): unknown }, 'spawn')
    .mockImplementation(function (this: ChildProcess) {
      process.nextTick(() => this.emit('error', failure));
    });
  onTestFinished(() => made.mockRestore());
  const { manager, warnings } = warned({ NOTIFY_SOCKET: '/none' });
  manager.ready('here');
  await vi.waitFor(() => expect(warnings).toEqual([failure.message]));
  expect(made).toHaveBeenCalledOnce();
});

/** Takes datagrams as systemd does, with what they carry, and prints each as a line. */
const RECEIVER = fileURLToPath(new URL('../../packaging/systemd/receiver.py', import.meta.url));

/** Runs the receiver; returns what reads its next message. */
async function receive(name: string): Promise<() => Promise<string>> {
  const child: ChildProcess = spawn('python3', [RECEIVER, name]);
  onTestFinished(() => void child.kill());
  const lines: string[] = [];
  let rest = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts.map((part) => JSON.parse(part) as string));
  });
  const next = async (): Promise<string> => {
    while (lines.length === 0) await once(child.stdout as NodeJS.ReadableStream, 'data');
    return lines.shift() as string;
  };
  expect(await next()).toBe('bound');
  return next;
}

describe.skipIf(!HAS_PROGRAMS)('over a real socket, where systemd-notify and python3 are', () => {
  test.each(['a path', 'an abstract name'])(
    'messages arrive in their order at %s',
    async (kind) => {
      const folder = mkdtempSync(join(tmpdir(), 'leveret-notify-'));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const name = kind === 'a path' ? join(folder, 'notify') : `@${folder}`;
      const next = await receive(name);
      const logger = pino({ level: 'silent' });
      const env = { NOTIFY_SOCKET: name, PATH: process.env['PATH'] };
      const manager = serviceManager(env, () => {}, logger);
      manager.ready('Listening on * and [::1]:5672');
      manager.stopping(1000);
      const messages: string[] = [];
      // Its program sends an empty barrier behind each, which says that it was read.
      while (messages.length < 2) {
        const message = await next();
        if (!message.startsWith('BARRIER')) messages.push(message.trim());
      }
      expect(messages).toEqual([
        'READY=1\nSTATUS=Listening on * and [::1]:5672',
        'STOPPING=1\nSTATUS=Stopping\nEXTEND_TIMEOUT_USEC=11000000',
      ]);
    },
  );
});
