// What clients, proxies and browsers go by beside the data: methods, headers, pages, errors, and fields that are not
// there. What is not marked as Leveret's own passes on RabbitMQ 3.10, too.

import { request } from 'node:http';
import { type Channel, type ChannelModel, connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROUTES } from '../../src/management/app.ts';
import { type Api, isOracle, startApi, until } from './support.ts';

let api: Api;
let connection: ChannelModel;
let channel: Channel;
const VHOST = 'routes';
const PAGE = 'https://tools.example.com';

beforeAll(async () => {
  api = await startApi({ managementAllowedOrigins: [PAGE] });
  await api.call('PUT', `/vhosts/${VHOST}`, '{}');
  const all = '{"configure":".*","write":".*","read":".*"}';
  await api.call('PUT', `/permissions/${VHOST}/guest`, all);
  await api.call('PUT', `/queues/${VHOST}/a`, '{"durable":true}');
  await api.call('PUT', `/queues/${VHOST}/b`, '{"durable":true}');
  connection = await connect(`${api.amqpUrl}/${VHOST}`);
  channel = await connection.createChannel();
  await channel.assertQueue('mine', { exclusive: true });
});
afterAll(async () => {
  await connection.close();
  await api.call('DELETE', `/vhosts/${VHOST}`);
  await api.close();
});

/** Status and headers, as they are on the wire. */
function head(method: string, path: string, headers: Record<string, string> = {}) {
  const authorization = `Basic ${Buffer.from('guest:guest').toString('base64')}`;
  return new Promise<{ status: number; headers: Record<string, unknown> }>((resolve, reject) => {
    const login = headers['authorization'] === 'none' ? {} : { authorization };
    const { authorization: _, ...others } = headers;
    const options = { method, headers: { ...login, ...others } };
    const sent = request(`${api.url}/api${path}`, options, (answer) => {
      answer.resume();
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers });
    });
    sent.on('error', reject).end();
  });
}

test('each path says which methods it has, and refuses the others with the same list', async () => {
  const paths = isOracle ? ['/overview', '/definitions'] : ROUTES.map(({ path }) => path);
  for (const path of new Set(paths)) {
    const filled = path.replace(/:\w+/g, 'x');
    const options = await head('OPTIONS', filled, { authorization: 'none' });
    expect([path, options.status]).toEqual([path, 200]);
    const known = ROUTES.filter((each) => each.path === path).map(({ method }) => method);
    const allowed = [...(known.includes('GET') ? ['HEAD'] : []), ...known, 'OPTIONS'];
    expect(options.headers['allow']).toBe(allowed.join(', '));
    const other = ['PATCH', 'PUT', 'POST', 'DELETE'].find((each) => !allowed.includes(each));
    const refused = await head(other as string, filled);
    expect([path, refused.status, refused.headers['allow']]).toEqual([
      path,
      405,
      allowed.join(', '),
    ]);
  }
});

test('JSON has the content type of RabbitMQ, also in errors, and other types are refused with 406', async () => {
  for (const path of ['/whoami', '/queues', '/definitions', '/nope', `/queues/${VHOST}/nope`]) {
    const { headers } = await head('GET', path);
    expect([path, headers['content-type']]).toEqual([path, 'application/json']);
  }
  expect((await head('HEAD', '/overview')).headers['content-type']).toBe('application/json');
  for (const [accept, status] of [
    ['text/plain', 406],
    ['application/xml', 406],
    ['application/json', 200],
    ['text/html, application/*;q=0.5', 200],
    ['text/html,*/*;q=0.8', 200],
  ] as const) {
    expect([accept, (await head('GET', '/whoami', { accept })).status]).toEqual([accept, status]);
  }
});

test.skipIf(isOracle)(
  'a browser is told what a page of a named origin may do, and nothing of others',
  async () => {
    const asked = {
      'access-control-request-method': 'DELETE',
      'access-control-request-headers': 'x-reason',
    };
    const preflight = await head('OPTIONS', `/queues/${VHOST}/a`, { origin: PAGE, ...asked });
    expect(preflight.headers).toMatchObject({
      vary: 'origin',
      'access-control-allow-origin': PAGE,
      'access-control-allow-credentials': 'true',
      'access-control-allow-headers': 'x-reason',
      'access-control-allow-methods': 'HEAD, GET, PUT, DELETE, OPTIONS',
      'access-control-max-age': '1800',
    });
    const answer = await head('GET', '/whoami', { origin: PAGE });
    expect(answer.headers).toMatchObject({ 'access-control-allow-origin': PAGE });
    for (const origin of ['https://evil.example', 'null', `${PAGE}.evil.example`]) {
      const { headers } = await head('OPTIONS', '/queues', { origin, ...asked });
      expect(Object.keys(headers)).not.toContain('access-control-allow-origin');
    }
  },
);

