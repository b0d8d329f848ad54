// Owns the tests of the load tester with several hosts: where connections go when one is lost, and what is counted then.

import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BASIC_PUBLISH, FRAME_METHOD } from '../../src/amqp/constants.ts';
import { decodeMethod, encodeMethodFrame } from '../../src/amqp/method-codec.ts';
import type { PerfPlan } from '../../src/perf/plan.ts';
import { intervalLine, resultToJson, summary } from '../../src/perf/report.ts';
import { type PerfResult, runPerf } from '../../src/perf/run.ts';
import { type Api, startApi } from '../management/support.ts';
import { eventually } from '../support/amqp.ts';
import { planFor } from './plan.ts';

const NOWHERE = 'amqp://127.0.0.1:1';
let api: Api;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

function run(
  changes: Partial<PerfPlan>,
  { stop, notes = [], lines = [] }: { stop?: AbortSignal; notes?: string[]; lines?: string[] } = {},
): Promise<PerfResult> {
  const plan = planFor([api.amqpUrl], {
    queues: ['hosts'],
    seconds: 30,
    messages: Infinity,
    ...changes,
  });
  return runPerf(
    plan,
    stop ?? new AbortController().signal,
    (interval) => lines.push(intervalLine(interval)),
    (note) => notes.push(note),
  );
}

/** What a queue says of itself. */
async function queueAt(broker: Api, name: string) {
  const { json } = await broker.call('GET', `/queues/%2F/${name}`);
  return json as {
    readonly messages_unacknowledged?: number;
    readonly message_stats?: { readonly publish?: number; readonly redeliver?: number };
  };
}

function portOf(server: Server): number {
  return (server.address() as { port: number }).port;
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
}

/** Another address of the same broker, which can be cut off. */
async function relay(): Promise<{ readonly url: string; cut(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(new URL(api.amqpUrl).port), '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => [near, far].map((each) => each.destroy()));
    }
    near.pipe(far).pipe(near);
  });
  await listening(server);
  const cut = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { url: `amqp://127.0.0.1:${portOf(server)}`, cut };
}

/** A broker that takes all methods and confirms nothing; with so many publishes it is gone, without a word. */
async function mute(publishes: number): Promise<{ readonly url: string }> {
  const sockets = new Set<Socket>();
  let seen = 0;
  const gone = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    let bytes = Buffer.alloc(0);
    let greeted = false;
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (!greeted && bytes.length >= 8) {
        greeted = true;
        bytes = bytes.subarray(8);
        socket.write(START);
      }
      while (bytes.length >= 7 && bytes.length >= bytes.readUInt32BE(3) + 8) {
        const end = bytes.readUInt32BE(3) + 7;
        if (bytes[0] === FRAME_METHOD && bytes.readUInt32BE(7) === BASIC_PUBLISH) seen += 1;
        else if (bytes[0] === FRAME_METHOD) answer(socket, decodeMethod(bytes, 7, end).name);
        bytes = bytes.subarray(end + 1);
      }
      if (seen >= publishes) gone();
    });
  });
  await listening(server);
  return { url: `amqp://127.0.0.1:${portOf(server)}` };
}

const START = encodeMethodFrame(0, 'connection.start', {
  versionMajor: 0,
  versionMinor: 9,
  serverProperties: new Map(),
  mechanisms: Buffer.from('PLAIN'),
  locales: Buffer.from('en_US'),
});

function answer(socket: Socket, name: string): void {
  const counts = { queue: 'hosts', messageCount: 0, consumerCount: 0 };
  const tune = { channelMax: 10, frameMax: 131_072, heartbeat: 60 };
  const answers: Readonly<Record<string, () => Buffer>> = {
    'connection.start-ok': () => encodeMethodFrame(0, 'connection.tune', tune),
    'connection.open': () => encodeMethodFrame(0, 'connection.open-ok', {}),
    'connection.close': () => encodeMethodFrame(0, 'connection.close-ok', {}),
    'channel.open': () => encodeMethodFrame(1, 'channel.open-ok', {}),
    'queue.declare': () => encodeMethodFrame(1, 'queue.declare-ok', counts),
    'confirm.select': () => encodeMethodFrame(1, 'confirm.select-ok', {}),
    'basic.consume': () => encodeMethodFrame(1, 'basic.consume-ok', { consumerTag: 'c' }),
  };
  const bytes = answers[name]?.();
  if (bytes !== undefined) socket.write(bytes);
}

