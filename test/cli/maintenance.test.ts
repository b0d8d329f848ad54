// The verbs that put a broker into maintenance and back, against a broker with its HTTP API.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { type ChannelModel, connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { buildProgram } from '../../src/cli/program.ts';
import { runRabbitmqctl } from '../../src/cli/rabbitmqctl.ts';
import { type Api, startApi } from '../management/support.ts';
import { capture } from './capture.ts';

let api: Api;
const clients: ChannelModel[] = [];

const rabbitmqctl = (...args: string[]) => capture(() => runRabbitmqctl('rabbitmqctl', args));

async function done(...args: string[]): Promise<string> {
  const { out, err, code } = await rabbitmqctl(...args);
  expect({ args, err, code }).toEqual({ args, err: '', code: 0 });
  return out;
}

/** The same for a command line that is wrong already to the parser, which ends the process. */
async function parsed(...args: string[]): Promise<{ err: string; code: number }> {
  const exit = vi.spyOn(process, 'exit').mockImplementation((code) => {
    process.exitCode = Number(code);
    throw new Error('the process has ended');
  });
  try {
    return await capture(() => runRabbitmqctl('rabbitmqctl', args).catch(() => {}));
  } finally {
    exit.mockRestore();
  }
}

async function client(): Promise<ChannelModel> {
  const made = await connect(api.amqpUrl);
  made.on('error', () => {});
  clients.push(made);
  return made;
}

