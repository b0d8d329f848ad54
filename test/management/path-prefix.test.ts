// The HTTP API, the web UI and the WebSocket below another path than the root.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect, Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { HttpApi } from '../../src/cli/verb/http-api.ts';
import { startBroker } from '../../src/embed/start-broker.ts';
import { markLocal } from '../../src/management/http/control-socket.ts';
import { PathPrefix } from '../../src/management/http/target.ts';
import { type Api, startApi } from './support.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi({ managementPathPrefix: '/a/rabbit' });
});
afterAll(() => api.close());

/** The status of a path, and where it leads. */
async function ask(path: string, method = 'GET'): Promise<[number, string | null]> {
  const authorization = `Basic ${Buffer.from('guest:guest').toString('base64')}`;
  const init: RequestInit = { method, redirect: 'manual', headers: { authorization } };
  const response = await fetch(`${api.url}${path}`, init);
  await response.arrayBuffer();
  return [response.status, response.headers.get('location')];
}

test('all is below the prefix, and nothing elsewhere', async () => {
  for (const path of ['/', '/index.html', '/app.js', '/vendor/uPlot.esm.js', '/api/overview?a=b']) {
    expect([path, await ask(`/a/rabbit${path}`)]).toEqual([path, [200, null]]);
    if (path !== '/') expect([path, await ask(path)]).toEqual([path, [404, null]]);
  }
  for (const path of [
    '/a/rabbitx/api/overview',
    '/a/api/overview',
    '/a/rabbit/a/rabbit/api/overview',
  ]) {
    expect([path, await ask(path)]).toEqual([path, [404, null]]);
  }
});

test('the root, and the prefix without a slash, lead a browser to the pages', async () => {
  for (const path of ['/', '/a/rabbit', '/?a=b']) {
    expect(await ask(path)).toEqual([301, '/a/rabbit/']);
    expect(await ask(path, 'PUT')).toEqual([404, null]);
  }
});

test('the target may have scheme and authority before the prefix', async () => {
  const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
  socket.end(
    `GET ${api.url}/a/rabbit/style.css HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n`,
  );
  const [head] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  expect(head.toString()).toMatch(/^HTTP\/1\.1 200 /);
});

test('AMQP over WebSocket lies below the prefix, too', async () => {
  const base = api.url.replace('http', 'ws');
  const open = async (path: string): Promise<string> => {
    const socket = new WebSocket(`${base}${path}`, 'amqp');
    const said = await once(socket, 'open').then(() => 'open', String);
    socket.terminate();
    return said;
  };
  expect(await open('/a/rabbit/ws')).toBe('open');
  expect(await open('/ws')).toContain('404');
});

test('a URL of the command line may have the prefix', async () => {
  const url = `${api.url.replace('://', '://guest:guest@')}/a/rabbit`;
  for (const each of [url, `${url}/`]) {
    expect(await new HttpApi({ url: each }).get('/whoami')).toMatchObject({ name: 'guest' });
  }
});

test('the control socket has no prefix', () => {
  const prefix = new PathPrefix('/a/rabbit');
  const target = (socket: Socket, url: string): string | undefined =>
    prefix.strip({ socket, url } as IncomingMessage).url;
  const local = new Socket();
  markLocal(local);
  expect(target(local, '/api/overview')).toBe('/api/overview');
  expect(target(new Socket(), '/a/rabbit/api/overview?a=/a/rabbit')).toBe(
    '/api/overview?a=/a/rabbit',
  );
});

test('a broker inside a program says the address with the prefix', async () => {
  const settings = { 'management.path_prefix': 'mq/' };
  const broker = await startBroker({ managementPort: 0, settings });
  expect(broker.managementUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/mq$/);
  expect((await fetch(`${broker.managementUrl}/style.css`)).status).toBe(200);
  await broker.close();
});
