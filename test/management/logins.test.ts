// Logins of one peer that are wrong by the thousand, beside those of others.

import { connect as connectSocket } from 'node:net';
import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
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

/** One connection that pipelines wrong logins, each with another password. */
async function attack(name: string): Promise<{ readonly seen: () => string; end(): void }> {
  const { hostname, port } = new URL(api.url);
  const socket = connectSocket(Number(port), hostname);
  let seen = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    seen += text;
  });
  socket.on('error', () => {});
  const requests = Array.from({ length: 3000 }, (_, n) => {
    const login = Buffer.from(`${name}:${n}`).toString('base64');
    return `GET /api/whoami HTTP/1.1\r\nhost: a\r\nauthorization: Basic ${login}\r\n\r\n`;
  });
  socket.write(requests.join(''));
  await new Promise((resolve) => socket.once('data', resolve));
  return { seen: () => seen, end: () => socket.destroy() };
}

test('a user not seen since the start logs in while another peer sends 3,000 wrong logins', async () => {
  const attacks = await Promise.all([attack('guest'), attack('nobody'), attack('first')]);
  const answer = await api.call('GET', '/whoami', undefined, 'first:pw');
  expect(answer.json).toMatchObject({ name: 'first' });
  const url = new URL(api.amqpUrl);
  [url.username, url.password] = ['second', 'pw'];
  await (await connect(url.href)).close();
  for (const { seen, end } of attacks) {
    expect(seen()).toMatch(/^HTTP\/1\.1 401 /);
    end();
  }
});