test('pages that cannot be are refused in the words of RabbitMQ', async () => {
  const bad = { error: 'bad_request', reason: 'Pagination parameters are invalid' };
  const odd = (given: string) => ({
    error: 'invalid_pagination_parameters',
    reason: `Invalid pagination parameters: ${given}`,
  });
  for (const [query, json] of [
    ['page=x', bad],
    ['page=', bad],
    ['page=1.5', bad],
    ['page=1&page_size=x', bad],
    ['page=0', odd('page number 0, page size undefined')],
    ['page=-1', odd('page number -1, page size undefined')],
    ['page=1&page_size=0', odd('page number 1, page size 0')],
    ['page=1&page_size=501', odd('page number 1, page size 501')],
    [
      'page=99',
      { error: 'page_out_of_range', reason: 'Page out of range, page: 99 page size: 100, len: 3' },
    ],
  ] as const) {
    const answer = await api.call('GET', `/queues/${VHOST}?${query}`);
    expect([query, answer.status, answer.json]).toEqual([query, 400, json]);
  }
});

test('some lists have pages, and the others are whole whatever page is asked for', async () => {
  for (const path of ['/queues', `/exchanges/${VHOST}`, '/connections', '/channels', '/vhosts']) {
    const page = async () =>
      (await api.call('GET', `${path}?page=1&page_size=1&columns=name`)).json as {
        item_count: number;
      };
    await until(async () => (await page()).item_count === 1);
    expect([path, await page()]).toMatchObject([path, { page: 1, page_size: 1 }]);
  }
  for (const path of [
    '/bindings',
    `/bindings/${VHOST}`,
    '/users',
    '/consumers',
    '/policies',
    '/parameters',
  ]) {
    const { json } = await api.call('GET', `${path}?page=1&page_size=1&name=none`);
    expect([path, Array.isArray(json)]).toEqual([path, true]);
  }
  const bindings = (await api.call('GET', `/bindings/${VHOST}?page=1&page_size=1`)).json;
  expect(bindings).toHaveLength(3);
  const columns = await api.call('GET', '/permissions?columns=vhost&sort=vhost&sort_reverse=true');
  expect((columns.json as object[]).every((row) => Object.keys(row).join() === 'vhost')).toBe(true);
});

test('without statistics a queue is what it was declared as, with its messages if they are asked for', async () => {
  const bare = [
    'arguments',
    'auto_delete',
    'durable',
    'exclusive',
    'name',
    'node',
    'state',
    'type',
    'vhost',
  ];
  const totals = ['messages', 'messages_ready', 'messages_unacknowledged'];
  const keys = async (query: string): Promise<string[]> => {
    const { json } = await api.call('GET', `/queues/${VHOST}?disable_stats=true${query}`);
    return Object.keys((json as object[])[0] ?? {}).sort();
  };
  await until(async () => (await keys('')).includes('state'));
  expect(await keys('')).toEqual(bare);
  const enabled = '&enable_queue_totals=true';
  await until(async () => (await keys(enabled)).includes('messages'));
  expect(await keys(enabled)).toEqual([...bare, ...totals].sort());
});

test('a binding is found by its properties key as lists show it, and as it lies in the path', async () => {
  for (const [key, shown] of [
    ['#', '%23'],
    ['a b/c', 'a+b%2Fc'],
    ['plain.key', 'plain.key'],
    ['x%2Fy', 'x%252Fy'],
  ] as const) {
    const path = `/bindings/${VHOST}/e/amq.topic/q/a`;
    for (const part of [encodeURIComponent(shown), encodeURIComponent(key)]) {
      await api.call('POST', path, JSON.stringify({ routing_key: key }));
      const found = await api.call('GET', `${path}/${part}`);
      expect([part, found.status, found.json]).toMatchObject([part, 200, { routing_key: key }]);
      expect([part, (await api.call('DELETE', `${path}/${part}`)).status]).toEqual([part, 204]);
      expect([part, (await api.call('GET', `${path}/${part}`)).status]).toEqual([part, 404]);
    }
  }
});

