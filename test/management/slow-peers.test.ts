// Peers that send much and read little, on the ports of tools: what they cost is bounded, and others are
// served.

import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Answers } from '../../src/management/answers/answers.ts';
import { ToolSockets, WRITE_TIMEOUT_MS } from '../../src/management/http/sockets.ts';
import { heldBytes, untilHeldBelow } from '../support/memory.ts';
import { type Api, startApi, until } from './support.ts';

let api: Api;
let metricsPort: number;
const sockets: Socket[] = [];

beforeEach(async () => {
  api = await startApi({ prometheusPort: 0 });
  const metrics = api.broker?.addresses.find(({ key }) => key === 'prometheus.tcp');
  metricsPort = metrics?.port ?? 0;
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await api.close();
});

const portOf = (): number => Number(new URL(api.url).port);

/** A connection that never reads. */
async function deaf(port: number): Promise<Socket & { gone: boolean }> {
  const socket = Object.assign(connect(port, '127.0.0.1'), { gone: false });
  sockets.push(socket);
  socket.pause();
  socket.on('error', () => {});
  socket.on('close', () => {
    socket.gone = true;
  });
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

const request = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`;

test('connections that pipeline and never read hold little, and others are served', async () => {
  // A first request loads what serves.
  await api.call('GET', '/whoami');
  await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
  const before = heldBytes();
  for (const [port, path] of [
    [portOf(), '/vendor/uPlot.esm.js'],
    [metricsPort, '/metrics'],
  ] as const) {
    const few = await Promise.all(Array.from({ length: 40 }, () => deaf(port)));
    for (const socket of few) socket.write(request(path).repeat(7));
    const many = await Promise.all(Array.from({ length: 40 }, () => deaf(port)));
    for (const socket of many) socket.write(request(path).repeat(1000));
    // Who asks for more than is kept waiting is cut.
    await until(async () => {
      for (const socket of many) socket.resume();
      return many.every(({ gone }) => gone);
    });
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
    await answer.text();
    expect(few.every(({ gone }) => !gone)).toBe(true);
  }
  expect((await api.call('GET', '/whoami')).status).toBe(200);
  // Without bounds it is some hundred MB.
  await untilHeldBelow(before + 40 * 2 ** 20);
});

test('pipelined requests are answered in order, each when the one before is', async () => {
  const socket = connect(portOf(), '127.0.0.1');
  sockets.push(socket);
  let text = '';
  socket.setEncoding('latin1').on('data', (more) => {
    text += more;
  });
  const paths = ['/style.css', '/api/health/checks/alarms', '/nowhere', '/app.js', '/icon.svg'];
  socket.write(paths.map(request).join(''));
  const lines = (): string[] => text.match(/HTTP\/1\.1 \d+|^content-type: [^\r;]+/gm) ?? [];
  const answered = async (): Promise<boolean> => lines().length >= 10 && text.includes('</svg>');
  await until(answered);
  expect(lines()).toEqual([
    'HTTP/1.1 200',
    'content-type: text/css',
    expect.stringMatching(/^HTTP\/1\.1 (200|401)$/),
    'content-type: application/json',
    'HTTP/1.1 404',
    'content-type: application/json',
    'HTTP/1.1 200',
    'content-type: text/javascript',
    'HTTP/1.1 200',
    'content-type: image/svg+xml',
  ]);
});

test('an upgrade behind a request that is not answered yet ends the connection', async () => {
  await api.call('GET', '/whoami');
  const socket = await deaf(portOf());
  const login = `authorization: Basic ${Buffer.from('guest:guest').toString('base64')}`;
  let told = '';
  socket.on('data', (bytes: Buffer) => {
    told += bytes.toString('latin1');
  });
  socket.resume();
  socket.write(
    `GET /api/queues HTTP/1.1\r\nhost: localhost\r\n${login}\r\n\r\n` +
      'GET /ws/amqp HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n' +
      'sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  await until(async () => socket.gone);
  expect(told).not.toContain('101 Switching');
});

test('when all places are taken, the connection that rests longest gives way to a new one', async () => {
  await api.call('GET', '/whoami');
  const idle = await Promise.all(Array.from({ length: 600 }, () => deaf(portOf())));
  const answer = await fetch(`${api.url}/style.css`);
  expect(answer.status).toBe(200);
  await answer.text();
  for (const socket of idle) socket.resume();
  await until(async () => idle.filter(({ gone }) => gone).length >= 600 + 1 - 512);
  expect(idle.slice(-300).every(({ gone }) => !gone)).toBe(true);
});

/** A socket as the list of connections sees it. */
function fake(remoteAddress: string, writableLength = 0) {
  const socket = {
    remoteAddress,
    writableLength,
    bytesRead: 0,
    bytesWritten: writableLength,
    destroyed: false,
    once: () => socket,
    destroy: () => {
      socket.destroyed = true;
    },
  };
  return socket;
}

const clock = { ms: 0, monotonicMs: () => clock.ms, wallMs: () => clock.ms };
const asSocket = (socket: object): Socket => socket as Socket;

test('the address with most connections loses one first', () => {
  const list = new ToolSockets(clock, 4);
  const lone = fake('10.0.0.1');
  const crowd = ['10.0.0.2', '10.0.0.2', '10.0.0.2'].map((address) => fake(address));
  list.add(asSocket(lone));
  for (const each of crowd) {
    clock.ms += 1000;
    list.add(asSocket(each));
  }
  list.add(asSocket(fake('10.0.0.3')));
  expect(lone.destroyed).toBe(false);
  expect(crowd.map(({ destroyed }) => destroyed)).toEqual([true, false, false]);
  expect(list.size).toBe(4);
});

test('a peer that takes nothing, or almost nothing, is cut after a while, and one that takes is not', () => {
  const list = new ToolSockets(clock);
  const [quick, slow, still, idle] = [fake('a', 1e6), fake('b', 1e6), fake('c', 1e6), fake('d')];
  for (const each of [quick, slow, still, idle]) list.add(asSocket(each));
  for (let ms = 0; ms <= WRITE_TIMEOUT_MS; ms += 5000) {
    list.look();
    clock.ms += 5000;
    quick.bytesWritten += 20_000;
    slow.bytesWritten += 10;
  }
  list.look();
  const all = [quick, slow, still, idle];
  expect(all.map(({ destroyed }) => destroyed)).toEqual([false, true, true, false]);
});

/** A response as answers see it. */
function fakeResponse() {
  const ends: (() => void)[] = [];
  return {
    destroyed: false,
    writableFinished: false,
    once: (_event: string, end: () => void) => ends.push(end),
    close: () => {
      for (const end of ends.splice(0)) end();
    },
  };
}
type Response = Parameters<Answers['turn']>[1];

test('a user has some answers at a time, and a place is given back by the end of a connection', async () => {
  const answers = new Answers();
  const responses = Array.from({ length: 6 }, fakeResponse);
  for (const each of responses) await answers.turn('one', each as unknown as Response);
  let had = false;
  const more = answers.turn('one', fakeResponse() as unknown as Response).then(() => {
    had = true;
  });
  await answers.turn('other', fakeResponse() as unknown as Response);
  expect(had).toBe(false);
  responses[0]?.close();
  await more;
  expect(had).toBe(true);
});

test('what waits to be read is bounded in all, and given back', () => {
  const answers = new Answers();
  const [first, second] = [fakeResponse(), fakeResponse()];
  const large = 'x'.repeat(40 * 2 ** 20);
  answers.stream([large], first as unknown as Response);
  const refused = (): unknown => answers.stream([large], second as unknown as Response);
  expect(refused).toThrow('try again');
  first.close();
  expect(answers.held).toBe(0);
  expect(refused).not.toThrow();
});
