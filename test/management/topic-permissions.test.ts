// Topic permissions of one exchange, which tools name in the path. Runs against another broker too.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Api, startApi } from './support.ts';

let api: Api;
const VHOST = 'topic-permissions';
const PATH = `/topic-permissions/${VHOST}/topics`;

beforeAll(async () => {
  api = await startApi();
  await api.call('PUT', `/vhosts/${VHOST}`);
  await api.call('PUT', '/users/topics', { password: 'x', tags: '' });
});
afterAll(async () => {
  await api.call('DELETE', '/users/topics');
  await api.call('DELETE', `/vhosts/${VHOST}`);
  await api.close();
});

async function grant(exchange: string, path = PATH): Promise<number> {
  return (await api.call('PUT', path, { exchange, write: 'w', read: 'r' })).status;
}

async function granted(path = PATH): Promise<string[]> {
  const rows = (await api.call('GET', path)).json as { exchange: string }[];
  return rows.map(({ exchange }) => exchange).sort();
}

test('an exchange in the path names the one topic permission that is deleted', async () => {
  for (const exchange of ['one', 'two', 'a/b']) await grant(exchange);
  expect((await api.call('DELETE', `${PATH}/a%2Fb`)).status).toBe(204);
  expect(await granted()).toEqual(['one', 'two']);
  expect((await api.call('DELETE', `${PATH}/absent`)).status).toBe(204);
  expect(await granted()).toEqual(['one', 'two']);
  expect((await api.call('DELETE', `${PATH}/two`)).status).toBe(204);
  expect(await granted()).toEqual(['one']);
  expect((await api.call('DELETE', PATH)).status).toBe(204);
  expect((await api.call('GET', PATH)).status).toBe(404);
});

test('the first topic permission of a user in a vhost is new, each further one a change', async () => {
  expect(await grant('one')).toBe(201);
  expect(await grant('two')).toBe(204);
  expect(await grant('one')).toBe(204);
  expect((await api.call('DELETE', PATH)).status).toBe(204);
  expect(await grant('two')).toBe(201);
  expect((await api.call('DELETE', PATH)).status).toBe(204);
});

test('without a topic permission there is none to delete', async () => {
  expect((await api.call('DELETE', PATH)).status).toBe(404);
  expect((await api.call('DELETE', `${PATH}/one`)).status).toBe(404);
});

test('the body names the exchange that is granted, whatever the path says', async () => {
  expect((await api.call('PUT', `${PATH}/three`, { write: 'w', read: 'r' })).status).toBe(400);
  expect(await grant('four', `${PATH}/three`)).toBe(201);
  expect(await granted(`${PATH}/three`)).toEqual(['four']);
  await api.call('DELETE', PATH);
});
