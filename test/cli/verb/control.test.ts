// The control socket: what it serves, to which users, and how tools find it.

import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { RunningBroker } from '../../../src/boot/serve.ts';
import { startBroker } from '../../../src/boot/start.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { runRabbitmqctl } from '../../../src/cli/rabbitmqctl.ts';
import { answers } from '../../../src/cli/verb/control.ts';
import { HttpApi, targetAt, targetOf } from '../../../src/cli/verb/http-api.ts';
import { defaultSettings } from '../../../src/config/settings.ts';
import { capture } from '../capture.ts';

const root = mkdtempSync(join(tmpdir(), 'leveret-control-'));
const folder = join(root, 'data');
let broker: RunningBroker;
let httpUrl = '';
const breakers: Server[] = [];

const start = (dataDir: string, managementPort: number | null) =>
  startBroker(
    {
      ...defaultSettings(),
      dataDir,
      tcpListeners: new Map([['default', { host: '127.0.0.1', port: 0 }]]),
      managementPort,
      prometheusPort: null,
    },
    pino({ level: 'silent' }),
  );

beforeAll(async () => {
  // What a broker that was killed left there, as a file that nothing listens on.
  mkdirSync(join(folder, 'control'), { recursive: true, mode: 0o755 });
  writeFileSync(join(folder, 'control', 'socket'), '');
  broker = await start(folder, 0);
  const at = broker.addresses.find(({ key }) => key === 'management.tcp');
  httpUrl = `http://127.0.0.1:${at?.port}`;
});
beforeEach(() => {
  for (const what of ['USER', 'PASS']) {
    for (const program of ['LEVERET', 'RABBITMQ']) vi.stubEnv(`${program}_DEFAULT_${what}`, '');
  }
  vi.stubEnv('LEVERET_URL', '');
  vi.stubEnv('LEVERET_DATA_DIR', folder);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  for (const server of breakers) server.close();
  await broker.close('the test is over');
  rmSync(root, { recursive: true });
});

const near = (): HttpApi => new HttpApi(targetOf(undefined));
const whoAmI = async (api: HttpApi): Promise<string> =>
  (await api.get<{ name: string }>('/whoami')).name;

test('it takes the place of a dead one, and only the user that runs the broker may enter', () => {
  expect(statSync(join(folder, 'control')).mode & 0o777).toBe(0o700);
  const socket = statSync(join(folder, 'control', 'socket'));
  expect(socket.isSocket()).toBe(true);
  expect(socket.mode & 0o777).toBe(0o600);
});

test('without a login it serves an operator that may do everything in every vhost', async () => {
  const api = near();
  expect(await whoAmI(api)).toBe('local operator');
  await api.call('PUT', '/vhosts/shop', {});
  await api.call('PUT', '/queues/shop/jobs', { durable: true });
  const message = { properties: {}, routing_key: 'jobs', payload: 'x', payload_encoding: 'string' };
  expect(await api.call('POST', '/exchanges/shop/amq.default/publish', message)).toEqual({
    routed: true,
  });
  const taken = { count: 1, ackmode: 'ack_requeue_false', encoding: 'auto' };
  expect(await api.call('POST', '/queues/shop/jobs/get', taken)).toHaveLength(1);
  await api.call('DELETE', '/queues/shop/jobs');
  // It is no user: nothing of it is stored.
  expect(await api.get('/vhosts/shop/permissions')).toEqual([]);
  expect(await api.get<object[]>('/users')).toHaveLength(1);
  await api.call('DELETE', '/vhosts/shop');
});

test('a login that is given over it is checked', async () => {
  expect(await near().admits('guest', 'guest')).toBe(true);
  expect(await near().admits('guest', 'wrong')).toBe(false);
});

test('a port serves nothing without a login', async () => {
  expect((await fetch(`${httpUrl}/api/whoami`)).status).toBe(401);
});

test('it takes no AMQP over WebSocket', async () => {
  const socket = connect(join(folder, 'control', 'socket'));
  let said = '';
  socket.setEncoding('latin1').on('data', (text) => {
    said += text;
  });
  socket.write(
    'GET /ws/amqp HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n' +
      'sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  await new Promise((resolve) => socket.once('close', resolve));
  expect(said).toMatch(/^HTTP\/1.1 403 /);
});

test('a crowd of idle connections on it does not keep the operator out', async () => {
  const crowd: Socket[] = [];
  for (let n = 0; n < 40; n++) {
    const socket = connect(join(folder, 'control', 'socket'));
    socket.on('error', () => {});
    crowd.push(socket);
    await new Promise((resolve) => socket.once('connect', resolve));
  }
  expect(await whoAmI(near())).toBe('local operator');
  await vi.waitFor(() => expect(crowd.filter(({ closed }) => closed).length).toBeGreaterThan(7));
  for (const socket of crowd) socket.destroy();
});

test('a URL goes first, then a login of the environment while it holds, then the socket', async () => {
  const login = httpUrl.replace('//', '//guest:guest@');
  expect(await whoAmI(new HttpApi(targetOf(login)))).toBe('guest');
  vi.stubEnv('LEVERET_URL', login);
  expect(await whoAmI(near())).toBe('guest');
  // The environment names no port, and at the usual one this broker is not.
  vi.stubEnv('LEVERET_URL', '');
  vi.stubEnv('RABBITMQ_DEFAULT_USER', 'first');
  vi.stubEnv('RABBITMQ_DEFAULT_PASS', 'changed since');
  expect(await whoAmI(near())).toBe('local operator');
});

/** The broker of this machine, as if its usual port were another one. */
const nearAt = (url: string): HttpApi => {
  const target = targetOf(undefined);
  const usual = new URL(target.url);
  usual.port = new URL(url).port;
  return new HttpApi({ ...target, url: usual.href });
};

test('the broker of this machine is asked with the login of the environment', async () => {
  await near().call('PUT', '/users/first', { password: 'p:1', tags: 'management' });
  vi.stubEnv('RABBITMQ_DEFAULT_USER', 'first');
  vi.stubEnv('RABBITMQ_DEFAULT_PASS', 'p:1');
  expect(await whoAmI(nearAt(httpUrl))).toBe('first');
  vi.stubEnv('LEVERET_DEFAULT_USER', 'guest');
  vi.stubEnv('LEVERET_DEFAULT_PASS', 'guest');
  expect(await whoAmI(nearAt(httpUrl))).toBe('guest');
  await near().call('DELETE', '/users/first');
});

/** What takes a call and gives no whole answer; its address, and what it was asked. */
async function breaking(how: (socket: Socket) => void): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (text) => {
      asked.push(String(text).split(' ', 2).join(' '));
      how(socket);
    });
  });
  breakers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

