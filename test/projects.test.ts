// Owns the proof that tests are divided truly: each file is in one project, and a unit test that reaches outside
// fails. Never says which file belongs where: test/support/projects.ts does.

import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { createServer as createHttpServer, get } from 'node:http';
import { connect, createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { Worker } from 'node:worker_threads';
import glob from 'fast-glob';
import { expect, test, vi } from 'vitest';
import { CONFORMANCE, ONCE, SYSTEM, UNIT } from './support/projects.ts';

const REFUSED = /^a unit test must not /;

test('each test file is in one project', async () => {
  const all = await glob('test/**/*.test.ts');
  const projects = await Promise.all([
    glob(UNIT.include, { ignore: UNIT.exclude }),
    glob(SYSTEM.include, { ignore: SYSTEM.exclude }),
    glob(CONFORMANCE.include),
  ]);
  for (const files of projects) expect(files).not.toEqual([]);
  expect(projects.flat().sort()).toEqual(all.sort());
});

test('what a second run leaves out is there, and part of the system', async () => {
  for (const pattern of ONCE) expect(await glob(pattern), pattern).not.toEqual([]);
  const system = await glob(SYSTEM.include, { ignore: SYSTEM.exclude });
  expect(system).toEqual(expect.arrayContaining(await glob(ONCE)));
});

test('a unit test that opens a socket fails', () => {
  expect(() => createServer().listen(0)).toThrow(REFUSED);
  expect(() => createHttpServer().listen(0)).toThrow(REFUSED);
  expect(() => connect(1, '127.0.0.1')).toThrow(REFUSED);
  expect(() => connectTls(1, '127.0.0.1')).toThrow(REFUSED);
  expect(() => get('http://127.0.0.1:1')).toThrow(REFUSED);
  expect(() => createSocket('udp4')).toThrow(REFUSED);
});

test('a unit test that starts a process or a thread fails', () => {
  expect(() => spawn(process.execPath)).toThrow(REFUSED);
  expect(() => spawnSync(process.execPath)).toThrow(REFUSED);
  expect(() => new Worker('', { eval: true })).toThrow(REFUSED);
});

test('a unit test that waits for the clock fails', () => {
  expect(() => setTimeout(() => {}, 1)).toThrow(REFUSED);
  expect(() => setInterval(() => {}, 1)).toThrow(REFUSED);
  expect(() => wait(1)).toThrow(REFUSED);
});

test('a unit test may move the clock by hand, and let the loop go round', async () => {
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setTimeout(resolve, 0));
  vi.useFakeTimers();
  try {
    let fired = 0;
    setTimeout(() => {
      fired += 1;
    }, 1_000);
    vi.advanceTimersByTime(1_000);
    expect(fired).toBe(1);
  } finally {
    vi.useRealTimers();
  }
});
