// The routes of the HTTP API, as RabbitMQ has them: `MANAGEMENT_URL=http://127.0.0.1:15672 npx vitest run
// test/management/api.test.ts` holds them against RabbitMQ.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROUTES } from '../../src/management/app.ts';
import { type Api, isOracle, startApi } from './support.ts';

let api: Api;
const V = 'http tests/ü';
const v = encodeURIComponent(V);

beforeAll(async () => {
  api = await startApi();
  await api.call('PUT', `/vhosts/${v}`, {});
});
afterAll(async () => {
  for (const user of ['bob', 'eve', 'mon']) await api.call('DELETE', `/users/${user}`);
  await api.call('DELETE', `/vhosts/${v}`);
  await api.close();
});

/** Calls, and compares the status and what of the body is given. */
async function expectAnswer(
  request: readonly [method: string, path: string, body?: unknown, user?: string],
  status: number,
  body?: object | readonly unknown[],
): Promise<void> {
  const [method, path, given, user] = request;
  let answer = await api.call(method, path, given, user);
  // What RabbitMQ shows of queues it gathers every five seconds.
  for (let n = 0; isOracle && method === 'GET' && body !== undefined && n < 80; n++) {
    if (fits(answer.json, body)) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
    answer = await api.call(method, path, given, user);
  }
  expect(`${method} ${path}: ${answer.status}`).toBe(`${method} ${path}: ${status}`);
  if (body !== undefined) expect(answer.json, `${method} ${path}`).toMatchObject(body);
}

function fits(json: unknown, body: object): boolean {
  try {
    expect(json).toMatchObject(body);
    return true;
  } catch {
    return false;
  }
}

describe('who may ask', () => {
  test('without a login, with a wrong one, and without a tag nobody gets in', async () => {
    expect(
      (await api.call('GET', '/overview', undefined, '')).headers.get('www-authenticate'),
    ).toBe('Basic realm="RabbitMQ Management"');
    await expectAnswer(['GET', '/overview', undefined, ''], 401);
    await expectAnswer(['GET', '/overview', undefined, 'guest:wrong'], 401, {
      error: 'not_authorized',
      reason: 'Login failed',
    });
    await api.call('PUT', '/users/eve', { password: 'x', tags: '' });
    await expectAnswer(['GET', '/overview', undefined, 'eve:x'], 401, {
      error: 'not_authorised',
      reason: 'Not management user',
    });
  });

  test('each tag opens what RabbitMQ lets it see', async () => {
    await api.call('PUT', '/users/mon', { password: 'x', tags: 'monitoring' });
    await api.call('PUT', '/users/bob', { password: 'x', tags: ['management'] });
    await api.call('PUT', `/permissions/${v}/bob`, { configure: '^b', write: '^b', read: '^b' });
    await expectAnswer(['GET', '/nodes', undefined, 'bob:x'], 401, { reason: 'Not monitor user' });
    await expectAnswer(['GET', '/nodes', undefined, 'mon:x'], 200);
    await expectAnswer(['GET', '/users', undefined, 'mon:x'], 401, {
      reason: 'Not administrator user',
    });
    await expectAnswer(['GET', '/queues/%2F', undefined, 'bob:x'], 401, {
      reason: 'User not authorised to access virtual host',
    });
    await expectAnswer(['GET', `/queues/${v}`, undefined, 'bob:x'], 200, []);
    await expectAnswer(['GET', '/vhosts', undefined, 'bob:x'], 200, [{ name: V }]);
    await expectAnswer(['PUT', `/policies/${v}/p`, {}, 'bob:x'], 401);
    await expectAnswer(['GET', '/whoami', undefined, 'bob:x'], 200, {
      name: 'bob',
      tags: ['management'],
    });
  });

  test('permissions hold as in AMQP', async () => {
    await expectAnswer(['PUT', `/queues/${v}/bees`, {}, 'bob:x'], 201);
    await expectAnswer(['PUT', `/queues/${v}/cows`, {}, 'bob:x'], 401, { error: 'not_authorised' });
    await expectAnswer(['DELETE', `/queues/${v}/bees`, undefined, 'bob:x'], 204);
  });
});

