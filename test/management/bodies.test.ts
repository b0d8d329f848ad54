// Bodies of requests: read only where a route wants them, within limits, and turned into values without
// holding up others.

import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Bodies } from '../../src/management/http/bodies.ts';
import { type Api, startApi } from './support.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const LOGIN = `authorization: Basic ${Buffer.from('guest:guest').toString('base64')}\r\n`;
const WRONG = `authorization: Basic ${Buffer.from('guest:wrong').toString('base64')}\r\n`;

/** Sends the head of a request and no body; hears the answer, up to the end of the connection. */
function speak(start: string, headers: string): Promise<string> {
  return new Promise((resolve) => {
    const text = `${start} HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n`;
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.setEncoding('latin1').on('data', (more) => {
      answer += more;
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', () => resolve(answer));
  });
}

test('a body that nothing wants is not waited for, and its connection ends', async () => {
  const long = 'content-length: 10000000\r\n';
  const chunked = 'transfer-encoding: chunked\r\n';
  const cases = [
    ['POST /nowhere', long, 404],
    ['POST /nowhere', chunked, 404],
    ['PUT /api/nowhere/x', LOGIN + long, 404],
    ['PUT /api/queues/%2F/x', long, 401],
    ['PUT /api/queues/%2F/x', WRONG + long, 401],
    ['PATCH /api/queues', LOGIN + long, 405],
    ['POST /api/whoami', LOGIN + chunked, 405],
    ['GET /api/whoami', LOGIN + long, 200],
    ['PUT /api/queues/%2F/x', LOGIN + long, 413],
    ['POST /api/definitions', `${LOGIN}content-length: 40000000\r\n`, 413],
    ['PUT /api/queues/%2F/x', `${long}expect: 100-continue\r\n`, 401],
  ] as const;
  for (const [start, headers, status] of cases) {
    const answer = await speak(start, headers);
    expect(`${start} ${answer.slice(0, 12)}`).toBe(`${start} HTTP/1.1 ${status}`);
  }
});

test('a body is asked for once it is wanted', async () => {
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
    const head = `PUT /api/queues/%2F/asked HTTP/1.1\r\nhost: localhost\r\n${LOGIN}`;
    socket.write(`${head}content-length: 2\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n`);
    let text = '';
    socket.setEncoding('latin1').on('data', (more) => {
      if (text === '') socket.write('{}');
      text += more;
    });
    socket.on('close', () => resolve(text));
  });
  expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201/);
});

test('JSON that is too much for its route is refused, and definitions may be large', async () => {
  const many = `[${'{},'.repeat(60_000)}{}]`;
  const answer = await api.call('PUT', '/queues/%2F/many', many);
  expect([answer.status, answer.json]).toMatchObject([400, { error: 'bad_request' }]);
  expect((answer.json as { reason: string }).reason).toContain('too much');
  const deep = `{"arguments":${'{"a":'.repeat(300)}1${'}'.repeat(300)}}`;
  expect((await api.call('PUT', '/queues/%2F/deep', deep)).status).toBe(400);
  const long = await api.call('PUT', '/queues/%2F/long', `"${'x'.repeat(300_000)}"`);
  expect(long.status).toBe(413);
  const payload = 'x'.repeat(2_000_000);
  const message = { properties: {}, routing_key: 'q', payload, payload_encoding: 'string' };
  const routed = await api.call('POST', '/exchanges/%2F/amq.default/publish', message);
  expect([routed.status, routed.json]).toEqual([200, { routed: false }]);
  const queues = Array.from({ length: 3000 }, (_, n) => ({
    vhost: '/',
    name: `imported ${n}`,
    durable: true,
    auto_delete: false,
    arguments: { 'x-max-length': n, 'x-unknown': ' '.repeat(200) },
  }));
  const given = await api.call('POST', '/definitions', { queues });
  expect([given.status, given.text]).toEqual([204, '']);
  const listed = await api.call('GET', '/queues/%2F/imported%202999');
  expect(listed.json).toMatchObject({ arguments: { 'x-max-length': 2999 } });
});

test('20 MiB of definitions are taken, and what is left out of them is told where that is asked for', async () => {
  const big = Array.from({ length: 210 }, (_, n) => ({ name: `big ${n}`, value: 'x'.repeat(1e5) }));
  const queues = [
    { vhost: '/', name: 'log', durable: true, arguments: { 'x-queue-type': 'odd' } },
    { vhost: '/', name: 'beside', durable: true },
  ];
  const file = JSON.stringify({ global_parameters: big, queues });
  expect(file.length).toBeGreaterThan(20 * 2 ** 20);
  const reason = "queues[0] 'log' in vhost '/': there are no queues of type 'odd' here";
  const refused = await api.call('POST', '/definitions', file);
  expect([refused.status, refused.json]).toEqual([400, { error: 'bad_request', reason }]);
  expect((await api.call('GET', '/global-parameters/big%200')).status).toBe(404);
  const taken = await api.call('POST', '/definitions?skip_unsupported=true', file);
  const warning = reason.replace(':', ' is left out:');
  expect([taken.status, taken.json]).toEqual([200, { warnings: [warning] }]);
  expect((await api.call('GET', '/global-parameters/big%20209')).status).toBe(200);
  expect((await api.call('GET', '/queues/%2F/beside')).status).toBe(200);
  for (const { name } of big) await api.call('DELETE', `/global-parameters/${name}`);
});

test('definitions come in a form too', async () => {
  const file = JSON.stringify({ queues: [{ vhost: '/', name: 'by form', durable: true }] });
  const form = `--edge\r\ncontent-disposition: form-data; name="file"\r\n\r\n${file}\r\n--edge--\r\n`;
  const type = { 'content-type': 'multipart/form-data; boundary=edge' };
  const given = await api.call('POST', '/definitions', form, 'guest:guest', type);
  expect([given.status, given.text]).toEqual([204, '']);
  expect((await api.call('GET', '/queues/%2F/by%20form')).status).toBe(200);
  const none = await api.call(
    'POST',
    '/definitions',
    form.replace('"file"', '"x"'),
    undefined,
    type,
  );
  expect([none.status, none.text]).toEqual([
    400,
    expect.stringContaining('no part of the name file'),
  ]);
});

test('all bodies together are bounded, and each is given back with its answer', async () => {
  const bodies = new Bodies(1000);
  const part = Buffer.alloc(2 ** 20);
  const ends: (() => void)[] = [];
  const response = { destroyed: false, once: (_: string, end: () => void) => ends.push(end) };
  const read = (parts: number): Promise<Buffer> => {
    async function* body(): AsyncIterable<Buffer> {
      for (let n = 0; n < parts; n++) yield part;
    }
    const request = Object.assign(body(), { headers: {} });
    return bodies.read(request as never, response as never, 2 ** 30);
  };
  await read(40);
  await expect(read(40)).rejects.toMatchObject({ status: 503 });
  for (const end of ends.splice(0)) end();
  expect(bodies.held).toBe(0);
  expect(await read(40)).toHaveLength(40 * 2 ** 20);
});
