// Owns what systemd is told of this process, in the protocol of sd_notify. Never decides when: that is
// process-lifecycle.ts.
//
// Node cannot send to a datagram socket of Unix by itself. systemd brings a program that does, so a small shell is
// started once, while this process is small, and runs that program for each line that it is given. It ends with
// this process. Since its messages come from another process, a unit needs NotifyAccess=all.

import { type ChildProcess, spawn } from 'node:child_process';
import type { Logger } from 'pino';

/** What starts and watches this process, and wants to know how it is. */
export interface ServiceManager {
  /** The broker is being started, which may take long. */
  starting(): void;
  /** Clients can connect. */
  ready(status: string): void;
  /** What files say is being read again. */
  reloading(): void;
  /** It has been read. */
  reloaded(): void;
  /** The broker is being stopped, which takes at most this long. */
  stopping(timeoutMs: number): void;
}

/** Where nothing is to be told. */
export const NO_MANAGER: ServiceManager = {
  starting: () => {},
  ready: () => {},
  reloading: () => {},
  reloaded: () => {},
  stopping: () => {},
};

/** What systemd's messages are made of. */
export interface Means {
  /** Sends one message: its assignments. */
  tell(assignments: readonly string[]): void;
  after(delayMs: number, listener: () => void): void;
  /** Microseconds of the system's monotonic clock. */
  monotonicUs(): bigint;
}

/** A start may take this long without a sign that it goes on: ten million messages are read in far less. */
const START_US = 600_000_000;
const START_AGAIN_MS = 60_000;
/** What ending the process takes beside closing the broker. */
const END_US = 10_000_000;

/** systemd, for a unit with Type=notify. */
export class Systemd implements ServiceManager {
  private readonly means: Means;
  private state: 'starting' | 'running' | 'stopping' = 'starting';
  private status = '';

  /** `watchdogMs`: how long systemd waits for a sign of life; null when it does not. */
  constructor(means: Means, watchdogMs: number | null) {
    this.means = means;
    if (watchdogMs !== null) this.keepAlive(watchdogMs / 2);
  }

  starting(): void {
    if (this.state !== 'starting') return;
    this.means.tell(['STATUS=Reading the data folder', `EXTEND_TIMEOUT_USEC=${START_US}`]);
    this.means.after(START_AGAIN_MS, () => this.starting());
  }

  ready(status: string): void {
    if (this.state === 'stopping') return;
    this.state = 'running';
    this.status = oneLine(status);
    this.means.tell(['READY=1', `STATUS=${this.status}`]);
  }

  reloading(): void {
    if (this.state !== 'running') return;
    this.means.tell(['RELOADING=1', `MONOTONIC_USEC=${this.means.monotonicUs()}`]);
  }

  reloaded(): void {
    if (this.state === 'running') this.ready(this.status);
  }

  stopping(timeoutMs: number): void {
    this.state = 'stopping';
    const extend = `EXTEND_TIMEOUT_USEC=${timeoutMs * 1000 + END_US}`;
    this.means.tell(['STOPPING=1', 'STATUS=Stopping', extend]);
  }

  /** Comes from a timer: when the event loop turns no more, systemd hears nothing, and acts. */
  private keepAlive(everyMs: number): void {
    this.means.after(everyMs, () => {
      if (this.state === 'running') this.means.tell(['WATCHDOG=1']);
      this.keepAlive(everyMs);
    });
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

/** How long systemd waits for a sign of life of this process, in milliseconds; null when it does not wait. */
export function watchdogOf(env: Environment, pid: number): number | null {
  const micros = Number(env['WATCHDOG_USEC'] ?? '');
  const meant = env['WATCHDOG_PID'];
  if (meant !== undefined && meant !== String(pid)) return null;
  return Number.isSafeInteger(micros) && micros >= 2000 ? micros / 1000 : null;
}

/** What this process was started by; nothing is told, and no process started, where NOTIFY_SOCKET is not set. */
export function serviceManager(
  env: Environment,
  after: Means['after'],
  logger: Logger,
): ServiceManager {
  if ((env['NOTIFY_SOCKET'] ?? '') === '') return NO_MANAGER;
  const means = {
    tell: shell(env, logger),
    after,
    monotonicUs: () => process.hrtime.bigint() / 1000n,
  };
  return new Systemd(means, watchdogOf(env, process.pid));
}

/** Runs systemd's program for each line: its assignments, divided by tabs. Signals for the group are not for it. */
const SCRIPT = `trap '' INT TERM HUP; set -f; IFS='\t'; while read -r line; do systemd-notify $line; done`;

/** Starts the shell. What goes wrong there is logged once; the broker goes on without. */
function shell(env: Environment, logger: Logger): Means['tell'] {
  let said = false;
  const failed = (why: string): void => {
    if (!said) logger.warn({ why }, 'the service manager cannot be told how the broker is');
    said = true;
  };
  const { NOTIFY_SOCKET, PATH } = env;
  const stdio: ['pipe', 'ignore', 'pipe'] = ['pipe', 'ignore', 'pipe'];
  let child: ChildProcess;
  try {
    child = spawn('/bin/sh', ['-c', SCRIPT], { stdio, env: { NOTIFY_SOCKET, PATH } });
  } catch (error) {
    failed((error as Error).message);
    return () => {};
  }
  child.on('error', (error) => failed(error.message));
  child.on('exit', () => failed('the shell that does it ended'));
  // A system without descriptors or memory for it may give no pipes.
  const { stdin, stderr } = child;
  stdin?.on('error', (error) => failed(error.message));
  stderr?.on('data', (text: Buffer) => failed(String(text).trim()));
  child.unref();
  return (assignments) => {
    if (stdin?.writable === true) stdin.write(`${assignments.join('\t')}\n`);
  };
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ');
}
