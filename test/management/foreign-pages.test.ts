// What pages of other sites may ask a browser to do here: nothing. By a real browser, where there is one,
// and header by header.

import { createServer, request as httpRequest, type Server } from 'node:http';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkHost, checkPage } from '../../src/management/http/origins.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { hasBrowser } from '../ui/stage.ts';
import { type Api, startApi } from './support.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi({
    managementAllowedHosts: ['mq.example.com', '*.inner.example'],
    managementAllowedOrigins: ['https://tools.example.com'],
  });
});
afterAll(() => api.close());

/** The status of a request with any headers, which fetch would not send. */
function ask(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body = '',
): Promise<number> {
  return new Promise((resolve, reject) => {
    const url = new URL(path, api.url);
    const all = {
      authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}`,
      ...headers,
    };
    const made = httpRequest(url, { method, headers: all, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    made.on('upgrade', (_response, socket) => {
      socket.destroy();
      resolve(101);
    });
    made.on('error', reject);
    made.end(body);
  });
}

const JSON_TYPE = { 'content-type': 'application/json' };
const put = (headers: Readonly<Record<string, string>>): Promise<number> =>
  ask('PUT', '/api/queues/%2F/made', { ...headers, 'content-length': '2' }, '{}');
const isDone = (status: number): boolean => status === 201 || status === 204;

test('a change needs a name that this server is known under', async () => {
  for (const host of ['127.0.0.1', '[::1]:1', 'localhost:15672', 'broker', 'MQ.example.com:80']) {
    expect([host, isDone(await put({ host }))]).toEqual([host, true]);
  }
  expect(isDone(await put({ host: 'a.inner.example' }))).toBe(true);
  for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', 'x@y']) {
    expect([host, await put({ host })]).toEqual([host, 403]);
  }
  // What a browser reads under a name that was made to lead here is read by the page.
  const browser = { host: 'evil.example', 'user-agent': 'Mozilla/5.0 (X11; Linux)' };
  expect(await ask('GET', '/api/overview', browser)).toBe(403);
  expect(await ask('GET', '/api/overview', { host: 'mq.corp.example' })).toBe(200);
});

test('a broker on a network may have any name, for peers on other machines', () => {
  const allowed = { hosts: [], origins: [], machine: 'broker' };
  const host = 'mq.example.com:15672';
  for (const peer of ['192.0.2.7', '2001:db8::7', '::ffff:192.0.2.7']) {
    checkHost(host, peer, allowed);
    checkPage({ host }, peer, allowed);
    checkPage({ host, origin: 'https://mq.example.com:15672' }, peer, allowed);
    expect(() => checkPage({ host, origin: 'http://evil.example' }, peer, allowed)).toThrow();
  }
  for (const peer of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) {
    expect(() => checkPage({ host }, peer, allowed)).toThrow('allowed_hosts');
  }
});

test('a change of a page needs the origin of this server, or one that is named', async () => {
  const host = 'localhost:15672';
  for (const origin of [
    'http://localhost:15672',
    'https://localhost:15672',
    'https://tools.example.com',
  ]) {
    expect([origin, isDone(await put({ host, origin, ...JSON_TYPE }))]).toEqual([origin, true]);
  }
  for (const origin of [
    'null',
    'http://evil.example',
    'http://localhost',
    'http://localhost:1',
    'x',
  ]) {
    expect([origin, await put({ host, origin, ...JSON_TYPE })]).toEqual([origin, 403]);
  }
  for (const site of ['cross-site', 'same-site', 'odd']) {
    expect(await put({ host, 'sec-fetch-site': site, ...JSON_TYPE })).toBe(403);
  }
  expect(isDone(await put({ host, 'sec-fetch-site': 'same-origin', ...JSON_TYPE }))).toBe(true);
});

test('what a page sends has to be JSON, and what scripts send may have any type', async () => {
  const origin = 'http://localhost:15672';
  const host = 'localhost:15672';
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
    expect([type, await put({ host, origin, 'content-type': type })]).toEqual([type, 415]);
    expect([type, isDone(await put({ host, 'content-type': type }))]).toEqual([type, true]);
  }
  expect(await put({ host, origin })).toBe(415);
  expect(
    isDone(await put({ host, origin, 'content-type': 'application/json; charset=utf-8' })),
  ).toBe(true);
  expect(await ask('DELETE', '/api/queues/%2F/made', { host, origin })).toBe(204);
});

const UPGRADE = {
  connection: 'upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

test('AMQP over WebSocket is for own pages, named ones, and what is no browser', async () => {
  const host = 'localhost:15672';
  const upgrade = (headers: Readonly<Record<string, string>>): Promise<number> =>
    ask('GET', '/ws/amqp', { ...UPGRADE, host, ...headers });
  expect(await upgrade({})).toBe(101);
  expect(await upgrade({ origin: 'http://localhost:15672' })).toBe(101);
  expect(await upgrade({ origin: 'https://tools.example.com' })).toBe(101);
  expect(await upgrade({ origin: 'http://evil.example' })).toBe(403);
  expect(await upgrade({ origin: 'null' })).toBe(403);
  expect(await upgrade({ host: 'evil.example', origin: 'http://evil.example' })).toBe(403);
});

test('without an AMQP listener without TLS there is no AMQP over WebSocket without TLS either', async () => {
  const settings = { tcpListeners: new Map() };
  const states = [
    [settings, 403],
    [{ ...settings, managementWebSocket: 'on' }, 101],
    [{ managementWebSocket: 'off' }, 403],
  ] as const;
  const outer = api;
  for (const [changes, status] of states) {
    api = await startApi({ managementHost: '127.0.0.1', ...changes });
    try {
      expect(await ask('GET', '/ws/amqp', UPGRADE)).toBe(status);
    } finally {
      await api.close();
      api = outer;
    }
  }
});

/** A page of another site. */
async function foreignSite(): Promise<Server> {
  const page = `<form id="f" method="post" enctype="text/plain" target="t"
    action="${api.url}/api/definitions"><input name='{"users":[{"name":"mallory","tags":"administrator",
    "password":"p"}],"x":"' value='"}'></form><iframe name="t"></iframe>`;
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end(page);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