describe('queues', () => {
  test('are declared, shown, found equal or not, and deleted', async () => {
    const q = `/queues/${v}/${encodeURIComponent('a/b %2F ü')}`;
    const traits = { durable: true, auto_delete: false, arguments: { 'x-max-length': 10 } };
    await expectAnswer(['PUT', q, traits], 201);
    await expectAnswer(['PUT', q, traits], 204);
    await expectAnswer(['PUT', q, { ...traits, durable: false }], 400, { error: 'bad_request' });
    await expectAnswer(['GET', q], 200, {
      name: 'a/b %2F ü',
      vhost: V,
      durable: true,
      auto_delete: false,
      exclusive: false,
      arguments: { 'x-max-length': 10 },
      policy: null,
      operator_policy: null,
      consumer_details: [],
      deliveries: [],
      incoming: [],
      type: 'classic',
    });
    await expectAnswer(['GET', `${q}/bindings`], 200, [
      { source: '', destination: 'a/b %2F ü', properties_key: 'a%2Fb+%252F+%C3%BC' },
    ]);
    await expectAnswer(['POST', `${q}/actions`, { action: 'sync' }], 204);
    await expectAnswer(['DELETE', `${q}?if-unused=true&if-empty=true`], 204);
    await expectAnswer(['GET', q], 404, { error: 'Object Not Found' });
    await expectAnswer(['DELETE', q], 404);
    await expectAnswer(['POST', q, {}], 405);
  });

  test('bad arguments and vhosts that are not there are named', async () => {
    await expectAnswer(['PUT', `/queues/${v}/bad`, { arguments: { 'x-message-ttl': 'a' } }], 400, {
      error: 'bad_request',
    });
    await expectAnswer(['PUT', `/queues/${v}/bad`, 'x'], 400, {
      reason: 'not_json',
      explanation: 'this is not JSON (line 1, column 1)',
    });
    await expectAnswer(['PUT', '/queues/nowhere/q', {}], 404);
    await expectAnswer(['GET', '/queues/nowhere'], 404);
  });

  test('messages are published, looked at, taken, and purged', async () => {
    await api.call('PUT', `/queues/${v}/mail`, { durable: true });
    const publish = `/exchanges/${v}/amq.default/publish`;
    const message = { routing_key: 'mail', payload_encoding: 'string' };
    const properties = {
      delivery_mode: 2,
      content_type: 'text/plain',
      headers: { n: 1, deep: { a: ['x', true] } },
      timestamp: 1_700_000_000,
    };
    await expectAnswer(['POST', publish, { ...message, payload: 'héllo', properties }], 200, {
      routed: true,
    });
    const bytes = Buffer.from([0xff, 0, 1]).toString('base64');
    const binary = { ...message, payload: bytes, payload_encoding: 'base64', properties: {} };
    await expectAnswer(['POST', publish, binary], 200, { routed: true });
    const lost = { ...message, routing_key: 'none', payload: '', properties: {} };
    await expectAnswer(['POST', publish, lost], 200, { routed: false });
    await expectAnswer(['POST', publish, { payload: '' }], 400, { error: 'bad_request' });
    const get = `/queues/${v}/mail/get`;
    const ask = { count: 5, encoding: 'auto' };
    const first = {
      exchange: '',
      routing_key: 'mail',
      payload: 'héllo',
      payload_bytes: 6,
      payload_encoding: 'string',
      properties,
      message_count: 1,
    };
    const second = { payload: bytes, payload_bytes: 3, payload_encoding: 'base64', properties: [] };
    await expectAnswer(['POST', get, { ...ask, ackmode: 'ack_requeue_true' }], 200, [
      { ...first, redelivered: false },
      isOracle ? second : { ...second, properties: {} },
    ]);
    await expectAnswer(['POST', get, { ...ask, count: 1, ackmode: 'reject_requeue_true' }], 200, [
      { ...first, redelivered: true },
    ]);
    await expectAnswer(
      ['POST', get, { ...ask, count: 1, truncate: 2, ackmode: 'ack_requeue_false' }],
      200,
      [{ payload_bytes: 6 }],
    );
    await expectAnswer(['POST', get, {}], 400);
    await expectAnswer(['DELETE', `/queues/${v}/mail/contents`], 204);
    await expectAnswer(['POST', get, { ...ask, ackmode: 'ack_requeue_true' }], 200, []);
    await expectAnswer(['POST', `/exchanges/${v}/none/publish`, { ...lost }], isOracle ? 400 : 404);
  });

  test('a message that is got can be dead-lettered', async () => {
    await api.call('PUT', `/queues/${v}/dead`, {});
    await api.call('PUT', `/queues/${v}/alive`, {
      arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' },
    });
    const message = {
      routing_key: 'alive',
      payload: 'x',
      payload_encoding: 'string',
      properties: {},
    };
    await api.call('POST', `/exchanges/${v}/amq.default/publish`, message);
    const ask = { count: 1, encoding: 'auto' };
    await api.call('POST', `/queues/${v}/alive/get`, { ...ask, ackmode: 'reject_requeue_false' });
    await expectAnswer(
      ['POST', `/queues/${v}/dead/get`, { ...ask, ackmode: 'ack_requeue_false' }],
      200,
      [
        {
          properties: {
            headers: { 'x-first-death-queue': 'alive', 'x-first-death-reason': 'rejected' },
          },
        },
      ],
    );
  });
});

