// Every field of every body with every value that is not of its kind: refused with 4xx, and nothing is changed.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROUTES } from '../../src/management/app.ts';
import { BODIES, DEFINITION_LISTS, type Field, type Fields, ODD } from './fields.ts';
import { type Api, startApi } from './support.ts';

let api: Api;
const VHOST = 'fields';
const NAMES: Readonly<Record<string, string>> = {
  vhost: VHOST,
  user: 'u',
  source: 'amq.topic',
  kind: 'q',
  destination: 'q',
  component: 'federation-upstream',
  exchange: 'amq.topic',
  group: 'g',
};

beforeAll(async () => {
  api = await startApi();
  await api.call('PUT', `/vhosts/${VHOST}`, '{}');
  await api.call('PUT', '/users/u', '{"password":"p","tags":""}');
  await api.call('PUT', `/queues/${VHOST}/q`, '{"durable":true}');
  const stream = { durable: true, arguments: { 'x-queue-type': 'stream' } };
  await api.call('PUT', `/queues/${VHOST}/s`, stream);
});
afterAll(() => api.close());

/** A body of these fields; what a name with a point says lies in an object. */
function bodyOf(fields: Fields, odd: string | null = null, json = ''): string {
  const members = Object.entries(fields).map(([name, [sound]]) => {
    const [outer = '', inner] = name.split('.');
    const value = name === odd ? json : sound;
    return `"${outer}":${inner === undefined ? value : `{"${inner}":${value}}`}`;
  });
  return `{${members.join(',')}}`;
}

function pathOf(route: string): readonly [method: string, path: string] {
  const [method = '', path = ''] = route.split(' ');
  const limit = path.startsWith('/user-limits') ? 'max-channels' : 'max-queues';
  const stream = path.startsWith('/super-streams') ? 'sums' : 's';
  const queue = /groups|super-streams/.test(path) ? stream : 'q';
  const other = path.startsWith('/settings') ? 'heartbeat' : queue;
  const name = path.includes('-limits') ? limit : other;
  return [method, path.replace(/:(\w+)/g, (_, key: string) => NAMES[key] ?? name)];
}

const everything = async (): Promise<string> => {
  const definitions = await api.call('GET', '/definitions');
  const { text } = await api.call('GET', `/queues/${VHOST}?columns=name,messages`);
  return definitions.text + text;
};

/** The values that a field must refuse. */
function wrongFor([, kind, orNull]: Field): string[] {
  if (kind === 'anything') return [];
  const wrong = ODD.filter(([json, ...kinds]) => {
    return !kinds.includes(kind) && !(json === 'null' && orNull === 'null');
  });
  return wrong.map(([json]) => json);
}

test('each route that takes a body is in the table', () => {
  const known = new Set(BODIES.map(([route]) => route));
  const without = new Set([
    'POST /definitions',
    'POST /definitions/:vhost',
    'POST /all-configuration',
  ]);
  const bare = [
    'PUT /cluster/step-down',
    'PUT /cluster/snapshot',
    'PUT /cluster/follow-main',
    // In a cluster alone: boot/cluster/moves.test.ts has odd bodies.
    'PUT /cluster/vhosts/:vhost',
    'POST /rebalance/queues',
    'PUT /feature-flags/:name/enable',
    'POST /vhosts/:vhost/start/:node',
    'POST /queues/:vhost/:name/set-aside/:id/retry',
    'PUT /queues/:vhost/:name/pause',
    'PUT /queues/:vhost/:name/resume',
    'POST /schedules/:vhost/:name/run',
  ];
  for (const each of bare) without.add(each);
  const writes = ROUTES.filter(({ method }) => method === 'PUT' || method === 'POST');
  const missing = writes
    .map(({ method, path }) => `${method} ${path}`)
    .filter((route) => !without.has(route));
  expect(missing.filter((route) => !known.has(route))).toEqual([]);
});

test('a value of the wrong kind is refused in every field of every body, and changes nothing', async () => {
  for (const [route, fields] of BODIES) {
    const [method, path] = pathOf(route);
    if (path !== '/backup' && path !== '/users/bulk-delete') {
      const sound = await api.call(method, path, bodyOf(fields));
      expect([route, sound.text, sound.status < 300]).toEqual([route, sound.text, true]);
    }
    const before = await everything();
    for (const [name, field] of Object.entries(fields)) {
      for (const json of wrongFor(field)) {
        const { status, text } = await api.call(method, path, bodyOf(fields, name, json));
        const what = `${route} .${name} = ${json}`;
        expect([what, text, status]).toEqual([what, expect.stringContaining('bad_request'), 400]);
      }
    }
    expect([route, await everything()]).toEqual([route, before]);
  }
});

test('a value of the wrong kind is refused in every field of definitions, and changes nothing', async () => {
  const file = (odd: string, name: string, json: string): string => {
    const lists = Object.entries(DEFINITION_LISTS).map(([list, fields]) => {
      return `"${list}":[${list === odd ? bodyOf(fields, name, json) : bodyOf(fields)}]`;
    });
    return `{${lists.join(',')}}`;
  };
  const before = await everything();
  for (const [list, fields] of Object.entries(DEFINITION_LISTS)) {
    for (const [name, field] of Object.entries(fields)) {
      for (const json of wrongFor(field)) {
        const { status, text } = await api.call('POST', '/definitions', file(list, name, json));
        const what = `${list} .${name} = ${json.slice(0, 40)}`;
        expect([what, text, status]).toEqual([what, expect.stringContaining(list), 400]);
      }
    }
    for (const json of ['{}', '1', '"x"', 'true', '[1]', '["x"]', '[null]', '[[]]']) {
      const { status } = await api.call('POST', '/definitions', `{"${list}":${json}}`);
      expect([list, json, status]).toEqual([list, json, 400]);
    }
  }
  expect(await everything()).toBe(before);
  // The sound ones are taken: it was the values that were refused.
  expect((await api.call('POST', '/definitions', file('', '', ''))).status).toBe(204);
});

test('a body that is no object is refused by every route that takes one', async () => {
  for (const [route] of BODIES) {
    const [method, path] = pathOf(route);
    for (const body of [
      '[]',
      '1',
      '"x"',
      'null',
      'true',
      '[{}]',
      '{',
      '{"a":1,}',
      "{'a':1}",
      '\ufeff\ufeff{}',
    ]) {
      const { status, json } = await api.call(method, path, body);
      expect([route, body, status, json]).toMatchObject([
        route,
        body,
        400,
        { error: 'bad_request' },
      ]);
    }
  }
});