test.skipIf(!hasBrowser)(
  'a real browser is refused all that a page of another site asks for',
  async () => {
    const site = await foreignSite();
    const browser = await chromium.launch({
      executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      args: ['--no-sandbox'],
    });
    try {
      // The browser remembers the login, as after a visit to the API.
      const context = await browser.newContext({
        httpCredentials: { username: 'guest', password: 'guest' },
      });
      const page = await context.newPage();
      page.setDefaultTimeout(PATIENCE_MS);
      await page.goto(`${api.url}/api/whoami`);
      const { port } = site.address() as { port: number };
      await page.goto(`http://localhost:${port}/`);
      const posted = page.waitForResponse((response) =>
        response.url().endsWith('/api/definitions'),
      );
      await page.evaluate("document.getElementById('f').submit()");
      expect((await posted).status()).toBe(403);
      const text = JSON.stringify({
        users: [{ name: 'mallory', tags: 'administrator', password: 'p' }],
      });
      const target = JSON.stringify(`${api.url}/api/definitions`);
      const fetched = page.waitForResponse((response) =>
        response.url().endsWith('/api/definitions'),
      );
      await page.evaluate(
        `fetch(${target}, { method: 'POST', mode: 'no-cors', credentials: 'include',
         headers: { 'content-type': 'text/plain' }, body: ${JSON.stringify(text)} }).catch(() => {})`,
      );
      expect((await fetched).status()).toBe(403);
      const opened = await page.evaluate(
        `new Promise((resolve) => {
         const socket = new WebSocket(${JSON.stringify(`${api.url.replace('http', 'ws')}/ws/amqp`)}, 'amqp');
         socket.onopen = () => resolve(true);
         socket.onerror = () => resolve(false);
       })`,
      );
      expect(opened).toBe(false);
      expect((await api.call('GET', '/users/mallory')).status).toBe(404);
    } finally {
      await browser.close();
      site.close();
    }
  },
);

test('before its login a WebSocket may send a handshake, and not more', async () => {
  const { WebSocket } = await import('ws');
  const socket = new WebSocket(`${api.url.replace('http', 'ws')}/ws/amqp`, 'amqp');
  await new Promise((resolve) => socket.once('open', resolve));
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => {});
  // Fragments of a message that never ends.
  for (let n = 0; n < 100; n++) socket.send(Buffer.alloc(1024), { fin: false });
  await closed;
  expect((await api.call('GET', '/whoami')).status).toBe(200);
});
