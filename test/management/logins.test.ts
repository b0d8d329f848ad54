// Logins of one peer that are wrong by the hundred, beside those of others.

import { connect as connectSocket } from 'node:net';
import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/amqp.ts';
import { type Api, startApi } from './support.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi();
  for (const name of ['first', 'second']) {
    await api.call('PUT', `/users/${name}`, { password: 'pw', tags: 'management' });
    const all = { configure: '.*', write: '.*', read: '.*' };
    await api.call('PUT', `/permissions/%2F/${name}`, all);
  }
});

afterAll(() => api.close());

/** So many requests of a connection may wait; more end it. */
const PIPELINED = 8;
const CONNECTIONS = 50;

/** Connections that pipeline as many wrong logins as they may, each with another password. */
async function attack(
  name: string,
  connections = CONNECTIONS,
): Promise<{ readonly seen: () => string; end(): void }> {
  const { hostname, port } = new URL(api.url);
  let seen = '';
  const sockets = Array.from({ length: connections }, (_, connection) => {
    const socket = connectSocket(Number(port), hostname);
    socket.setEncoding('latin1').on('data', (text: string) => {
      seen += text;
    });
    socket.on('error', () => {});
    const requests = Array.from({ length: PIPELINED }, (_request, n) => {
      const login = Buffer.from(`${name}:${connection}-${n}`).toString('base64');
      return `GET /api/whoami HTTP/1.1\r\nhost: a\r\nauthorization: Basic ${login}\r\n\r\n`;
    });
    socket.write(requests.join(''));
    return socket;
  });
  await eventually(() => seen !== '', 'the first refusal');
  return {
    seen: () => seen,
    end: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

test('a user not seen since the start logs in while another peer sends 800 wrong logins', async () => {
  // Of one name and address 16 checks wait at most, 4 of one connection.
  const attacks = await Promise.all([attack('guest'), attack('nobody'), attack('first', 1)]);
  const answer = await api.call('GET', '/whoami', undefined, 'first:pw');
  expect(answer.json).toMatchObject({ name: 'first' });
  const url = new URL(api.amqpUrl);
  [url.username, url.password] = ['second', 'pw'];
  await (await connect(url.href)).close();
  for (const { seen, end } of attacks) {
    expect(seen()).toMatch(/^HTTP\/1\.1 (401|429) /);
    end();
  }
});