describe('lists', () => {
  test('have pages, an order, filters and columns', async () => {
    for (const n of [3, 1, 2]) await api.call('PUT', `/queues/${v}/list-${n}`, {});
    const at = `/queues/${v}`;
    await expectAnswer(['GET', `${at}?name=list-&page=1&page_size=2`], 200, {
      filtered_count: 3,
      item_count: 2,
      page: 1,
      page_count: 2,
      page_size: 2,
      items: [{ name: 'list-1' }, { name: 'list-2' }],
    });
    await expectAnswer(
      ['GET', `${at}?name=${encodeURIComponent('^list-[12]$')}&use_regex=true&page=1`],
      200,
      {
        filtered_count: 2,
      },
    );
    await expectAnswer(['GET', `${at}?name=list-&sort=name&sort_reverse=true&page=1`], 200, {
      items: [{ name: 'list-3' }, { name: 'list-2' }, { name: 'list-1' }],
    });
    const columns = await api.call('GET', `${at}/list-1?columns=name,arguments.none`);
    // RabbitMQ makes an empty object of a path that leads nowhere.
    expect(columns.json).toEqual({ name: 'list-1', ...(isOracle ? { arguments: {} } : {}) });
    await expectAnswer(['GET', `${at}?page=99`], 400, { error: 'page_out_of_range' });
    await expectAnswer(['GET', `${at}?page=x`], 400, {
      reason: 'Pagination parameters are invalid',
    });
  });
});

test('columns choose from every answer about one thing as well', async () => {
  for (const [path, shown] of [
    ['/vhosts/%2F?columns=name', { name: '/' }],
    ['/whoami?columns=name', { name: 'guest' }],
    ['/users/guest?columns=name', { name: 'guest' }],
    ['/permissions/%2F/guest?columns=user', { user: 'guest' }],
  ] as const) {
    expect((await api.call('GET', path)).json, path).toEqual(shown);
  }
});

describe('exchanges and bindings', () => {
  test('are declared, bound, found and taken away', async () => {
    const x = `/exchanges/${v}/news`;
    await expectAnswer(['PUT', x, { type: 'topic', durable: true }], 201);
    await expectAnswer(['PUT', x, { type: 'topic', durable: true }], 204);
    await expectAnswer(['PUT', x, { type: 'fanout', durable: true }], 400);
    await expectAnswer(['PUT', `/exchanges/${v}/bad`, { type: 'bogus' }], 400);
    await expectAnswer(['GET', x], 200, { name: 'news', type: 'topic', internal: false });
    await expectAnswer(['GET', `/exchanges/${v}/amq.default`], 200, { name: '', type: 'direct' });
    await api.call('PUT', `/queues/${v}/paper`, {});
    const b = `/bindings/${v}/e/news/q/paper`;
    const made = await api.call('POST', b, { routing_key: 'a b/~.#', arguments: {} });
    expect(made.status).toBe(201);
    expect(made.headers.get('location')).toMatch(/paper\/a%2Bb%252F%257E.%2523$/);
    await expectAnswer(['GET', b], 200, [
      {
        source: 'news',
        destination: 'paper',
        routing_key: 'a b/~.#',
        properties_key: 'a+b%2F%7E.%23',
      },
    ]);
    const key = encodeURIComponent('a+b%2F%7E.%23');
    await expectAnswer(['GET', `${b}/${key}`], 200, { routing_key: 'a b/~.#' });
    await expectAnswer(['GET', `${x}/bindings/source`], 200, [{ destination: 'paper' }]);
    await expectAnswer(['POST', `/bindings/${v}/e/news/e/amq.fanout`, { routing_key: '' }], 201);
    await expectAnswer(['GET', `/exchanges/${v}/amq.fanout/bindings/destination`], 200, [
      { source: 'news', destination_type: 'exchange', properties_key: '~' },
    ]);
    await expectAnswer(['DELETE', `${b}/${key}`], 204);
    await expectAnswer(['GET', `${b}/${key}`], 404);
    await expectAnswer(['DELETE', `${b}/nope`], 404);
    await expectAnswer(['DELETE', `${x}?if-unused=true`], 400);
    await expectAnswer(['DELETE', x], 204);
    await expectAnswer(['DELETE', x], 404);
    await expectAnswer(['DELETE', `/exchanges/${v}/amq.direct`], 401);
  });
});

