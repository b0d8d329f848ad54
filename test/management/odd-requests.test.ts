// Requests that no client of ours sends, by raw sockets, on every port of tools: each is answered or cut,
// and the broker serves the next one.

import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Api, startApi, until } from './support.ts';

let api: Api;
let metricsPort: number;

beforeAll(async () => {
  api = await startApi({ prometheusPort: 0 });
  const metrics = api.broker?.addresses.find(({ key }) => key === 'prometheus.tcp');
  metricsPort = metrics?.port ?? 0;
});
afterAll(() => api.close());

const CLOSE = 'connection: close\r\n';
const UPGRADE =
  'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n' +
  'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

const TARGETS = [
  '//',
  '///',
  '//@',
  '//[',
  '//%',
  '*',
  'http://',
  'http:///',
  'http://[',
  'http://%zz/metrics',
  'http://127.0.0.1/api/whoami',
  'https://x:99999/',
  'ftp://x/y',
  'x',
  '?',
  '/?',
  '/#',
  '/%',
  '/%zz',
  '/%00',
  '/api/queues/%2F/%ff%fe',
  '/api/queues/%ud800',
  '/metrics?family=%zz',
  '/\\\\',
  '/..;/api',
  '/ws/amqp?%',
  '//ws/amqp',
  '/ws/../ws/amqp//',
  `/${'a'.repeat(8192)}`,
  `/${'%2F'.repeat(2500)}`,
  `/?${'a&'.repeat(4000)}`,
  `//${'['.repeat(4000)}`,
];
const METHODS = ['GET', 'POST', 'OPTIONS', 'HEAD', 'PROPFIND', 'TRACE', 'PURGE', 'M-SEARCH'];
const HEADS = [
  `host: x\r\n${CLOSE}`,
  `host: \r\n${CLOSE}`,
  `host: [::1\r\n${CLOSE}`,
  `host: x:y:z\r\n${CLOSE}`,
  `host: ${'h'.repeat(5000)}\r\n${CLOSE}`,
  `host: x\r\n${CLOSE}authorization: Basic\r\nauthorization: Basic ====\r\ncookie: ;;=\r\n`,
  `host: x\r\n${CLOSE}content-type: ;\r\ncontent-length: 2\r\n\r\n{}`,
  `host: x\r\n${CLOSE}expect: 100-continue\r\ncontent-length: 2\r\n\r\n{}`,
  `host: x\r\n${CLOSE}expect: nothing\r\n`,
  `host: x\r\n${CLOSE}transfer-encoding: chunked\r\ntrailer: a\r\n\r\n2\r\n{}\r\n0\r\na: b\r\n`,
  `host: x\r\n${UPGRADE}`,
  'host: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n',
  `host: x\r\n${UPGRADE}sec-websocket-protocol: ,,,\r\nsec-websocket-extensions: ;;\r\n`,
  'host: x\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AA\r\n',
];

/** Sends a text and hears the answer; the socket is ended after it. */
function speak(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.end(text));
    let answer = '';
    socket.setEncoding('latin1').on('data', (more) => {
      answer += more;
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', () => resolve(answer));
  });
}

test('no target, method or header of a request ends the broker, on any port', async () => {
  const ports = [Number(new URL(api.url).port), metricsPort];
  let n = 0;
  for (const port of ports) {
    for (const target of TARGETS) {
      const heads = HEADS.map((head) => {
        n += 1;
        return `${METHODS[n % METHODS.length]} ${target} HTTP/1.1\r\n${head}\r\n`;
      });
      const gets = HEADS.map((head) => `GET ${target} HTTP/1.1\r\n${head}\r\n`);
      await Promise.all([...heads, ...gets].map((text) => speak(port, text)));
    }
    await speak(port, 'CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n');
    await speak(port, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    await speak(port, 'GET //\r\n');
    await speak(port, 'GET // HTTP/1.0\r\n\r\n');
  }
  expect((await api.call('GET', '/whoami')).status).toBe(200);
  const metrics = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
  expect(metrics.status).toBe(200);
  expect(await metrics.text()).toContain('rabbitmq_build_info');
});

test('an odd target has an answer, and an upgrade of one is refused', async () => {
  const odd = `GET // HTTP/1.1\r\nhost: x\r\n${CLOSE}\r\n`;
  expect(await speak(metricsPort, odd)).toMatch(/^HTTP\/1\.1 404/);
  const port = Number(new URL(api.url).port);
  expect(await speak(port, odd)).toMatch(/^HTTP\/1\.1 200/);
  const upgrade = `GET // HTTP/1.1\r\nhost: x\r\n${UPGRADE}\r\n`;
  expect(await speak(port, upgrade)).toMatch(/^HTTP\/1\.1 404/);
});

/** Sends a text, and more with the first answer; resolves with all that came when the other side has closed. */
function converse(port: number, text: string, more = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.setEncoding('latin1').on('data', (part) => {
      if (heard === '') socket.write(more);
      heard += part;
    });
    socket.on('close', () => resolve(heard));
    socket.on('error', reject);
  });
}

test('a request that offers HTTP/2 is answered in HTTP/1.1, with its body, and the connection goes on', async () => {
  const offer =
    'connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n';
  const login = `authorization: Basic ${Buffer.from('guest:guest').toString('base64')}\r\n`;
  const head = `host: x\r\n${login}`;
  const port = Number(new URL(api.url).port);
  const path = '/api/queues/%2F/offered';
  const put = `PUT ${path} HTTP/1.1\r\n${head}${offer}content-length: 16\r\n\r\n{"durable":true}`;
  const get = `GET ${path}?columns=name,durable HTTP/1.1\r\n${head}${CLOSE}\r\n`;
  const answers = await converse(port, put, get);
  expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 201', 'HTTP/1.1 200']);
  expect(answers).toContain('{"name":"offered","durable":true}');
  // Java's client offers it again with each request of a connection.
  const again = `GET ${path} HTTP/1.1\r\n${head}${offer}\r\n`;
  const last = `GET /nowhere HTTP/1.1\r\n${head}${offer.replace('Upgrade,', 'close, Upgrade,')}\r\n`;
  const both = await converse(port, again, last);
  expect(both.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404']);
});

test('an upgrade that nothing takes is answered, and its connection counts like any other', async () => {
  const upgrade = `GET /nowhere HTTP/1.1\r\nhost: x\r\n${UPGRADE}\r\n`;
  expect(await speak(metricsPort, upgrade)).toMatch(/^HTTP\/1\.1 404/);
  // None of these reads, so that answers wait; refused upgrades behind them are no way to stay.
  const behind = `${'GET /vendor/uPlot.esm.js HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(4)}GET /x HTTP/1.1\r\nhost: x\r\n${UPGRADE}\r\n`;
  const port = Number(new URL(api.url).port);
  for (const [at, text] of [
    [metricsPort, upgrade],
    [port, behind],
  ] as const) {
    let gone = 0;
    const sockets = Array.from({ length: 600 }, () => {
      const socket = connect(at, '127.0.0.1');
      socket.on('error', () => {});
      socket.on('close', () => {
        gone += 1;
      });
      socket.write(text);
      return socket;
    });
    await until(async () => {
      for (const socket of sockets) socket.resume();
      return gone >= 600 - 512;
    });
    for (const socket of sockets) socket.destroy();
  }
});
