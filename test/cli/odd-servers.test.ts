// Owns the tests of verbs against servers that are no brokers, and of URLs as people mistype them.

import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { buildProgram } from '../../src/cli/program.ts';
import { HttpApi } from '../../src/cli/verb/http-api.ts';
import { parseAmqpUrl } from '../../src/perf/connection.ts';
import { UserError } from '../../src/util/user-error.ts';

const servers: Server[] = [];
const sockets = new Set<Socket>();

beforeEach(() => {
  vi.stubEnv('LEVERET_DATA_DIR', '');
});
afterEach(() => {
  vi.unstubAllEnvs();
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** A server that says this to whatever comes, and ends there; its port. */
async function serverSaying(text: string): Promise<number> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => socket.end(text));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}

const answer = (body: string, length = Buffer.byteLength(body)): string =>
  `HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n${body}`;

async function errorOf(...args: string[]): Promise<{ err: string; code: number }> {
  let err = '';
  process.exitCode = 0;
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text);
    return true;
  });
  try {
    await buildProgram().parseAsync(args, { from: 'user' });
  } finally {
    vi.restoreAllMocks();
  }
  const code = Number(process.exitCode ?? 0);
  process.exitCode = 0;
  return { err, code };
}

const VERBS = [
  ['list', 'queues'],
  ['status'],
  ['list_users'],
  ['list_policies'],
  ['export_definitions', '-'],
  ['get', 'q'],
  ['browse', 'q'],
  ['delayed', 'q'],
  ['delayed', 'q', '--send'],
];

test.each([
  ['nothing', ''],
  ['what is not HTTP', 'garbage\r\n\r\n'],
  ['half an answer', answer('[{"name":', 100)],
  ['what is not JSON', answer('hello')],
  ['null', answer('null')],
  ['a number', answer('12')],
  ['a list of what is no object', answer('[1,null,"a"]')],
  ['an error with control characters', 'HTTP/1.1 500 x\r\ncontent-length: 4\r\n\r\n\x1b[3\n'],
])('a server that answers with %s ends a verb in one line', async (_, text) => {
  const url = `http://127.0.0.1:${await serverSaying(text)}`;
  for (const verb of VERBS) {
    const { err, code } = await errorOf(...verb, '--url', url);
    expect(err, verb.join(' ')).toMatch(/^leveret: [^\n]+\n$/);
    expect(err).not.toContain('\x1b');
    // 69 where the connection ends before an answer is whole.
    expect([1, 69], verb.join(' ')).toContain(code);
  }
});

test('an answer of another shape ends a verb in one line that names the server', async () => {
  const url = `http://127.0.0.1:${await serverSaying(answer('{}'))}`;
  for (const verb of [['list', 'queues'], ['status'], ['list_users']]) {
    const { err, code } = await errorOf(...verb, '--url', url);
    expect(err).toMatch(
      /^leveret: the answer of http:\/\/127\.0\.0\.1:\d+ makes no sense [^\n]+\n$/,
    );
    expect(code).toBe(1);
  }
});

test('URLs that are none are refused without their passwords', () => {
  const none = ['http://', 'http://:80', '://x', 'http://h:99999', 'ftp://h', 'file:///etc/passwd'];
  for (const url of [...none, 'http://a:secret@[::1', 'http://a:secret@h:x', 'amqp://a:secret@h']) {
    const call = (): HttpApi => new HttpApi({ url });
    expect(call, url).toThrow(UserError);
    expect(call, url).not.toThrow('secret');
  }
  for (const url of ['amqp://a:secret@h:99999', 'a:secret@h:99999', '']) {
    expect(() => parseAmqpUrl(url), url).toThrow(UserError);
    expect(() => parseAmqpUrl(url), url).not.toThrow('secret');
  }
});

test('a percent sign in a login that escapes nothing is meant as it stands', () => {
  expect(new HttpApi({ url: 'http://%zz:p%@h' }).user).toBe('%zz');
  expect(parseAmqpUrl('amqp://u:p%@h/%zz')).toMatchObject({ password: 'p%', vhost: '%zz' });
  expect(parseAmqpUrl('amqp://u:p%25@h/%2f')).toMatchObject({ password: 'p%', vhost: '/' });
});
