// Runs every program in docs/examples, against a Leveret of its own or the broker at AMQP_URL.
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { EXAMPLES, Example, Program, TestBroker } from './broker.ts';

const given = process.env['AMQP_URL'];
const broker = new TestBroker();
const running: Example[] = [];

function run(name: string, ...args: string[]): Example {
  const example = new Example(given ?? broker.url, name, ...args);
  running.push(example);
  return example;
}

beforeAll(async () => {
  if (given === undefined) await broker.start();
});

afterEach(() => {
  for (const example of running.splice(0)) example.kill();
});

afterAll(() => broker.stop());

describe('examples', () => {
  test('sign-up: every registration is done or dead-lettered, though a worker dies', async () => {
    const lines = await run('sign-up.mjs').lines();
    expect(lines[0]).toBe('500 registrations published and confirmed');
    expect(lines).toContainEqual(expect.stringMatching(/^\d+ done; worker anna was killed$/));
    expect(lines).toContain('498 done + 2 failed = 500');
    expect(lines.at(-1)).toMatch(/^\d+ done more than once, 0 both done and failed$/);
  });

  test('notifications: every subscriber gets all of them in order', async () => {
    expect(await run('notifications.mjs').lines()).toEqual([
      '50 subscribers, each with a queue of its own',
      '20 notifications published once each',
      '1000 received, all in order',
    ]);
  });

  test('rpc: three servers share the calls, and each answer finds its question', async () => {
    const lines = await run('rpc.mjs').lines();
    expect(lines[0]).toBe('60 calls, 60 right answers');
    expect(lines).toHaveLength(4);
  });

  test('work queue: prefetch 1 shares long jobs fairly', async () => {
    const lines = await run('work-queue.mjs').lines();
    expect(lines.at(-1)).toBe('60 jobs finished, fairly shared');
  });

  test('event store: conflicts are seen, and replays, a snapshot and a saga agree', async () => {
    const [first, ...rest] = await run('event-store.mjs').lines();
    expect(first).toMatch(
      /^20 orders, two writers at the same events: [1-9]\d* conflicts, each seen$/,
    );
    expect(rest).toEqual([
      'order-7 by itself: version 4, items 0,1,2',
      'a read model from all 80 events: 20 orders, 60 items',
      'the snapshot and 20 events after it are what all events are',
      'the saga: 16 paid, 4 cancelled, 0 left',
    ]);
  });

  test('audit trail: an engine that tells all again is heard once, by two auditors, in order', async () => {
    expect(await run('audit-trail.mjs').lines()).toEqual([
      '600 acts of 25 users, told by an engine that died twice and began anew',
      '600 stored in 3 partitions',
      '600 acts audited, 0 twice, 0 out of order',
      'two auditors read 3 partitions',
    ]);
  });

  test('worker group: partitions move as workers come and go, and users stay in order', async () => {
    expect(await run('worker-group.mjs').lines()).toEqual([
      '1 worker(s): 6 partitions',
      '3 worker(s): 2 + 2 + 2 partitions',
      '1 worker(s): 6 partitions',
      '1800 of 1800 visits done, 0 out of order',
    ]);
  });

  test('replay: the hours of a bug are read again, and no others', async () => {
    expect(await run('replay.mjs').lines()).toEqual([
      '400 payments, 200 of them summed up by the bug',
      'the replay read 200 payments, and then was at its end',
      '0 are wrong now',
    ]);
  });

  test('visibility timeout: what is not deleted in time comes back, and a worker that hangs gets nothing more', async () => {
    expect(await run('visibility-timeout.mjs').lines()).toEqual([
      'an empty queue: nothing',
      'received: attempt 1',
      'while it is invisible: nothing',
      'not deleted in time, received again: attempt 2',
      'deleted: nothing',
      '30 of 30 jobs done by two workers; the one that hangs had 3',
    ]);
  });
});

describe('video uploads', () => {
  test('each step of each video is done once, though workers come and one dies', async () => {
    const lines = await run('video-uploads.mjs').lines();
    expect(lines.slice(0, 2)).toEqual([
      '60 uploads, each in 3 queues',
      'a worker was killed in the midst of its work',
    ]);
    expect(lines[2]).toMatch(/^transcode grew to [23] workers$/);
    expect(lines[3]).toBe('180 steps done, 0 of them twice, 0 messages left');
  });
});