describe('access', () => {
  test('users, permissions and limits', async () => {
    await expectAnswer(['PUT', '/users/bob', { password: 'y' }], 400, {
      reason: 'tags_not_present',
    });
    await expectAnswer(['PUT', '/users/bob', { password: 'y', tags: 'management' }], 204);
    await expectAnswer(['GET', '/users/bob'], 200, { name: 'bob', tags: ['management'] });
    for (const password of [123, true, null, {}, ['y']]) {
      await expectAnswer(['PUT', '/users/bob', { password, tags: '' }], 400, {
        reason: 'password must be a text',
      });
    }
    await expectAnswer(['PUT', '/users/bob', { password: 'y', password_hash: '', tags: '' }], 400);
    // What was refused has changed nothing.
    await expectAnswer(['GET', '/users/bob'], 200, { name: 'bob', tags: ['management'] });
    await expectAnswer(['GET', '/whoami', undefined, 'bob:y'], 200, { name: 'bob' });
    await expectAnswer(['GET', '/users/nobody'], 404);
    const everybody = await api.call('GET', '/users?columns=name');
    expect(everybody.json).toEqual(expect.arrayContaining([{ name: 'bob' }, { name: 'guest' }]));
    await expectAnswer(['GET', '/users/bob/permissions'], 200, [{ user: 'bob', vhost: V }]);
    const p = `/permissions/${v}/bob`;
    const all = { configure: '.*', write: '.*', read: '.*' };
    await expectAnswer(['PUT', p, all], 204);
    await expectAnswer(['GET', p], 200, { user: 'bob', vhost: V, ...all });
    await expectAnswer(['PUT', p, { configure: '' }], 400, {
      reason: '[{key_missing,write},{key_missing,read}]',
    });
    await expectAnswer(['PUT', p, { ...all, read: '(' }], 400);
    await expectAnswer(['PUT', `/permissions/${v}/nobody`, all], 400, {
      reason: 'vhost_or_user_not_found',
    });
    await expectAnswer(['GET', `/vhosts/${v}/permissions`], 200, [
      { user: 'bob' },
      { user: 'guest' },
    ]);
    const t = `/topic-permissions/${v}/bob`;
    await expectAnswer(['PUT', t, { exchange: 'amq.topic', write: '^a', read: '.*' }], 201);
    await expectAnswer(['GET', t], 200, [{ exchange: 'amq.topic', write: '^a' }]);
    await expectAnswer(['DELETE', t], 204);
    await expectAnswer(['PUT', '/user-limits/bob/max-connections', { value: 5 }], 204);
    await expectAnswer(['GET', '/user-limits/bob'], 200, [
      { user: 'bob', value: { 'max-connections': 5 } },
    ]);
    await expectAnswer(['DELETE', '/user-limits/bob/max-connections'], 204);
    await expectAnswer(['PUT', `/vhost-limits/${v}/max-queues`, { value: 50 }], 204);
    await expectAnswer(['GET', `/vhost-limits/${v}`], 200, [
      { vhost: V, value: { 'max-queues': 50 } },
    ]);
    await expectAnswer(['DELETE', `/vhost-limits/${v}/max-queues`], 204);
    await expectAnswer(['DELETE', p], 204);
    await expectAnswer(['DELETE', p], 404);
    await expectAnswer(['GET', '/users/without-permissions'], 200);
    await expectAnswer(['POST', '/users/bulk-delete', { users: ['bob'] }], 204);
    await expectAnswer(['DELETE', '/users/bob'], 404);
    await expectAnswer(['PUT', '/users/bob', { password: 'y', tags: '' }], 201);
    await expectAnswer(['DELETE', '/users/bob'], 204);
  });

  test('vhosts', async () => {
    await expectAnswer(['PUT', '/vhosts/other', { description: 'd', tags: 'a,b' }], 201);
    await expectAnswer(['GET', '/vhosts/other'], 200, {
      name: 'other',
      description: 'd',
      tags: ['a', 'b'],
    });
    await expectAnswer(['PUT', '/vhosts/other', { description: 'e' }], 204);
    await expectAnswer(['GET', '/vhosts/other/connections'], 200, []);
    await expectAnswer(['DELETE', '/vhosts/other'], 204);
    await expectAnswer(['DELETE', '/vhosts/other'], 404);
  });

  test('policies and parameters', async () => {
    const p = `/policies/${v}/short`;
    await expectAnswer(
      ['PUT', p, { pattern: '^s', definition: { 'max-length': 1 }, 'apply-to': 'queues' }],
      201,
    );
    await expectAnswer(['PUT', p, { pattern: '^s', definition: { 'max-length': 2 } }], 204);
    await expectAnswer(['GET', p], 200, {
      name: 'short',
      pattern: '^s',
      definition: { 'max-length': 2 },
    });
    await expectAnswer(['PUT', p, { pattern: '^s', definition: { nonsense: 1 } }], 400);
    await expectAnswer(['PUT', p, { pattern: '^s' }], 400, {
      reason: '[{key_missing,definition}]',
    });
    await api.call('PUT', `/queues/${v}/small`, {});
    await expectAnswer(['GET', `/queues/${v}/small`], 200, { policy: 'short' });
    await expectAnswer(['DELETE', p], 204);
    await expectAnswer(['DELETE', p], 404);
    const o = `/operator-policies/${v}/cap`;
    await expectAnswer(['PUT', o, { pattern: '', definition: { 'max-length': 9 } }], 201);
    await expectAnswer(['GET', `/operator-policies/${v}`], 200, [{ name: 'cap' }]);
    await expectAnswer(['DELETE', o], 204);
    await expectAnswer(['PUT', '/global-parameters/http-test', { value: { a: 1 } }], 201);
    await expectAnswer(['GET', '/global-parameters/http-test'], 200, { value: { a: 1 } });
    await expectAnswer(['DELETE', '/global-parameters/http-test'], 204);
    await expectAnswer(['GET', '/parameters'], 200);
  });

  test('definitions go out and come in', async () => {
    const all = await api.call('GET', '/definitions');
    const names = Object.keys(all.json as object);
    for (const key of [
      'users',
      'vhosts',
      'permissions',
      'queues',
      'exchanges',
      'bindings',
      'policies',
    ]) {
      expect(names).toContain(key);
    }
    const queues = [{ name: 'imported', durable: true, auto_delete: false, arguments: {} }];
    await expectAnswer(['POST', `/definitions/${v}`, { queues }], 204);
    await expectAnswer(['GET', `/queues/${v}/imported`], 200, { durable: true });
    await expectAnswer(['POST', '/definitions', '{'], 400, { error: 'bad_request' });
    const everywhere = queues.map((queue) => ({ ...queue, vhost: V }));
    await expectAnswer(['POST', '/definitions', { queues: everywhere }], 204);
    await expectAnswer(['POST', '/all-configuration', { queues: everywhere }], 204);
    await expectAnswer(['GET', '/all-configuration'], 200, { queues: expect.any(Array) });
  });
});