interface QueueRow {
  readonly name: string;
  readonly message_stats?: object;
  readonly owner_pid_details?: object;
  readonly head_message_timestamp?: number | null;
}

test.skipIf(isOracle)('an exclusive queue says whose it is', async () => {
  type Open = { readonly name: string; readonly peer_port: number };
  const connections = async () =>
    (await api.call('GET', `/vhosts/${VHOST}/connections`)).json as Open[];
  await until(async () => (await connections())[0]?.peer_port !== undefined);
  const [open] = await connections();
  const details = { name: open?.name, peer_host: '127.0.0.1', peer_port: open?.peer_port };
  const row = async () => (await api.call('GET', `/queues/${VHOST}/mine`)).json as QueueRow;
  await until(async () => (await row()).owner_pid_details !== undefined);
  expect((await row()).owner_pid_details).toEqual(details);
  const rows = async () => (await api.call('GET', `/queues/${VHOST}`)).json as QueueRow[];
  await until(async () => (await rows()).some((each) => each.owner_pid_details !== undefined));
  const list = await rows();
  expect(list.find(({ name }) => name === 'mine')?.owner_pid_details).toEqual(details);
  expect(list.find(({ name }) => name === 'a')).not.toHaveProperty('owner_pid_details');
});

test('what nothing has happened to has no statistics of messages', async () => {
  await api.call('PUT', `/exchanges/${VHOST}/idle`, '{"type":"topic","durable":true}');
  for (const path of [`/queues/${VHOST}/b`, `/exchanges/${VHOST}/idle`]) {
    expect((await api.call('GET', path)).json).not.toHaveProperty('message_stats');
  }
  const rows = (await api.call('GET', `/queues/${VHOST}`)).json as QueueRow[];
  expect(rows.find(({ name }) => name === 'b')).not.toHaveProperty('message_stats');
});

test('the time of the message at the head is what its publisher says', async () => {
  const shown = async () =>
    ((await api.call('GET', `/queues/${VHOST}/a`)).json as QueueRow).head_message_timestamp;
  channel.sendToQueue('a', Buffer.from('x'), { timestamp: 1_500_000_000, headers: { n: 1 } });
  await until(async () => (await shown()) === 1_500_000_000);
  channel.sendToQueue('a', Buffer.from('y'));
  const heads = (await api.call('GET', `/queues/${VHOST}?columns=name,head_message_timestamp`))
    .json;
  expect(heads).toContainEqual({ name: 'a', head_message_timestamp: 1_500_000_000 });
  expect(heads).toContainEqual({ name: 'b', head_message_timestamp: null });
  if (!isOracle) {
    const { json } = await api.call(
      'GET',
      `/queues/${VHOST}?page=1&sort=head_message_timestamp&sort_reverse=true`,
    );
    const { items } = json as { items: QueueRow[] };
    expect(items[0]).toMatchObject({ name: 'a', head_message_timestamp: 1_500_000_000 });
    expect(items[1]).toMatchObject({ head_message_timestamp: null });
  }
  await channel.get('a', { noAck: true });
  await until(async () => (await shown()) === null);
  await channel.purgeQueue('a');
});

test('paths of nodes, vhosts and flags that are not there answer as those of RabbitMQ', async () => {
  const { node } = (await api.call('GET', '/overview')).json as { node: string };
  for (const [method, path, status] of [
    ['GET', '/definitions/nope', 400],
    ['POST', '/definitions/nope', 404],
    ['GET', '/healthchecks/node/nope', 404],
    ['GET', `/healthchecks/node/${node}`, 200],
    ['GET', `/auth/attempts/${node}`, 200],
    ['GET', `/auth/attempts/${node}/source`, 200],
    ['GET', `/nodes/${node}/memory/ets`, 200],
    ['GET', `/nodes/${node}/memory/ets/relative`, 200],
    ['PUT', '/feature-flags/nope/enable', 400],
    ['POST', '/users/bulk-delete', 400],
    ['GET', '/health/checks/certificate-expiration/1/nope', 400],
  ] as const) {
    const body = method === 'GET' ? undefined : '{"users":["nope"]}';
    const answer = await api.call(method, path, body);
    expect([method, path, answer.status]).toEqual([method, path, status]);
  }
  const missing = await api.call('GET', '/definitions/nope');
  expect(missing.json).toEqual({ error: 'bad_request', reason: 'vhost_not_found' });
  const none = await api.call('GET', `/nodes/${node}/memory/ets/nope`);
  expect(none.json).toEqual({ ets_tables_memory: 'no_tables' });
});
