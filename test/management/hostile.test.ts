// Every route with names and bodies that nobody should send: no answer is 500, and the broker goes on.

import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROUTES } from '../../src/management/app.ts';
import { SCRIPT_TIMEOUT_MS } from '../support/patience.ts';
import { type Api, startApi } from './support.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const NAMES = [
  '%2F',
  'guest',
  '..%2F..%2Fetc',
  '%00',
  '%F0%9F%90%87',
  'a'.repeat(3000),
  '%25ZZ',
  '%ZZ',
  '%ED%A0%80',
  '%FF',
  '%EF%BF%BD',
  '~',
  '0',
];
const BODIES = [
  '',
  '{',
  'null',
  '[]',
  '"text"',
  '12',
  '{"__proto__":{"admin":true},"constructor":1}',
  '{"name":{},"tags":{},"value":null,"pattern":1,"definition":[],"count":-1,"ackmode":[],"encoding":{}}',
  '{"count":1e99,"ackmode":"ack_requeue_true","encoding":"auto","truncate":"x"}',
  '{"configure":1,"write":[],"read":{},"exchange":7,"arguments":{"x":{"y":[1,{"z":null}]}}}',
  '{"properties":{"headers":[1,2],"priority":"no"},"routing_key":5,"payload":{},"payload_encoding":"string"}',
  '{"properties":{"delivery_mode":300},"routing_key":"q","payload":"x","payload_encoding":"base64"}',
  `{"arguments":${'{"a":'.repeat(60)}1${'}'.repeat(60)}}`,
  `{"tags":"${'x,'.repeat(5000)}","password":"p"}`,
  `{"pattern":"${'('.repeat(500)}","definition":{"max-length":1}}`,
  '{"cursor":"99999999999.999","to":"nowhere","key":"*","header":":","rate":-1}',
];
const ODD_OBJECT = '{"toString":1,"valueOf":1}';
BODIES.push(
  `{"name":${ODD_OBJECT},"tags":${ODD_OBJECT},"value":${ODD_OBJECT},"count":${ODD_OBJECT},"users":[${ODD_OBJECT}]}`,
  `{"action":${ODD_OBJECT},"ackmode":${ODD_OBJECT},"to":${ODD_OBJECT},"priority":${ODD_OBJECT},"vhost":${ODD_OBJECT}}`,
  `{"queues":[{"name":${ODD_OBJECT}}],"users":[{"name":${ODD_OBJECT},"user":${ODD_OBJECT}}],"parameters":[{"component":${ODD_OBJECT}}]}`,
  '{"name":"\\ud800","routing_key":"\\ud800","tags":"\\ud800","password":"\\ud800","arguments":{"\\ud800":"\\ud800"}}',
  `{"value":${'['.repeat(300)}${']'.repeat(300)}}`,
);
const QUERIES = [
  '?name=%ED%A0%80&use_regex=true&columns=%&sort=%FF',
  '',
  '?page=1&page_size=100000',
  '?sort=__proto__.x&columns=a.b.c,,',
  '?page=-1&name=(&use_regex=true',
  '?cursor=1e9.1&count=x&encoding=z',
];

test('where RabbitMQ has its script for download it is said where that is', async () => {
  const base = api.url.replace(/\/api\/?$/, '');
  for (const path of ['/cli/rabbitmqadmin', '/cli/', '/cli', '/cli?x', '/client']) {
    const answer = await fetch(`${base}${path}`);
    expect(answer.status).toBe(404);
    const { reason } = (await answer.json()) as { reason: string };
    if (path === '/client') expect(reason).toBe('Not Found');
    else expect(reason).toContain('rabbitmqadmin is not served here: take it from');
  }
});

test('no route answers a hostile request with 500', { timeout: SCRIPT_TIMEOUT_MS }, async () => {
  let [calls, n] = [0, 0];
  const passes = [0, 1, 2];
  for (const { method, path } of passes.flatMap(() => ROUTES)) {
    // This one would write where it is told to.
    if (path === '/backup') continue;
    for (const body of method === 'GET' || method === 'DELETE'
      ? [undefined, undefined, undefined]
      : BODIES) {
      n += 1;
      const filled = path.replace(/:\w+/g, () => {
        n += 1;
        return NAMES[n % NAMES.length] as string;
      });
      // Whoever asks must still be there afterwards.
      if (method !== 'GET' && filled.startsWith('/users/guest')) continue;
      if (method === 'DELETE' && filled === '/vhosts/%2F') continue;
      const query = QUERIES[n % QUERIES.length] as string;
      const answer = await api.call(method, filled + query, body);
      calls += 1;
      expect(answer.status, `${method} ${filled}${query} ${body}`).not.toBe(500);
    }
  }
  expect(calls).toBeGreaterThan(1500);
  expect((await api.call('GET', '/whoami')).json).toEqual({
    name: 'guest',
    tags: ['administrator'],
  });
  expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
});

test('what is no HTTP, or never ends, hurts nobody', async () => {
  const { port } = new URL(api.url);
  const speak = (text: string): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () => socket.end(text));
      let answer = '';
      socket.setEncoding('latin1').on('data', (more) => {
        answer += more;
      });
      socket.on('close', () => resolve(answer));
      socket.on('error', () => resolve(answer));
    });
  expect(await speak('AMQP\0\0\u0009\u0001')).toMatch(/^HTTP\/1\.1 400/);
  expect(await speak('GET /api/overview HTTP/1.1\r\n')).toMatch(/^(HTTP\/1\.1 400|$)/);
  expect(
    await speak('GET /../../etc/passwd HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'),
  ).toMatch(/^HTTP\/1\.1 404/);
  expect(await speak('GET /%zz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')).toMatch(
    /^HTTP\/1\.1 4\d\d/,
  );
  const head = `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`;
  expect(await speak(head)).toMatch(/^HTTP\/1\.1 431/);
  // Each says why, as all that is refused does, and only once.
  for (const [text, status, reason] of [
    ['no request\r\n\r\n', 400, /no request of HTTP that can be read \(.+\): /],
    [head, 431, /the head of the request is larger than 16 KiB/],
    [
      'POST /api/auth HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
      400,
      /no request of HTTP that can be read \(.+\): /,
    ],
  ] as const) {
    const [first, body, ...rest] = (await speak(text)).split('\r\n\r\n');
    expect(first).toMatch(new RegExp(`^HTTP/1\\.1 ${status} .*connection: close`, 's'));
    expect(first).toContain(`content-length: ${Buffer.byteLength(body as string)}`);
    expect(JSON.parse(body as string)).toEqual({
      error: 'bad_request',
      reason: expect.stringMatching(reason),
    });
    expect(rest).toEqual([]);
  }
  expect((await api.call('GET', '/whoami')).status).toBe(200);
});