describe('lists of all, and of one vhost', () => {
  test('have what was declared', async () => {
    await api.call('PUT', '/users/bob', { password: 'x', tags: 'management' });
    await api.call('PUT', `/queues/${v}/listed`, { durable: true });
    await api.call('PUT', `/exchanges/${v}/listed`, { type: 'fanout' });
    await api.call('POST', `/bindings/${v}/e/listed/q/listed`, { routing_key: 'k' });
    const all = { configure: '.*', write: '.*', read: '.*' };
    await api.call('PUT', `/permissions/${v}/bob`, all);
    const topic = { exchange: 'amq.topic', write: '^a', read: '^b' };
    await api.call('PUT', `/topic-permissions/${v}/bob`, topic);
    const policy = { pattern: '^listed', definition: { 'max-length': 7 }, 'apply-to': 'queues' };
    await api.call('PUT', `/policies/${v}/listed`, policy);
    await api.call('PUT', `/operator-policies/${v}/listed`, policy);
    await api.call('PUT', `/vhost-limits/${v}/max-connections`, { value: 70 });
    await api.call('PUT', '/user-limits/bob/max-channels', { value: 70 });
    const has = (row: object) => expect.arrayContaining([expect.objectContaining(row)]);
    const lists: readonly (readonly [path: string, row: object])[] = [
      ['/queues', { name: 'listed', vhost: V }],
      ['/exchanges', { name: 'listed', type: 'fanout' }],
      [`/exchanges/${v}`, { name: 'listed' }],
      ['/bindings', { source: 'listed', routing_key: 'k' }],
      [`/bindings/${v}`, { source: 'listed', properties_key: 'k' }],
      ['/permissions', { user: 'bob', vhost: V, ...all }],
      ['/topic-permissions', { user: 'bob', ...topic }],
      [`/vhosts/${v}/topic-permissions`, { user: 'bob', ...topic }],
      ['/users/bob/topic-permissions', { vhost: V, ...topic }],
      ['/policies', { name: 'listed', ...policy }],
      [`/policies/${v}`, { name: 'listed' }],
      ['/operator-policies', { name: 'listed' }],
      ['/vhost-limits', { vhost: V }],
      ['/user-limits', { user: 'bob', value: { 'max-channels': 70 } }],
    ];
    for (const [path, row] of lists) {
      const { status, json } = await api.call('GET', path);
      expect([status, json], path).toEqual([200, has(row)]);
    }
    await expectAnswer(['GET', `/operator-policies/${v}/listed`], 200, { pattern: '^listed' });
    const saved = await api.call('GET', `/definitions/${v}`);
    expect(saved.json).toMatchObject({
      queues: has({ name: 'listed' }),
      policies: has({ name: 'listed' }),
    });
    await expectAnswer(['GET', `/consumers/${v}`], 200, []);
    await expectAnswer(['GET', `/vhosts/${v}/channels`], 200, []);
    await api.call('DELETE', `/operator-policies/${v}/listed`);
    await api.call('DELETE', `/vhost-limits/${v}/max-connections`);
  });

  test.skipIf(isOracle)('parameters of a component, which need no plugin', async () => {
    const path = `/parameters/shovel/${v}/mine`;
    const ends = { 'src-uri': 'amqp://', 'dest-uri': ['amqp://a', 'amqps://b'] };
    const value = { ...ends, 'src-queue': 'a', 'dest-queue': 'b' };
    await expectAnswer(['PUT', path, { value }], 201);
    await expectAnswer(['PUT', path, { value: { ...value, 'ack-mode': 'no-ack' } }], 204);
    const report = { warnings: ['Leveret moves no messages between brokers'] };
    const changedTo = { value: { ...value, 'ack-mode': 'no-ack' } };
    await expectAnswer(['PUT', `${path}?report=true`, changedTo], 200, report);
    const changed = { name: 'mine', component: 'shovel', value: { 'ack-mode': 'no-ack' } };
    await expectAnswer(['GET', path], 200, changed);
    await expectAnswer(['GET', '/parameters/shovel'], 200, [{ name: 'mine' }]);
    await expectAnswer(['GET', `/parameters/shovel/${v}`], 200, [{ name: 'mine' }]);
    await expectAnswer(['DELETE', path], 204);
    await expectAnswer(['GET', path], 404);
    await expectAnswer(['GET', '/global-parameters'], 200);
  });

  test('a component that is not there is refused, as policies are that come as parameters', async () => {
    const refusal = (reason: string) => ({ error: 'bad_request', reason });
    const none = refusal('Validation failed\n\ncomponent none not found\n');
    await expectAnswer(['PUT', `/parameters/none/${v}/x`, { value: 1 }], 400, none);
    const policy = refusal('policies may not be set using this method');
    await expectAnswer(['PUT', `/parameters/policy/${v}/x`, { value: {} }], 400, policy);
  });
});

