// Owns the tests of compressed answers: for which clients, from which length on, and how many at a time.

import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { Transform } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Gzips } from '../../../src/management/answers/gzips.ts';
import { type Api, startApi } from '../support.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi();
  for (let n = 0; n < 60; n++) await api.call('PUT', `/queues/%2F/a-queue-${n}`, {});
});
afterAll(() => api.close());

interface Raw {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly bytes: Buffer;
}

/** Asks without a library that decodes. */
function ask(path: string, accepted: string | null, method = 'GET'): Promise<Raw> {
  const accepting = accepted === null ? {} : { 'accept-encoding': accepted };
  const headers = { ...accepting, connection: 'close' };
  return new Promise((resolve, reject) => {
    const asked = request(
      `${api.url}${path}`,
      { method, auth: 'guest:guest', headers },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('end', () => {
          const { statusCode: status, headers } = answer;
          resolve({ status, headers, bytes: Buffer.concat(parts) });
        });
        answer.on('error', reject);
      },
    );
    asked.on('error', reject);
    asked.end();
  });
}

const LONG = '/api/queues?columns=name,vhost,type,durable,arguments,state,node,memory';

test.each([
  ['a list that is streamed', '/api/queues'],
  ['a list that goes out at once', LONG],
  ['a file of the web UI', '/app.js'],
  ['the page of the web UI', '/style.css'],
])('%s is compressed for a client that takes gzip, and as it is for others', async (_, path) => {
  const plain = await ask(path, null);
  expect(plain.headers).not.toHaveProperty('content-encoding');
  expect(plain.bytes.length).toBeGreaterThan(2048);
  for (const refused of ['gzip;q=0', 'identity', 'br']) {
    const { headers, bytes } = await ask(path, refused);
    expect([headers['content-encoding'], bytes]).toEqual([undefined, plain.bytes]);
  }
  const zipped = await ask(path, 'br, gzip');
  expect(zipped.headers['content-encoding']).toBe('gzip');
  expect(zipped.bytes.length * 2).toBeLessThan(plain.bytes.length);
  expect(gunzipSync(zipped.bytes)).toEqual(plain.bytes);
  expect([zipped.headers['content-type'], zipped.status]).toEqual([
    plain.headers['content-type'],
    plain.status,
  ]);
  // Caches must not give one to a client that wants the other.
  for (const { headers } of [plain, zipped]) expect(headers.vary).toBe('origin, accept-encoding');
  const length = zipped.headers['content-length'];
  if (length !== undefined) expect(Number(length)).toBe(zipped.bytes.length);
});

test('short answers, and those to HEAD, are never compressed', async () => {
  for (const path of ['/api/whoami', '/api/queues/%2F/none']) {
    const { headers, bytes } = await ask(path, 'gzip');
    expect(headers).not.toHaveProperty('content-encoding');
    expect(JSON.parse(bytes.toString())).toBeTypeOf('object');
  }
  const head = await ask(LONG, 'gzip', 'HEAD');
  const { bytes } = await ask(LONG, null);
  expect(head.headers).not.toHaveProperty('content-encoding');
  expect(head.headers['content-length']).toBe(String(bytes.length));
});

test('so many answers are compressed at a time, and more as soon as one is sent or given up', async () => {
  const gzips = new Gzips();
  const taken = Array.from({ length: 20 }, () => gzips.take());
  const running = taken.filter((each) => each !== null);
  expect(running).toHaveLength(16);
  const [givenUp, sent, ...others] = running;
  for (const each of [givenUp, sent]) {
    const closed = once(each as Transform, 'close');
    if (each === givenUp) each?.destroy();
    else each?.end('x').resume();
    await closed;
  }
  const more = [gzips.take(), gzips.take(), gzips.take()];
  expect(more.map((each) => each !== null)).toEqual([true, true, false]);
  for (const each of [...others, ...more]) each?.destroy();
});
