// Owns the walls of the unit project: a test in it that opens a socket, starts a process or a thread, or waits for
// the real clock fails where it does so. Never a wall for the system project, whose tests are there for these.

import childProcess from 'node:child_process';
import dgram from 'node:dgram';
import dns from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import timers from 'node:timers';
import timersPromises from 'node:timers/promises';
import workerThreads from 'node:worker_threads';
import { vi } from 'vitest';

// Sources are loaded once for all files of a worker, so that a file cannot ask for this itself.
vi.mock('../../src/util/system/runtime.ts', () => import('./fakeable-runtime.ts'));

/** Where what is called is kept: an object of a module of Node.js, or the prototype of a class of it. */
type Place = object;

const SEALED = Symbol.for('leveret.sealed');

/** What a test that needs the outside is told. */
function refusal(what: string): Error {
  return new Error(
    `a unit test must not ${what}: give it a fake, or list its file among the system tests in test/support/projects.ts`,
  );
}

function refuse(place: Place, names: readonly string[], what: string): void {
  for (const name of names) {
    Reflect.set(place, name, function refused() {
      throw refusal(what);
    });
  }
}

/** Lets a timer run only where it fires without waiting. */
function refuseWaiting(place: Place, name: string, delayAt: number): void {
  const original = Reflect.get(place, name) as (...given: unknown[]) => unknown;
  const guarded = (...given: unknown[]): unknown => {
    if (Number(given[delayAt] ?? 0) > 0) throw refusal(`wait for the clock with ${name}`);
    return original(...given);
  };
  Reflect.set(place, name, Object.assign(guarded, original));
}

function seal(): void {
  refuse(net.Server.prototype, ['listen'], 'listen on a socket');
  refuse(net.Socket.prototype, ['connect'], 'connect to a socket');
  refuse(dgram, ['createSocket'], 'open a socket');
  refuse(dns, ['lookup', 'resolve'], 'look up a name');
  refuse(childProcess.ChildProcess.prototype, ['spawn'], 'start a process');
  refuse(childProcess, ['execFileSync', 'execSync', 'spawnSync'], 'start a process');
  refuse(workerThreads, ['Worker'], 'start a thread');
  refuseWaiting(timersPromises, 'setTimeout', 0);
  for (const place of [globalThis, timers]) {
    refuseWaiting(place, 'setTimeout', 1);
    refuseWaiting(place, 'setInterval', 1);
  }
  syncBuiltinESMExports();
}

// Files of one worker share its modules of Node.js: they are walled in once.
if (!Reflect.has(globalThis, SEALED)) {
  Reflect.set(globalThis, SEALED, true);
  seal();
}
