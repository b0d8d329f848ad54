// Texts and numbers in JSON that are none on the wire: what the HTTP API makes of them, so that all lists
// go on answering and all things can be deleted.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Api, startApi } from './support.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const ODD = '"a\\ud800"';
/** The same as a path has it, with U+FFFD in its place. */
const PATH = 'a%EF%BF%BD';

const LISTS = [
  '/overview',
  '/vhosts',
  '/users',
  '/permissions',
  '/topic-permissions',
  '/policies',
  '/operator-policies',
  '/parameters',
  '/global-parameters',
  '/exchanges',
  '/queues',
  '/bindings',
  '/definitions',
  '/definitions/%2F',
  '/user-limits',
  '/vhost-limits',
  '/bindings/%2F/e/amq.direct/q/q',
];

async function expectAllListed(): Promise<void> {
  for (const list of LISTS)
    expect([list, (await api.call('GET', list)).status]).toEqual([list, 200]);
}

test('half of a pair of surrogates in JSON becomes U+FFFD before anything is kept', async () => {
  expect((await api.call('PUT', '/queues/%2F/q', '{}')).status).toBe(201);
  const bind = `{"routing_key":${ODD},"arguments":{${ODD}:${ODD}}}`;
  const bound = await api.call('POST', '/bindings/%2F/e/amq.direct/q/q', bind);
  expect(bound.status).toBe(201);
  expect(bound.headers.get('location')).toContain('%25EF%25BF%25BD');
  const queue = `{"durable":true,"arguments":{"x-dead-letter-exchange":${ODD},${ODD}:[${ODD}]}}`;
  expect((await api.call('PUT', `/queues/%2F/${PATH}`, queue)).status).toBe(201);
  const definitions = `{
    "users":[{"name":${ODD},"tags":[${ODD}],"password":${ODD}}],
    "vhosts":[{"name":${ODD},"description":${ODD},"tags":[${ODD}]}],
    "permissions":[{"user":${ODD},"vhost":${ODD},"configure":${ODD},"write":${ODD},"read":${ODD}}],
    "topic_permissions":[{"user":${ODD},"vhost":${ODD},"exchange":${ODD},"write":"","read":""}],
    "policies":[{"name":${ODD},"vhost":${ODD},"pattern":${ODD},"definition":{"dead-letter-exchange":${ODD}}}],
    "parameters":[{"component":"federation-upstream-set","name":${ODD},"vhost":${ODD},"value":[{"upstream":${ODD}}]}],
    "global_parameters":[{"name":${ODD},"value":${ODD}}],
    "queues":[{"name":${ODD},"vhost":${ODD},"durable":true,"arguments":{"x":${ODD}}}],
    "exchanges":[{"name":${ODD},"vhost":${ODD},"type":"topic","durable":true}],
    "bindings":[{"source":${ODD},"vhost":${ODD},"destination":${ODD},"destination_type":"queue","routing_key":${ODD}}]
  }`;
  expect((await api.call('POST', '/definitions', definitions)).status).toBe(204);
  await expectAllListed();
  const { text } = await api.call('GET', '/definitions');
  expect(text).not.toMatch(/\\ud800/i);
  const publish = `{"properties":{"headers":{${ODD}:${ODD}},"message_id":${ODD}},"routing_key":${ODD},"payload":${ODD},"payload_encoding":"string"}`;
  const published = await api.call('POST', '/exchanges/%2F/amq.direct/publish', publish);
  expect(published.json).toEqual({ routed: true });
  const get = '{"ackmode":"ack_requeue_false","encoding":"auto","count":1}';
  const [got] = (await api.call('POST', '/queues/%2F/q/get', get)).json as object[];
  expect(got).toMatchObject({ routing_key: 'a\ufffd', payload: 'a\ufffd' });
  const all = '{"configure":".*","write":".*","read":".*"}';
  await api.call('PUT', `/permissions/${PATH}/guest`, all);
  for (const path of [
    `/bindings/%2F/e/amq.direct/q/q/${encodeURIComponent(((await api.call('GET', '/bindings/%2F/e/amq.direct/q/q')).json as { properties_key: string }[])[0]?.properties_key ?? '')}`,
    `/queues/%2F/${PATH}`,
    `/queues/${PATH}/${PATH}`,
    `/exchanges/${PATH}/${PATH}`,
    `/policies/${PATH}/${PATH}`,
    `/parameters/federation-upstream-set/${PATH}/${PATH}`,
    `/global-parameters/${PATH}`,
    `/permissions/${PATH}/${PATH}`,
    `/vhosts/${PATH}`,
    `/users/${PATH}`,
  ]) {
    expect([path, (await api.call('DELETE', path)).status]).toEqual([path, 204]);
  }
});