test('a host that cannot be reached is left out, and the others serve all', async () => {
  const notes: string[] = [];
  const urls = [NOWHERE, api.amqpUrl];
  const result = await run({ urls, producers: 2, consumers: 2, messages: 100 }, { notes });
  expect(result).toMatchObject({ sent: 200, received: 200, reconnects: 0, unconfirmed: 0 });
  expect(notes).toEqual([expect.stringMatching(/127\.0\.0\.1:1 .*goes on with the other hosts/)]);
  await expect(run({ urls: [NOWHERE, NOWHERE] })).rejects.toThrow('is a broker running there?');
});

test('a login that is refused is no reason to go on at the next host', async () => {
  const { port } = new URL(api.amqpUrl);
  const urls = [`amqp://guest:wrong@127.0.0.1:${port}`, api.amqpUrl];
  await expect(run({ urls })).rejects.toThrow('ACCESS_REFUSED');
});

test('when a broker stops, its clients go on at the next one, and nothing is taken for lost', async () => {
  const other = await startApi();
  const stop = new AbortController();
  const urls = [other.amqpUrl, api.amqpUrl];
  const queues = ['moved'];
  const running = run({ urls, queues, confirmWindow: 10, ackEvery: 5 }, { stop: stop.signal });
  const published = async (broker: Api): Promise<boolean> =>
    ((await queueAt(broker, 'moved')).message_stats?.publish ?? 0) > 0;
  await eventually(() => published(other), 'a publish at the first broker');
  await other.close();
  await eventually(() => published(api), 'a publish at the second broker');
  stop.abort();
  const result = await running;
  expect(result.reconnects).toBe(2);
  expect(result.outageMaxMs).toBeGreaterThan(0);
  expect(result.nacked).toBe(0);
  // What is not counted was under way at the end.
  const unanswered = result.sent - result.confirmed - result.unconfirmed;
  expect(unanswered).toBeGreaterThanOrEqual(0);
  expect(unanswered).toBeLessThanOrEqual(10);
});

test('publishes without an answer are counted, once each, and confirms begin anew with the next connection', async () => {
  const urls = [(await mute(10)).url, api.amqpUrl];
  const result = await run({ urls, queues: ['hosts'], confirmWindow: 10, messages: 50 });
  expect(result).toMatchObject({
    sent: 50,
    unconfirmed: 10,
    confirmed: 40,
    nacked: 0,
    received: 40,
    redelivered: 0,
    reconnects: 2,
  });
  expect(result.confirmLatency.count).toBe(40);
  expect(summary(result)).toMatch(/^unconfirmed +10 .*\nreconnects +2 .* at most$/m);
  expect(resultToJson(result)).toMatchObject({
    unconfirmed: 10,
    redelivered: 0,
    reconnects: 2,
    longest_outage_ms: expect.any(Number),
  });
});

test('what was delivered and not acked comes again, and is counted apart', async () => {
  const first = await relay();
  const stop = new AbortController();
  const plan = { urls: [first.url, api.amqpUrl], queues: ['again'], rate: 200, ackEvery: 1e6 };
  const running = run(plan, { stop: stop.signal });
  const unacked = async (): Promise<boolean> =>
    ((await queueAt(api, 'again')).messages_unacknowledged ?? 0) >= 5;
  await eventually(unacked, 'five deliveries');
  first.cut();
  const redelivered = async (): Promise<boolean> =>
    ((await queueAt(api, 'again')).message_stats?.redeliver ?? 0) >= 5;
  await eventually(redelivered, 'five deliveries once more');
  stop.abort();
  const result = await running;
  expect(result.redelivered).toBeGreaterThanOrEqual(5);
  expect(result.received).toBeLessThanOrEqual(result.sent);
  expect(result.reconnects).toBe(2);
  expect(summary(result)).toMatch(/^redelivered +\d+ /m);
});

test('what a queue was declared for is looked at again with each connection', async () => {
  const first = await relay();
  await api.call('PUT', '/queues/%2F/short', { durable: true });
  const plan = { urls: [first.url, api.amqpUrl], queues: ['short'], rate: 200, consumers: 0 };
  const running = run({ ...plan, predeclared: true });
  const refused = expect(running).rejects.toThrow("no queue 'short'");
  const published = async (): Promise<boolean> =>
    ((await queueAt(api, 'short')).message_stats?.publish ?? 0) > 0;
  await eventually(published, 'a publish');
  await api.call('DELETE', '/queues/%2F/short');
  first.cut();
  await refused;
});

test('a second without a connection says so', () => {
  const none = { at: 3, sentRate: 0, receivedRate: 0, confirmedRate: 0, blocked: '' };
  const latencies = { count: 0 } as PerfResult['consumerLatency'];
  const down = { count: 2, of: 6, why: 'cannot connect to a:5672' };
  const line = intervalLine({
    ...none,
    consumerLatency: latencies,
    confirmLatency: latencies,
    down,
  });
  expect(line).toContain('NO CONNECTION for 2 of 6: cannot connect to a:5672\n');
});
