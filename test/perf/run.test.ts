// The load tester against a broker: what it counts, and what it says when something is wrong.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { argumentsFromText } from '../../src/perf/arguments.ts';
import { parseAmqpUrl } from '../../src/perf/connection.ts';
import type { PerfPlan } from '../../src/perf/plan.ts';
import { intervalLine, resultToJson, summary } from '../../src/perf/report.ts';
import { type PerfResult, runPerf } from '../../src/perf/run.ts';
import { type Api, startApi } from '../management/support.ts';
import { eventually } from '../support/amqp.ts';
import { planFor } from './plan.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

function run(
  changes: Partial<PerfPlan>,
  stop = new AbortController().signal,
  lines: string[] = [],
): Promise<PerfResult> {
  const plan = planFor([api.amqpUrl], {
    queues: ['perf'],
    seconds: 20,
    messages: 1000,
    ...changes,
  });
  return runPerf(plan, stop, (interval) => lines.push(intervalLine(interval)));
}

test('all that is published is received, and every latency is taken', async () => {
  const result = await run({ messages: 5000, ackEvery: 10, prefetch: 100 });
  expect(result).toMatchObject({ sent: 5000, received: 5000, confirmed: 0 });
  expect(result.consumerLatency.count).toBe(5000);
  const left = await api.call('GET', '/queues/%2F/perf');
  expect(left.json).toMatchObject({ messages: 0 });
});

test('confirms are counted once each, within their window', async () => {
  const result = await run({
    confirmWindow: 50,
    messages: 3000,
    persistent: true,
    queues: ['kept'],
    durable: true,
  });
  expect(result).toMatchObject({ sent: 3000, received: 3000, confirmed: 3000, nacked: 0 });
  expect(result.confirmLatency.count).toBe(3000);
});

test('several producers and consumers share queues of an exchange, with bodies in several frames', async () => {
  const queues = ['perf-1', 'perf-2', 'perf-3'];
  const result = await run({
    producers: 3,
    consumers: 3,
    queues,
    exchange: 'perf-x',
    bodyBytes: 300_000,
    messages: 20,
    autoAck: true,
  });
  expect(result).toMatchObject({ sent: 60, received: 60 });
  expect(result.consumerLatency.count).toBe(60);
});

test('with a rate, as many are sent as are due, and a second has its line', async () => {
  const lines: string[] = [];
  const result = await run({ rate: 200, messages: 300, queues: ['slow'] }, undefined, lines);
  expect(result.sent).toBe(300);
  expect(result.seconds).toBeGreaterThan(1.4);
  expect(lines[0]).toMatch(/^ +1 s {2}sent \d+\/s {2}received \d+\/s {2}latency .+ \/ .+\n$/);
});

test('what a full queue refuses and what no queue takes is counted', async () => {
  const args = argumentsFromText('{"x-max-length": 10, "x-overflow": "reject-publish"}');
  const plan = { consumers: 0, confirmWindow: 5, messages: 30 };
  const full = await run({ ...plan, queues: ['full'], queueArguments: args });
  expect(full).toMatchObject({ sent: 30, confirmed: 10, nacked: 20 });
  const lost = await run({ ...plan, queues: ['there'], routingKey: 'elsewhere', mandatory: true });
  expect(lost).toMatchObject({ sent: 30, confirmed: 30, returned: 30 });
});

test('what another run left in a queue is received, and not timed', async () => {
  await run({ consumers: 0, messages: 5, run: 1, queues: ['left'] });
  const result = await run({ messages: 5, run: 2, queues: ['left'] });
  expect(result.received).toBeGreaterThanOrEqual(5);
  expect(result.consumerLatency.count).toBeLessThanOrEqual(5);
});

test('a stop ends it in good order', async () => {
  const stop = new AbortController();
  const ended = run({ messages: Infinity, seconds: Infinity, queues: ['endless'] }, stop.signal);
  const published = async (): Promise<boolean> => {
    const { json } = await api.call('GET', '/queues/%2F/endless');
    const { message_stats: counts } = json as { message_stats?: { publish?: number } };
    return (counts?.publish ?? 0) > 0;
  };
  await eventually(published, 'a message');
  stop.abort();
  expect((await ended).sent).toBeGreaterThan(0);
});

test('the end is told in a table and a histogram, or in JSON', async () => {
  const result = await run({ messages: 100, confirmWindow: 10 });
  expect(summary(result)).toMatch(/from publish to confirm/);
  expect(summary(result)).toMatch(/^up to .+ us {2}#/m);
  expect(resultToJson(result)).toMatchObject({
    sent: 100,
    received: 100,
    confirmed: 100,
    consumer_latency: { count: 100, p50_us: expect.any(Number), histogram: expect.any(Array) },
  });
});

test('the ends are dealt out to several brokers, each with its queue, and confirms of all are timed', async () => {
  const other = await startApi();
  try {
    const result = await run({
      urls: [api.amqpUrl, other.amqpUrl],
      producers: 3,
      consumers: 2,
      queues: ['shared'],
      messages: 50,
      confirmWindow: 10,
    });
    expect(result).toMatchObject({ sent: 150, received: 150, confirmed: 150 });
    expect(resultToJson(result)).toMatchObject({
      confirm_latency: {
        count: 150,
        min_us: expect.any(Number),
        p50_us: expect.any(Number),
        p95_us: expect.any(Number),
        p99_us: expect.any(Number),
        max_us: expect.any(Number),
      },
    });
    for (const [each, published] of [
      [api, 100],
      [other, 50],
    ] as const) {
      const { json } = await each.call('GET', '/queues/%2F/shared');
      expect(json).toMatchObject({ messages: 0, message_stats: { publish: published } });
    }
  } finally {
    await other.close();
  }
});

test('what is wrong is said', async () => {
  await expect(run({ queues: ['none'], predeclared: true })).rejects.toThrow("no queue 'none'");
  await expect(run({ urls: ['amqp://127.0.0.1:1'] })).rejects.toThrow('is a broker running there?');
  const { port } = new URL(api.amqpUrl);
  await expect(run({ urls: [`amqp://guest:wrong@127.0.0.1:${port}`] })).rejects.toThrow(
    'ACCESS_REFUSED',
  );
  expect(() => parseAmqpUrl('http://x')).toThrow('is not AMQP');
  expect(parseAmqpUrl('amqps://a%40b:c@host/shop%2F1')).toEqual({
    host: 'host',
    port: 5671,
    tls: true,
    user: 'a@b',
    password: 'c',
    vhost: 'shop/1',
  });
  expect(() => argumentsFromText('{"a":1.5}')).toThrow('the argument a must be');
});