test('JSON that is too deep or too large is refused where it comes in, and exports go on', async () => {
  const deep = '['.repeat(5_000) + ']'.repeat(5_000);
  const large = `"${'x'.repeat(1024 * 1024)}"`;
  for (const value of [deep, `{"a":${deep}}`, large]) {
    const refused: [string, string, string][] = [
      ['PUT', '/parameters/c/%2F/n', `{"value":${value}}`],
      ['PUT', '/global-parameters/n', `{"value":${value}}`],
      ['PUT', '/policies/%2F/n', `{"pattern":"^n","definition":{"ha-params":${value}}}`],
      ['PUT', '/queues/%2F/n', `{"arguments":{"x":${value}}}`],
      ['PUT', '/exchanges/%2F/n', `{"type":"direct","arguments":{"x":${value}}}`],
      ['POST', '/bindings/%2F/e/amq.direct/q/q', `{"arguments":{"x":${value}}}`],
      ['POST', '/definitions', `{"global_parameters":[{"name":"n","value":${value}}]}`],
      [
        'POST',
        '/definitions',
        `{"queues":[{"name":"n","vhost":"/","durable":true,"arguments":{"x":${value}}}]}`,
      ],
    ];
    for (const [method, path, body] of refused) {
      const { status } = await api.call(method, path, body);
      // A body that is too large as a whole is refused before it is read.
      expect([400, 413], `${path} ${value.slice(0, 5)}`).toContain(status);
    }
  }
  await expectAllListed();
  expect((await api.call('GET', '/definitions')).text).not.toContain('"n"');
});

test('numbers that are no integers of 64 bits are refused alike by arguments and policies', async () => {
  for (const number of [
    '1e30',
    '1.5',
    '18446744073709551616',
    '-1',
    '-1e30',
    '"5"',
    'true',
    '[]',
  ]) {
    const asArgument = `{"arguments":{"x-max-length":${number}}}`;
    const asPolicy = `{"pattern":"^none$","definition":{"max-length":${number}}}`;
    const inFile = `{"queues":[{"name":"n","vhost":"/","durable":true,"arguments":{"x-max-length":${number}}}]}`;
    for (const [method, path, body] of [
      ['PUT', '/queues/%2F/n', asArgument],
      ['PUT', '/policies/%2F/n', asPolicy],
      ['PUT', '/operator-policies/%2F/n', asPolicy],
      ['POST', '/definitions', inFile],
    ] as const) {
      expect([path, number, (await api.call(method, path, body)).status]).toEqual([
        path,
        number,
        400,
      ]);
    }
  }
  const most = '{"arguments":{"x-max-length":9223372036854775807}}';
  expect((await api.call('PUT', '/queues/%2F/n', most)).status).toBe(201);
  expect((await api.call('PUT', '/queues/%2F/n', most)).status).toBe(204);
});

test('a priority that is no number does not become a policy', async () => {
  for (const priority of ['"high"', 'null', '[1]', '1e999', '{"valueOf":1,"toString":1}']) {
    const body = `{"pattern":"^none$","definition":{"max-length":1},"priority":${priority}}`;
    const { status } = await api.call('PUT', '/policies/%2F/odd', body);
    if (status !== 400) expect([priority, status]).toEqual(['null', 201]);
  }
  await expectAllListed();
});

test('users are deleted together or not at all', async () => {
  for (const user of ['u1', 'u2']) {
    await api.call('PUT', `/users/${user}`, '{"tags":"","password":"p"}');
  }
  for (const users of ['["u1","nobody"]', '["u1",{"toString":1,"valueOf":1}]', '["u1",5]', '{}']) {
    const { status } = await api.call('POST', '/users/bulk-delete', `{"users":${users}}`);
    expect([users, status >= 400 && status < 500]).toEqual([users, true]);
  }
  expect((await api.call('GET', '/users/u1')).status).toBe(200);
  const twice = await api.call('POST', '/users/bulk-delete', '{"users":["u1","u2","u1"]}');
  expect(twice.status).toBe(204);
});

test('of a parameter that a query has several times the first counts', async () => {
  const named = async (query: string): Promise<string[]> => {
    const { text } = await api.call('GET', `/exchanges/%2F?${query}`);
    return Object.keys(JSON.parse(text)[0]);
  };
  expect(await named('columns=name&columns=type')).toEqual(['name']);
  expect(await named('columns=type&columns=name')).toEqual(['type']);
});

test('a payload that is said to be base64, and is none, is refused', async () => {
  const publish = (payload: string) => {
    const body = { routing_key: 'none', payload, payload_encoding: 'base64', properties: {} };
    return api.call('POST', '/exchanges/%2F/amq.default/publish', body);
  };
  for (const payload of ['***', 'YQ==YQ', 'a-b_', 'aä==']) {
    expect((await publish(payload)).status, payload).toBe(400);
  }
  for (const payload of ['', 'YQ==', 'YW\nI=\n']) {
    expect((await publish(payload)).status, payload).toBe(200);
  }
});