/** The path below /api that the manifest's liveness probe asks for. */
function livenessOfKubernetes(): string {
  const manifest = readFileSync(
    new URL('../../packaging/kubernetes/leveret.yaml', import.meta.url),
    'utf8',
  );
  const [, path] = /livenessProbe:\s+httpGet: \{ path: \/api(\S+),/.exec(manifest) ?? [];
  expect(path).toBeDefined();
  return path as string;
}

const refused = () => expect(client()).rejects.toThrow('ECONNREFUSED');
const isUnder = async (): Promise<unknown> =>
  JSON.parse(await done('status', '--formatter', 'json')).is_under_maintenance;

beforeAll(async () => {
  api = await startApi();
  vi.stubEnv('LEVERET_URL', api.url.replace('//', '//guest:guest@'));
  vi.stubEnv('LEVERET_DATA_DIR', '');
});
afterEach(async () => {
  for (const each of clients.splice(0)) await each.close().catch(() => {});
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await api.close();
});

test('suspended listeners take no new connection, keep their connections, and open at the same port again', async () => {
  const kept = await (await client()).createChannel();
  await done('suspend_listeners');
  await refused();
  const socket = new WebSocket(`${api.url.replace('http', 'ws')}/ws/amqp`, 'amqp');
  await once(socket, 'close');
  expect(await kept.assertQueue('', { exclusive: true })).toHaveProperty('queue');
  expect(await isUnder()).toBe(true);
  for (const check of ['is-in-service', 'ready-to-serve-clients']) {
    expect(await api.call('GET', `/health/checks/${check}`)).toMatchObject({
      status: 503,
      json: { status: 'failed', reason: 'listeners are suspended' },
    });
  }
  expect((await rabbitmqctl('-q', 'check_protocol_listener', 'amqp')).code).toBe(69);
  // What restarts a broker that does not answer leaves one in maintenance alone.
  expect(await done('-q', 'ping')).toBe('Ping succeeded\n');
  expect(await api.call('GET', livenessOfKubernetes())).toMatchObject({ status: 200 });
  // Twice is once.
  await done('suspend_listeners');
  await done('resume_listeners');
  await done('resume_listeners');
  await client();
  expect(await isUnder()).toBe(false);
  expect((await rabbitmqctl('-q', 'check_protocol_listener', 'amqp')).code).toBe(0);
});

test('a drained broker closes its connections and says why, and is revived', async () => {
  const ended = once(await client(), 'close');
  await done('drain');
  expect(String(await ended)).toContain(
    '320 (CONNECTION-FORCED) with message "CONNECTION_FORCED - Node was put',
  );
  await refused();
  await done('revive');
  await client();
});

test('a port that was taken meanwhile is named, and opened once it is free', async () => {
  const { port } = new URL(api.amqpUrl);
  await done('suspend_listeners');
  const other = createServer().listen(Number(port), '127.0.0.1');
  await once(other, 'listening');
  const { err, code } = await rabbitmqctl('-q', 'resume_listeners');
  expect(code).toBe(69);
  expect(err).toContain(`port ${port}, cannot be opened again`);
  other.close();
  await once(other, 'close');
  await done('resume_listeners');
  await client();
});

test('what is neither true nor false suspends nothing', async () => {
  for (const suspended of [null, 'true', 1, undefined]) {
    const { status } = await api.call('PUT', '/leveret/listeners', { suspended });
    expect({ suspended, status }).toEqual({ suspended, status: 400 });
  }
  expect(await api.call('GET', '/leveret/listeners')).toMatchObject({ json: { suspended: false } });
});

test('a reason in any language is what the client is told, whatever verb closes it', async () => {
  const reason = 'Wartung für 5 € – 維護 🐇';
  const leveret = (...args: string[]) =>
    capture(() => buildProgram().parseAsync(args, { from: 'user' }));
  const closing: readonly ((name: string) => Promise<unknown>)[] = [
    (name) => done('close_connection', name, reason),
    () => done('close_all_connections', reason),
    () => done('close_all_user_connections', 'guest', reason),
    (name) => leveret('close', name, reason),
    // Other clients of the API send bytes that are no UTF-8.
    (name) =>
      api.call('DELETE', `/connections/${encodeURIComponent(name)}`, undefined, undefined, {
        'x-reason': 'Café',
      }),
  ];
  for (const [at, close] of closing.entries()) {
    const ended = once(await client(), 'close');
    const rows = JSON.parse(await done('list_connections', 'name', '--formatter', 'json'));
    await close(rows[0].name);
    const told = at === closing.length - 1 ? 'Café' : reason;
    expect(String(await ended)).toContain(`CONNECTION_FORCED - ${told}"`);
    await vi.waitFor(async () => {
      expect((await api.call('GET', '/connections')).json).toEqual([]);
    });
  }
});

test('a reason that cannot be sent is a wrong command line, and closes nothing', async () => {
  const kept = await (await client()).createChannel();
  for (const reason of ['two\nlines', 'a\0b', '\x1b[3m', 'a\x7f']) {
    const { err, code } = await rabbitmqctl('close_all_connections', '--global', reason);
    expect({ reason, err, code }).toEqual({
      reason,
      err: expect.stringContaining('the reason must be one line'),
      code: 64,
    });
  }
  expect(await kept.assertQueue('', { exclusive: true })).toHaveProperty('queue');
});

test('a limit that is none is a wrong command line, and closes nothing', async () => {
  const kept = await (await client()).createChannel();
  for (const limit of ['abc', '-1', '1.5', '1x', '']) {
    const { code, err } = await parsed(
      'close_all_connections',
      '--global',
      `--limit=${limit}`,
      'x',
    );
    expect({ limit, code, err }).toEqual({
      limit,
      code: 64,
      err: expect.stringContaining('--limit <n>'),
    });
  }
  for (const wrong of [
    ['check_certificate_expiration', '--within', 'soon'],
    ['check_certificate_expiration', '--unit', 'hours'],
    ['close_all_connections', '--per-connection-delay', 'long', 'x'],
    ['list_queues', '--queue-timeout', 'long'],
  ]) {
    expect({ wrong, code: (await parsed(...wrong)).code }).toEqual({ wrong, code: 64 });
  }
  expect(await kept.assertQueue('', { exclusive: true })).toHaveProperty('queue');
});

test('a limit closes so many, and 0 closes all', async () => {
  for (let made = 0; made < 3; made++) await client();
  const close = (limit: string) =>
    done('-q', 'close_all_connections', '--global', '--limit', limit, 'x');
  expect(await close('1')).toContain('Closed 1 connection');
  await vi.waitFor(async () => {
    expect((await api.call('GET', '/connections')).json).toHaveLength(2);
  });
  expect(await close('0')).toContain('Closed 2 connection');
});