describe('tutorials', () => {
  test('1, hello', async () => {
    await run('tutorials/1-hello-send.mjs', 'Hello, hare!').lines();
    const lines = await run('tutorials/1-hello-receive.mjs').lines();
    expect(lines).toContain('received: Hello, hare!');
  });

  test('2, work queues: two workers share the jobs', async () => {
    const workers = [run('tutorials/2-work-receive.mjs'), run('tutorials/2-work-receive.mjs')];
    await Promise.all(workers.map((worker) => worker.says('waiting for jobs')));
    await run('tutorials/2-work-send.mjs').lines();
    const shares = await Promise.all(workers.map((worker) => worker.lines()));
    for (const share of shares) expect(share.length).toBeGreaterThan(1);
    const finished = shares.flat().filter((line) => line.startsWith('finished: '));
    expect(finished.sort()).toEqual(
      ['fifth.', 'first.', 'fourth...', 'second..', 'third.'].map((job) => `finished: ${job}`),
    );
  });

  test('3, publish and subscribe: both listeners get every line', async () => {
    const listeners = [run('tutorials/3-log-receive.mjs'), run('tutorials/3-log-receive.mjs')];
    await Promise.all(listeners.map((listener) => listener.says('waiting for lines')));
    await run('tutorials/3-log-emit.mjs').lines();
    for (const listener of listeners) {
      expect((await listener.lines()).slice(1)).toEqual([
        'received: started',
        'received: running',
        'received: stopped',
      ]);
    }
  });

  test('4, routing: only the severities asked for arrive', async () => {
    const listener = run('tutorials/4-routing-receive.mjs', 'warning', 'error');
    await listener.says('waiting for warning, error');
    await run('tutorials/4-routing-emit.mjs', 'info', 'all is well').lines();
    await run('tutorials/4-routing-emit.mjs', 'error', 'all is lost').lines();
    expect((await listener.lines()).slice(1)).toEqual(['received: error: all is lost']);
  });

  test('5, topics: only the keys that match a pattern arrive', async () => {
    const patterns = ['kern.*', '#.critical'];
    const listeners = patterns.map((pattern) => run('tutorials/5-topic-receive.mjs', pattern));
    await Promise.all(listeners.map((listener, n) => listener.says(`waiting for ${patterns[n]}`)));
    const emit = (key: string) => run('tutorials/5-topic-emit.mjs', key, 'a line').lines();
    await Promise.all(['cron.info', 'kern.a.b'].map(emit));
    await Promise.all(['kern.info', 'cron.job.critical'].map(emit));
    const received = await Promise.all(listeners.map((listener) => listener.lines()));
    expect(received.map((lines) => lines.slice(1))).toEqual([
      ['received: kern.info: a line'],
      ['received: cron.job.critical: a line'],
    ]);
  });

  test('6, RPC', async () => {
    const server = run('tutorials/6-rpc-server.mjs');
    await server.says('waiting for questions');
    const lines = await run('tutorials/6-rpc-client.mjs', '90').lines();
    expect(lines).toContain('answer: fibonacci(90) = 2880067194370816120');
    expect(await server.lines()).toContain('answered: fibonacci(90)');
  });
});

// The command line has to reach the broker, so it must be ours.
test.runIf(given === undefined)(
  'orders: each is done once, after redrive those that failed too',
  async () => {
    expect(await run('orders.mjs').lines()).toEqual([
      '60 orders placed twice and confirmed, 60 taken',
      '50 done, 4 cancelled and paid back, 6 failed',
      '50 charged in this run',
    ]);
    expect(await broker.cli('redrive', 'example.orders.failed')).toContain('6');
    expect(await run('orders.mjs', 'fixed').lines()).toEqual([
      '56 done, 4 cancelled and paid back, 0 failed',
      '6 charged in this run',
      '60 orders, 0 of them twice',
    ]);
  },
);

test.runIf(given === undefined)(
  'bounded subscribers: one that is asleep keeps the newest, and a metric counts what it lost',
  async () => {
    const env = { AMQP_URL: broker.url, METRICS_URL: broker.metricsUrl };
    const path = join(EXAMPLES, 'bounded-subscribers.mjs');
    expect(await new Program('bounded', process.execPath, [path], env).lines()).toEqual([
      'fast: 1000 prices, from 1 to 1000',
      'fast: lost by the metric: 0',
      'slow: 100 prices, from 901 to 1000',
      'slow: lost by the metric: 900',
    ]);
  },
);

test.runIf(given === undefined)(
  'registrations: retries, priority, rate, concurrency, a long job and a worker that dies, as job frameworks have them',
  async () => {
    const lines = await run('registrations.mjs').lines();
    const reason = 'failed: the mail server does not know the address, 5 attempts';
    expect([...lines].sort()).toEqual(
      [
        '60 registrations to be worked on',
        'a worker was killed in the midst of its work',
        '6 urgent ones were first',
        'the long one said: 20, 40, 60, 80, 100 %',
        ...[20, 40, 60].map((job) => `${job} ${reason}`),
        '57 completed, 0 of them twice',
        'never more than 10 at work',
        '0 starts too fast, 0 retries too early',
      ].sort(),
    );
    expect(await broker.cli('redrive', 'example.register.failed')).toContain('3');
    expect(await run('registrations.mjs', 'fixed').lines()).toEqual([
      '3 registrations to be worked on',
      '3 completed, 0 of them twice',
      'never more than 10 at work',
      '0 starts too fast, 0 retries too early',
    ]);
  },
);

// The broker is killed and managed, so it must be ours.
test.runIf(given === undefined)(
  'timers: each order is looked at when it is time, over a kill -9, and the night brings a report',
  async () => {
    const own = new TestBroker();
    const play = (act: string) => new Example(own.url, 'timers.mjs', act).lines();
    await own.start();
    try {
      expect(await play('place')).toEqual(['20 orders placed, each to be looked at in 15 minutes']);
      await own.kill();
      await own.start();
      expect(await play('check')).toEqual(['20 looked at, 0 of them too early, 5 cancelled']);
      const set = ['schedule', 'set', 'nightly-report', '-k', 'example.timers.reports'];
      // A night a second.
      await own.cli(...set, '{"kind":"sales"}', '--cron', '* * * * * *', '--time-zone', 'UTC');
      expect(await play('report')).toEqual(['a report of sales']);
    } finally {
      await own.stop();
    }
  },
);

// It kills the broker, so it must be ours.
test.runIf(given === undefined)('the jobs of tutorial 2 outlive a kill -9', async () => {
  const own = new TestBroker();
  await own.start();
  try {
    await new Example(own.url, 'tutorials/2-work-send.mjs', 'one.', 'two.').lines();
    await own.kill();
    await own.start();
    const lines = await new Example(own.url, 'tutorials/2-work-receive.mjs').lines();
    expect(lines.slice(1)).toEqual(['finished: one.', 'finished: two.']);
  } finally {
    await own.stop();
  }
});