describe.skipIf(isOracle)('schedules', () => {
  const path = `/schedules/${v}/nightly`;
  const nightly = { cron: '30 2 * * *', time_zone: 'Europe/Berlin', routing_key: 'reports' };

  test('are set, shown with their next tick, run at once, and deleted', async () => {
    await api.call('PUT', `/queues/${v}/reports`, { durable: true });
    const properties = { content_type: 'text/plain', headers: { kind: 'sales' } };
    await expectAnswer(['PUT', path, { ...nightly, payload: 'go', properties }], 201);
    const shown = {
      ...nightly,
      name: 'nightly',
      vhost: V,
      exchange: '',
      properties: { ...properties, delivery_mode: 2 },
      payload: 'go',
      payload_encoding: 'string',
      last_at: null,
      last_error: null,
      published: 0,
      failed: 0,
    };
    await expectAnswer(['GET', path], 200, shown);
    const answer = await api.call('GET', path);
    const { next_at } = answer.json as { next_at: number };
    expect(new Date(next_at).toISOString()).toMatch(/T0[01]:30:00\.000Z$/);
    // What was shown can be set again.
    await expectAnswer(['PUT', path, answer.json], 204);
    await expectAnswer(['GET', `/schedules/${v}`], 200, [shown]);
    await expectAnswer(['GET', '/schedules'], 200, [shown]);
    await expectAnswer(['POST', `${path}/run`], 200, { routed: true, error: null });
    await expectAnswer(['GET', `/queues/${v}/reports/messages`], 200, {
      messages: [{ payload: 'go', properties: { ...properties, delivery_mode: 2 } }],
    });
    await api.call('DELETE', `/queues/${v}/reports`);
    const error = `no queue 'reports' in vhost '${V}'`;
    await expectAnswer(['POST', `${path}/run`], 200, { routed: false, error });
    await expectAnswer(['DELETE', path], 204);
    for (const method of ['GET', 'DELETE']) await expectAnswer([method, path], 404);
    await expectAnswer(['POST', `${path}/run`], 404);
  });

  test("that are none, or not the user's to publish, are refused with what is wrong", async () => {
    const refused = async (json: object, reason: RegExp, status = 400): Promise<void> => {
      const answer = await api.call('PUT', path, json);
      expect([answer.status, (answer.json as { reason: string }).reason]).toEqual([
        status,
        expect.stringMatching(reason),
      ]);
    };
    await refused({ ...nightly, timezone: 'UTC' }, /there is no 'timezone' of a schedule/);
    await refused({ cron: 'at two' }, /"at two" is no cron expression/);
    await refused({ ...nightly, exchange: 'none' }, /no exchange 'none' in vhost/, 404);
    await refused({ ...nightly, properties: { user_id: 'eve' } }, /'user_id' names 'eve'/);
    await expectAnswer(['GET', path], 404);
  });

  test('show when they would tick, before they are set', async () => {
    const answer = await api.call(
      'GET',
      '/schedule-times?cron=0+0+*+*+*&time_zone=Asia/Tokyo&count=3',
    );
    const { times } = answer.json as { times: number[] };
    expect(times.map((ms) => ms % 86_400_000)).toEqual([54_000_000, 54_000_000, 54_000_000]);
    const every = await api.call('GET', '/schedule-times?every=1000');
    expect((every.json as { times: number[] }).times).toHaveLength(5);
    await expectAnswer(['GET', '/schedule-times?cron=*'], 400);
    await expectAnswer(['GET', '/schedule-times?every=soon'], 400);
  });

  test('are among the definitions, and come in again', async () => {
    await expectAnswer(
      ['PUT', path, { every: 5000, payload: '/w==', payload_encoding: 'base64' }],
      201,
    );
    const row = { name: 'nightly', every: 5000, payload: '/w==', payload_encoding: 'base64' };
    await expectAnswer(['GET', '/definitions'], 200, { schedules: [{ ...row, vhost: V }] });
    const { json } = await api.call('GET', `/definitions/${v}`);
    await api.call('DELETE', path);
    const without = (await api.call('GET', `/definitions/${v}`)).json as object;
    expect(Object.keys(without)).not.toContain('schedules');
    await expectAnswer(['POST', `/definitions/${v}`, json], 204);
    await expectAnswer(['GET', path], 200, row);
    await api.call('DELETE', path);
    const wrong = {
      schedules: [
        { name: 'x', every: 1 },
        { name: 'y', cron: '9' },
      ],
    };
    const answer = await api.call('POST', `/definitions/${v}`, wrong);
    expect(answer.status).toBe(400);
    expect((answer.json as { reason: string }).reason).toMatch(
      /'every' must be .*is no cron expr/s,
    );
  });
});

