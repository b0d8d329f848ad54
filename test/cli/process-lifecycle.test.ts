import { type Logger, pino } from 'pino';
import { beforeEach, expect, test } from 'vitest';
import type { RunningBroker } from '../../src/boot/serve.ts';
import { type HeardSignal, type Host, supervise } from '../../src/cli/process-lifecycle.ts';
import { NO_MANAGER } from '../../src/cli/service-manager.ts';
import { defaultSettings } from '../../src/config/settings.ts';
import { StoreError, StuckCommitError } from '../../src/store/errors.ts';

const settings = defaultSettings();

let host: FakeHost;
let lines: Record<string, unknown>[];
let logger: Logger;
let broker: FakeBroker;

/** A process that writes down what happens to it, with a clock moved by hand. */
class FakeHost implements Host {
  readonly exits: number[] = [];
  kills = 0;
  readonly errors: string[] = [];
  nowMs = 1000;
  readonly clock = { wallMs: () => this.nowMs, monotonicMs: () => this.nowMs };
  private readonly signals = new Map<HeardSignal, () => void>();
  private readonly timers: { dueMs: number; listener: () => void }[] = [];
  private crashed: (error: unknown) => void = () => {};
  inputEnded = (): void => {};

  onInputEnd(listener: () => void): void {
    this.inputEnded = listener;
  }

  onSignal(signal: HeardSignal, listener: () => void): void {
    this.signals.set(signal, listener);
  }

  onCrash(listener: (error: unknown) => void): void {
    this.crashed = listener;
  }

  after(delayMs: number, listener: () => void): void {
    this.timers.push({ dueMs: this.nowMs + delayMs, listener });
  }

  writeError(line: string): void {
    this.errors.push(line);
  }

  /** What is to be said where the log cannot say it. */
  readonly whys: (string | undefined)[] = [];

  exit(code: number, why?: string): void {
    this.exits.push(code);
    this.whys.push(why);
  }

  kill(why: string): void {
    this.kills += 1;
    this.whys.push(why);
  }

  signal(signal: HeardSignal): void {
    this.signals.get(signal)?.();
  }

  crash(error: unknown): void {
    this.crashed(error);
  }

  pass(byMs: number): void {
    this.nowMs += byMs;
    for (const timer of this.timers) if (timer.dueMs <= this.nowMs) timer.listener();
  }
}

/** A promise that the test settles. */
class Deferred<T> {
  resolve: (value: T) => void = () => {};
  reject: (error: Error) => void = () => {};
  readonly promise = new Promise<T>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}

/** A broker whose start, failure and close the test decides. */
class FakeBroker implements RunningBroker {
  readonly addresses = [
    { key: 'listeners.tcp.default', host: '127.0.0.1', port: 40001, tls: false },
    { key: 'listeners.ssl.default', host: '127.0.0.1', port: 40002, tls: true },
  ];
  firstUser: string | null = null;
  renewals = 0;
  readonly reasons: string[] = [];
  readonly failure = new Deferred<Error>();
  readonly failed = this.failure.promise;
  readonly closing = new Deferred<void>();

  renewTls(): void {
    this.renewals += 1;
  }

  close(reason: string): Promise<void> {
    this.reasons.push(reason);
    return this.closing.promise;
  }
}

beforeEach(() => {
  host = new FakeHost();
  broker = new FakeBroker();
  lines = [];
  logger = pino({ level: 'trace', base: null }, { write: (line) => lines.push(JSON.parse(line)) });
});