test.each<[string, (socket: Socket) => void]>([
  ['is reset', (socket) => socket.resetAndDestroy()],
  ['ends without an answer', (socket) => socket.end()],
  ['answers with what is no HTTP', (socket) => socket.end('no\r\n\r\n')],
])(
  'a call that may have been done is not sent a second time: the connection %s',
  async (_, how) => {
    vi.stubEnv('RABBITMQ_DEFAULT_USER', 'guest');
    const { url, asked } = await breaking(how);
    await expect(nearAt(url).call('PUT', '/vhosts/twice', {})).rejects.toThrow('no broker answers');
    expect(asked).toEqual(['PUT /api/vhosts/twice']);
    expect(await new HttpApi(targetAt(folder)).has('/vhosts/twice')).toBe(false);
  },
);

test('a call that was not sent, or was refused for its login, goes to the socket', async () => {
  vi.stubEnv('RABBITMQ_DEFAULT_USER', 'guest');
  vi.stubEnv('RABBITMQ_DEFAULT_PASS', 'changed since');
  const gone = createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const { port } = gone.address() as AddressInfo;
  gone.close();
  for (const url of [httpUrl, `http://127.0.0.1:${port}`]) {
    const api = nearAt(url);
    await api.call('PUT', '/vhosts/once', {});
    await api.call('DELETE', '/vhosts/once');
  }
});

/** Runs `rabbitmqctl stop` without stopping anything; what was signalled. */
async function stopped(): Promise<{ err: string; code: number; signalled: unknown[] }> {
  const signalled: unknown[] = [];
  const kill = vi.spyOn(process, 'kill').mockImplementation((pid, signal) => {
    if (signal === 0) throw Object.assign(new Error('gone'), { code: 'ESRCH' });
    signalled.push([pid, signal]);
    return true;
  });
  try {
    const { err, code } = await capture(() => runRabbitmqctl('rabbitmqctl', ['stop']));
    return { err, code, signalled };
  } finally {
    kill.mockRestore();
  }
}

test('stop signals the broker at the control socket, also where the environment has a login', async () => {
  const signalled = [[process.pid, 'SIGTERM']];
  expect(await stopped()).toEqual({ err: '', code: 0, signalled });
  vi.stubEnv('RABBITMQ_DEFAULT_USER', 'guest');
  expect(await stopped()).toEqual({ err: '', code: 0, signalled });
});

test('stop signals no process that only the API behind a URL names', async () => {
  vi.stubEnv('LEVERET_URL', httpUrl.replace('//', '//guest:guest@'));
  const err = expect.stringContaining('omit --url and LEVERET_URL');
  expect(await stopped()).toEqual({ err, code: 69, signalled: [] });
  vi.stubEnv('LEVERET_URL', '');
  vi.stubEnv('LEVERET_DATA_DIR', join(root, 'none'));
  expect(await stopped()).toEqual({ err, code: 69, signalled: [] });
});

test('stop signals no other process that has the id of a broker in a container', async () => {
  const own = Object.getOwnPropertyDescriptor(process, 'pid') as PropertyDescriptor;
  Object.defineProperty(process, 'pid', { ...own, value: process.ppid });
  try {
    const inside = join(root, 'inside');
    const other = await start(inside, null);
    vi.stubEnv('LEVERET_DATA_DIR', inside);
    const err = expect.stringContaining(
      `process ${process.ppid} of this machine is not the broker`,
    );
    expect(await stopped()).toEqual({ err, code: 69, signalled: [] });
    await other.close('the test is over');
  } finally {
    Object.defineProperty(process, 'pid', own);
  }
});

test('a verb for a folder reaches the broker that runs on it', async () => {
  vi.stubEnv('LEVERET_DATA_DIR', '');
  const write = vi.spyOn(process.stdout, 'write').mockImplementation(() => true);
  try {
    await buildProgram().parseAsync(['list_users', '--data-dir', folder], { from: 'user' });
    expect(write.mock.calls.join('')).toContain('guest');
  } finally {
    write.mockRestore();
  }
});

test('a broker without a port for tools has it, also below a path too long for a socket', async () => {
  const deep = join(root, 'a-name-of-forty-letters-'.padEnd(60, 'x'), 'y'.repeat(60), 'data');
  mkdirSync(deep, { recursive: true });
  const other = await start(deep, null);
  expect(await answers(deep)).toBe(true);
  expect(await whoAmI(new HttpApi(targetAt(deep)))).toBe('local operator');
  await other.close('the test is over');
  expect(await answers(deep)).toBe(false);
});