describe('the broker as a whole', () => {
  test('overview, nodes and what else tools ask for', async () => {
    await expectAnswer(['GET', '/overview'], 200, {
      rates_mode: 'basic',
      statistics_db_event_queue: 0,
      queue_totals: {},
      object_totals: {},
      churn_rates: {},
      message_stats: {},
    });
    const [node] = (await api.call('GET', '/nodes')).json as { name: string }[];
    expect(node).toMatchObject({
      running: true,
      mem_alarm: false,
      disk_free_alarm: false,
      partitions: [],
    });
    const name = encodeURIComponent(node?.name ?? '');
    await expectAnswer(['GET', `/nodes/${name}`], 200, { name: node?.name });
    await expectAnswer(['GET', `/nodes/${name}/memory`], 200, { memory: {} });
    const relative = { memory: { total: 100, binary: expect.any(Number) } };
    await expectAnswer(['GET', `/nodes/${name}/memory/relative`], 200, relative);
    for (const rest of ['', '/relative', '/none', '/none/relative']) {
      await expectAnswer(['GET', `/nodes/${name}/memory/ets${rest}`], 200);
    }
    await expectAnswer(['GET', `/auth/attempts/${name}/source`], 200);
    await expectAnswer(['GET', '/nodes/elsewhere'], isOracle ? 500 : 404);
    await expectAnswer(['GET', '/cluster-name'], 200, { name: expect.any(String) });
    await expectAnswer(['GET', '/extensions'], 200);
    await expectAnswer(['GET', '/feature-flags'], 200);
    await expectAnswer(['PUT', '/feature-flags/quorum_queue/enable', {}], 204);
    await expectAnswer(['PUT', '/feature-flags/all/enable', {}], 204);
    await expectAnswer(['POST', '/rebalance/queues', {}], 204);
    await expectAnswer(['GET', '/nonsense'], 404, { error: 'Object Not Found' });
  });

  test('health checks', async () => {
    for (const path of [
      'alarms',
      'local-alarms',
      'virtual-hosts',
      'certificate-expiration/1/weeks',
    ]) {
      await expectAnswer(['GET', `/health/checks/${path}`], 200, { status: 'ok' });
    }
    await expectAnswer(['GET', '/health/checks/node-is-quorum-critical'], 200, {
      reason: 'single node cluster',
    });
    await expectAnswer(['GET', '/health/checks/port-listener/9'], 503, {
      status: 'failed',
      reason: 'No active listener',
      missing: 9,
    });
    const { port } = new URL(api.amqpUrl);
    await expectAnswer(['GET', `/health/checks/port-listener/${port}`], 200, { status: 'ok' });
    await expectAnswer(['GET', '/health/checks/protocol-listener/amqp'], 200, { protocol: 'amqp' });
    await expectAnswer(['GET', '/health/checks/protocol-listener/zz'], 503, { missing: 'zz' });
    await expectAnswer(['GET', `/aliveness-test/${v}`], 200, { status: 'ok' });
    await expectAnswer(['GET', '/healthchecks/node'], 200, { status: 'ok' });
    await expectAnswer(['GET', '/connections'], 200, []);
    await expectAnswer(['GET', '/channels'], 200, []);
    await expectAnswer(['GET', '/consumers'], 200, []);
    await expectAnswer(['DELETE', '/connections/nobody'], 404);
    await expectAnswer(['GET', '/connections/username/guest'], 200, []);
    await expectAnswer(['GET', '/channels/nobody'], 404);
    await expectAnswer(['GET', '/connections/nobody'], 404);
    await expectAnswer(['GET', '/health/checks/node-is-mirror-sync-critical'], 200, {
      status: 'ok',
    });
  });

  test.skipIf(isOracle)('what newer RabbitMQs have than the one at hand', async () => {
    for (const path of ['is-in-service', 'ready-to-serve-clients', 'below-node-connection-limit']) {
      await expectAnswer(['GET', `/health/checks/${path}`], 200, { status: 'ok' });
    }
    await expectAnswer(['GET', '/queues/detailed'], 200);
    await expectAnswer(['POST', `/vhosts/${v}/start/leveret`, {}], 204);
    await expectAnswer(['GET', '/version'], 200, { version: expect.any(String) });
    await expectAnswer(['PUT', '/leveret/listeners', { suspended: false }], 200);
    await expectAnswer(['GET', '/leveret/listeners'], 200, { suspended: false });
    await expectAnswer(['GET', '/leveret/status'], 200, {
      node: 'leveret',
      cluster: null,
      alarms: [],
    });
    const log = await api.call('GET', '/leveret/log?level=info&text=listening');
    expect(log).toMatchObject({ status: 200, json: { lines: [], kept: 0, forgotten: 0 } });
    await expectAnswer(['GET', '/leveret/log?level=loud'], 400);
    const { json: reference } = await api.call('GET', '/leveret/reference');
    expect(reference).toMatchObject({
      queue_arguments: expect.arrayContaining([
        expect.objectContaining({
          name: 'x-max-priority',
          value: { type: 'integer', min: 0, max: 255 },
        }),
      ]),
      binding_arguments: [{ name: 'x-match', only_for: ['headers'] }],
      policy_targets: expect.arrayContaining([{ name: 'quorum_queues', queue_type: 'quorum' }]),
    });
    await expectAnswer(['GET', '/deprecated-features'], 200, []);
    await expectAnswer(['GET', '/deprecated-features/used'], 200, []);
    await expectAnswer(['GET', '/auth'], 200, { oauth_enabled: false });
    await expectAnswer(['GET', '/healthchecks/node/leveret'], 200, { status: 'ok' });
    await expectAnswer(['GET', '/auth/attempts/leveret'], 200, [{ protocol: 'http' }]);
    const settings = await api.call('GET', '/config/effective');
    expect(settings.json).toMatchObject({ heartbeat: '60', default_pass: '***' });
    await expectAnswer(['PUT', '/cluster-name', { name: 'burrow' }], 204);
    await expectAnswer(['GET', '/cluster-name'], 200, { name: 'burrow' });
    await expectAnswer(['POST', '/backup', { path: '/nowhere' }], 400);
    await expectAnswer(['DELETE', '/connections/username/nobody'], 204);
  });
});