/** Lets every promise that can settle do so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function run(start = () => Promise.resolve<RunningBroker>(broker)): Promise<void> {
  void supervise(start, { settings, told: [] }, logger, host, NO_MANAGER);
  await settle();
}

test('each address it really listens on is logged', async () => {
  await run();
  expect(lines).toMatchObject([
    { msg: 'listening', listener: 'listeners.tcp.default', port: 40001, tls: false },
    { msg: 'listening', listener: 'listeners.ssl.default', port: 40002, tls: true },
  ]);
  expect(host.exits).toEqual([]);
});

test.each(['SIGTERM', 'SIGINT', 'SIGQUIT'] as const)(
  '%s closes the broker, then exits with 0',
  async (sig) => {
    await run();
    host.signal(sig);
    await settle();
    expect(broker.reasons).toEqual(['shutdown']);
    expect(host.exits).toEqual([]);
    broker.closing.resolve();
    await settle();
    expect(host.exits).toEqual([0]);
    expect(lines.map((line) => line['msg'])).toEqual([
      'listening',
      'listening',
      'stopping',
      'stopped',
    ]);
  },
);

test('SIGHUP has the certificates read again, and ends nothing', async () => {
  const starting = new Deferred<RunningBroker>();
  await run(() => starting.promise);
  host.signal('SIGHUP');
  starting.resolve(broker);
  await settle();
  expect(broker.renewals).toBe(0);
  host.signal('SIGHUP');
  host.signal('SIGHUP');
  expect(broker.renewals).toBe(2);
  expect(broker.reasons).toEqual([]);
  expect(host.exits).toEqual([]);
});

test.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)('a second signal, %s, exits at once', async (second, code) => {
  await run();
  host.signal('SIGTERM');
  host.pass(300);
  host.signal(second);
  expect(host.exits).toEqual([code]);
});

test('the echo of Ctrl-C that npm sends is no second signal', async () => {
  await run();
  host.signal('SIGINT');
  host.pass(5);
  host.signal('SIGINT');
  expect(host.exits).toEqual([]);
  host.pass(500);
  host.signal('SIGINT');
  expect(host.exits).toEqual([130]);
});

test('a stop that takes too long ends with 1', async () => {
  await run();
  host.signal('SIGTERM');
  await settle();
  host.pass(settings.shutdownTimeoutMs - 1);
  expect(host.exits).toEqual([]);
  host.pass(1);
  expect(host.exits).toEqual([1]);
});

test('the end of standard input stops the broker, and a signal beside it is the same wish', async () => {
  await run();
  host.inputEnded();
  await settle();
  expect(lines.at(-1)).toEqual(
    expect.objectContaining({ msg: 'stopping', why: 'standard input has ended' }),
  );
  expect(lines.at(-1)).not.toHaveProperty('signal');
  host.signal('SIGTERM');
  host.inputEnded();
  await settle();
  expect(broker.reasons).toEqual(['shutdown']);
  expect(host.exits).toEqual([]);
  host.signal('SIGTERM');
  expect(host.exits).toEqual([143]);
});

test('a stop that the end of standard input asked for must end in time', async () => {
  await run();
  host.inputEnded();
  host.pass(settings.shutdownTimeoutMs);
  expect(host.exits).toEqual([1]);
});

test('a signal during the start stops the broker as soon as it runs', async () => {
  const starting = new Deferred<RunningBroker>();
  await run(() => starting.promise);
  host.signal('SIGTERM');
  await settle();
  expect(broker.reasons).toEqual([]);
  starting.resolve(broker);
  await settle();
  expect(broker.reasons).toEqual(['shutdown']);
});

test('a start that fails for a known cause writes one line and exits with 1', async () => {
  await run(() => Promise.reject(new StoreError('the folder is in use', 'stop the other broker')));
  expect(host.errors).toEqual(['leveret: the folder is in use: stop the other broker']);
  expect(host.exits).toEqual([1]);
});

test('a start that fails for an unknown cause writes the stack', async () => {
  await run(() => Promise.reject(new TypeError('oops')));
  expect(host.errors[0]).toMatch(/^leveret: TypeError: oops\n {4}at /);
  expect(host.exits).toEqual([1]);
});

test('a store that fails ends the process at once, also during a stop', async () => {
  await run();
  host.signal('SIGTERM');
  await settle();
  broker.failure.resolve(new Error('disk gone'));
  await settle();
  expect(host.exits).toEqual([1]);
  expect(lines.at(-1)).toMatchObject({ level: 60, err: { message: 'disk gone' } });
});

test('a commit that hangs in the system makes the process kill itself: an exit would wait for it', async () => {
  await run();
  broker.failure.resolve(new StuckCommitError(30_000));
  await settle();
  expect(host.kills).toBe(1);
  expect(host.exits).toEqual([]);
});

test('a close that rejects ends with 1', async () => {
  await run();
  host.signal('SIGTERM');
  broker.closing.reject(new Error('no'));
  await settle();
  expect(host.exits).toEqual([1]);
});

test('an exception that nobody caught ends the process at once', async () => {
  await run();
  host.crash(new Error('bug'));
  expect(host.exits).toEqual([1]);
  expect(lines.at(-1)).toMatchObject({ level: 60, err: { message: 'bug' } });
  expect(host.whys[0]).toContain('stopped by a bug: Error: bug');
});

test.each(['SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGVTALRM', 'SIGIO'] as const)(
  '%s ends nothing, and the log says which signals mean something',
  async (signal) => {
    await run();
    host.signal(signal);
    await settle();
    expect(lines.at(-1)).toMatchObject({ signal, msg: expect.stringContaining('SIGTERM stops') });
    expect(host.exits).toEqual([]);
    expect(broker.reasons).toEqual([]);
  },
);

test('a start says where the web UI is, and a first one which user may log in', async () => {
  broker.addresses.push({ key: 'management.tcp', host: '::', port: 15672, tls: false });
  broker.firstUser = 'guest';
  await run();
  expect(lines.slice(-2)).toMatchObject([
    { msg: 'web UI', url: 'http://localhost:15672/' },
    { msg: 'first start: this user may log in, from this machine only', user: 'guest' },
  ]);
});

test('a first user that may come from anywhere is said so', async () => {
  broker.firstUser = 'admin';
  await run();
  expect(lines.at(-1)).toMatchObject({
    msg: 'first start: this user may log in, from anywhere',
    user: 'admin',
  });
});