test.skipIf(isOracle)('settings are shown with where they came from, set and unset', async () => {
  const path = '/settings/heartbeat';
  const { json } = await api.call('GET', '/settings');
  expect(json).toContainEqual(expect.objectContaining({ name: 'data_dir', changes: null }));
  expect(json).toContainEqual(expect.objectContaining({ name: 'default_pass', value: '***' }));
  await expectAnswer(['GET', path], 200, { value: '60', changes: 'for new connections' });
  const by = { value: '30', origin: expect.stringMatching(/^set by guest at 20/) };
  await expectAnswer(['PUT', path, { value: 30 }], 200, by);
  await expectAnswer(['GET', path], 200, by);
  await expectAnswer(['DELETE', path], 200, { value: '60', set: null });
  await expectAnswer(['PUT', path, { value: [] }], 400);
  await expectAnswer(['PUT', '/settings/none', { value: 1 }], 400);
  await expectAnswer(['GET', '/settings/none'], 404);
  await expectAnswer(['DELETE', '/settings/none'], 404);
});

test.skipIf(isOracle)('every route was asked for, and answered', () => {
  const asked = new Set(api.answered.map(({ method, path }) => routeOf(method, path)));
  const missing = ROUTES.map(({ method, path }) => `${method} ${path}`).filter(
    (route) => !asked.has(route) && !ELSEWHERE.includes(route),
  );
  expect(missing).toEqual([]);
});

/** Those of a cluster are tried in test/boot/cluster. The others in beyond, delayed, stream-groups, stream-publishers, super-streams, backup, set-aside and topic-permissions.test.ts: most take a client, a disk, or damage. */
const ELSEWHERE: readonly string[] = [
  'GET /cluster',
  'PUT /cluster/step-down',
  'PUT /cluster/snapshot',
  'PUT /cluster/follow-main',
  'GET /cluster/vhosts/:vhost',
  'PUT /cluster/vhosts/:vhost',
  'POST /backup',
  'GET /closed',
  'GET /connections/:name',
  'DELETE /connections/:name',
  'GET /connections/:name/channels',
  'GET /channels/:name',
  'GET /queues/:vhost/:name/messages',
  'POST /queues/:vhost/:name/redrive',
  'GET /queues/:vhost/:name/delayed',
  'POST /queues/:vhost/:name/delayed',
  'GET /queues/:vhost/:name/readers',
  'GET /queues/:vhost/:name/groups',
  'PUT /queues/:vhost/:name/groups/:group',
  'DELETE /queues/:vhost/:name/groups/:group',
  'GET /queues/:vhost/:name/publishers',
  'GET /queues/:vhost/:name/publishers/:publisher',
  'GET /super-streams/:vhost',
  'GET /super-streams/:vhost/:name',
  'PUT /super-streams/:vhost/:name',
  'POST /super-streams/:vhost/:name/partitions',
  'DELETE /super-streams/:vhost/:name',
  'PUT /queues/:vhost/:name/pause',
  'PUT /queues/:vhost/:name/resume',
  'GET /health/checks/set-aside',
  'GET /topic-permissions/:vhost/:user/:exchange',
  'PUT /topic-permissions/:vhost/:user/:exchange',
  'DELETE /topic-permissions/:vhost/:user/:exchange',
  'GET /set-aside',
  'GET /set-aside/:vhost',
  'DELETE /set-aside/rows/:id',
  'GET /queues/:vhost/:name/set-aside',
  'GET /queues/:vhost/:name/set-aside/:id',
  'POST /queues/:vhost/:name/set-aside/:id/retry',
  'DELETE /queues/:vhost/:name/set-aside/:id',
];

/** The route that a path leads to: the one that spells out most of it. */
function routeOf(method: string, path: string): string {
  const parts = path.split('/');
  const fits = (route: string): boolean => {
    const wanted = route.split('/');
    const alike = (part: string, i: number): boolean => part.startsWith(':') || part === parts[i];
    return wanted.length === parts.length && wanted.every(alike);
  };
  const params = (route: string): number => route.split(':').length;
  const [found] = ROUTES.filter((route) => route.method === method && fits(route.path))
    .map((route) => route.path)
    .sort((a, b) => params(a) - params(b));
  return `${method} ${found}`;
}
