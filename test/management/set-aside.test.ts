// Owns the tests of what is set aside, as operators see it over HTTP and at the command line.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { buildProgram } from '../../src/cli/program.ts';
import { type AsideStage, setMessagesAside, setQueueAside, startAside } from './aside.ts';

let stage: AsideStage;

beforeEach(async () => {
  stage = await startAside();
  const { api } = stage;
  for (const name of ['work', 'lost']) {
    await api.call('PUT', `/queues/%2F/${name}`, { durable: true });
  }
  vi.stubEnv('LEVERET_URL', api.url.replace('//', '//guest:guest@'));
  vi.stubEnv('LEVERET_DATA_DIR', '');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await stage.api.close();
});

/** What a path answers: its status, and its JSON. */
async function ask(method: string, path: string, user?: string): Promise<[number, unknown]> {
  const { status, json } = await stage.api.call(method, path, undefined, user);
  return [status, json];
}

const readyIn = (name: string) =>
  stage.server.broker.vhost('/').queues.get(name)?.readyCount as number;

async function leveret(...args: string[]): Promise<string> {
  let out = '';
  const write = (text: unknown): boolean => {
    out += String(text);
    return true;
  };
  const spies = [process.stdout, process.stderr].map((each) =>
    vi.spyOn(each, 'write').mockImplementation(write),
  );
  try {
    await buildProgram().parseAsync(args, { from: 'user' });
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.exitCode = 0;
  }
  return out;
}

test('a broker in which nothing is set aside is well', async () => {
  expect(await ask('GET', '/health/checks/set-aside')).toEqual([200, { status: 'ok' }]);
  expect(await ask('GET', '/set-aside')).toEqual([200, []]);
  const [, overview] = await ask('GET', '/overview');
  expect(overview).toMatchObject({ set_aside: { messages: 0, definitions: 0 } });
  expect(await leveret('status')).not.toContain('Set aside');
});

test('the overview, the health check and the status say that something is set aside', async () => {
  await setMessagesAside(stage, 'work', ['a', 'b'], 'unreadable');
  setQueueAside(stage, 'lost', 'its page is damaged');
  const [, overview] = await ask('GET', '/overview');
  expect(overview).toMatchObject({ set_aside: { messages: 2, definitions: 1 } });
  const [status, health] = await ask('GET', '/health/checks/set-aside');
  expect(status).toBe(503);
  expect(health).toMatchObject({ status: 'failed', reason: expect.stringContaining('set aside') });
  expect((await ask('GET', '/health/checks/set-aside', ''))[0]).toBe(401);
  expect(await leveret('status')).toContain(
    'Set aside  2 messages, 1 definition: see `leveret list set-aside`',
  );
});

test('messages that are set aside are listed, exported, put back and dropped over HTTP', async () => {
  await setMessagesAside(stage, 'work', ['a', 'b', 'c'], 'unreadable');
  const path = '/queues/%2F/work/set-aside';
  const [, all] = await ask('GET', '/set-aside');
  expect(all).toMatchObject([1, 2, 3].map((id) => ({ kind: 'message', id: `${id}`, vhost: '/' })));
  expect(await ask('GET', '/set-aside/%2F')).toEqual([200, all]);
  expect(await ask('GET', path)).toEqual([200, all]);
  const [, exported] = await ask('GET', `${path}/2`);
  expect(exported).toMatchObject({
    ...{ name: 'work', doing: 'delivery', error: 'Error: unreadable', payload_bytes: 1 },
    message: { payload: 'b', routing_key: 'work' },
    record: expect.stringMatching(/^[A-Za-z0-9+/]+=*$/),
  });
  expect(await ask('POST', `${path}/2/retry`)).toEqual([200, { retried: 1 }]);
  expect(readyIn('work')).toBe(1);
  expect((await ask('DELETE', `${path}/1`))[0]).toBe(204);
  expect((await ask('DELETE', `${path}/1`))[0]).toBe(404);
  expect((await ask('POST', `${path}/odd/retry`))[0]).toBe(404);
  expect(await ask('POST', `${path}/all/retry`)).toEqual([200, { retried: 1 }]);
  expect(readyIn('work')).toBe(2);
  expect(await ask('GET', '/set-aside')).toEqual([200, []]);
});

test('a queue that is set aside is answered for with its error, and is given up by an administrator', async () => {
  setQueueAside(stage, 'lost', 'its page is damaged');
  const [, rows] = await ask('GET', '/set-aside');
  expect(rows).toMatchObject([{ kind: 'queue', vhost: '/', name: 'lost', doing: 'start' }]);
  const [{ id }] = rows as [{ id: string }];
  const put = await stage.api.call('PUT', '/queues/%2F/lost', { durable: true });
  expect(put.status).toBe(400);
  expect(put.text).toContain("queue 'lost' in vhost '/' is set aside");
  expect((await ask('DELETE', '/set-aside/rows/none'))[0]).toBe(404);
  expect((await ask('DELETE', `/set-aside/rows/${id}`))[0]).toBe(204);
  expect(await ask('GET', '/set-aside')).toEqual([200, []]);
  expect((await stage.api.call('PUT', '/queues/%2F/lost', { durable: true })).status).toBe(201);
});

test('users see and touch what is set aside of their queues alone', async () => {
  const { api } = stage;
  await setMessagesAside(stage, 'work', ['a'], 'unreadable');
  setQueueAside(stage, 'lost', 'damaged');
  await api.call('PUT', '/vhosts/theirs');
  for (const [name, tags] of Object.entries({ reader: 'management', other: 'management' })) {
    await api.call('PUT', `/users/${name}`, { password: 'p', tags });
  }
  const rights = { configure: '', write: '', read: '^work$' };
  await api.call('PUT', '/permissions/%2F/reader', rights);
  await api.call('PUT', '/permissions/theirs/other', { ...rights, read: '.*' });
  const path = '/queues/%2F/work/set-aside';
  expect(await ask('GET', '/set-aside', 'other:p')).toEqual([200, []]);
  for (const [method, each] of [
    ['GET', path],
    ['GET', `${path}/1`],
    ['POST', `${path}/1/retry`],
    ['DELETE', `${path}/1`],
  ] as const) {
    expect((await ask(method, each, 'other:p'))[0], `${method} ${each}`).toBe(401);
  }
  const [, overview] = await ask('GET', '/overview', 'other:p');
  expect(overview).toMatchObject({ set_aside: { messages: 0, definitions: 0 } });
  expect((await ask('GET', path, 'reader:p'))[0]).toBe(200);
  expect((await ask('GET', '/queues/%2F/lost/set-aside', 'reader:p'))[0]).toBe(401);
  // Putting back is publishing.
  expect((await ask('POST', `${path}/1/retry`, 'reader:p'))[0]).toBe(401);
  const [, rows] = await ask('GET', '/set-aside', 'reader:p');
  const row = (rows as { id: string; kind: string }[]).find(({ kind }) => kind === 'queue');
  expect((await ask('DELETE', `/set-aside/rows/${row?.id}`, 'reader:p'))[0]).toBe(401);
  expect((await ask('DELETE', `${path}/1`, 'reader:p'))[0]).toBe(204);
});

test('the command line lists, exports, puts back and drops what is set aside', async () => {
  await setMessagesAside(stage, 'work', ['a', 'b', 'c'], 'unreadable');
  const listed = await leveret('list', 'set-aside');
  expect(listed).toMatch(/1\s+message\s+\/\s+work\s+delivery\s+Error: unreadable/);
  expect(JSON.parse(await leveret('export', 'work', '1'))).toMatchObject({
    message: { payload: 'a' },
  });
  expect(await leveret('retry', 'work', '1')).toBe('Put back: 1\n');
  expect(readyIn('work')).toBe(1);
  expect(await leveret('drop', 'work', '2')).toBe('Dropped\n');
  expect(await leveret('drop', 'work', '2')).toContain('no message 2 of queue');
  expect(await leveret('retry', 'work', 'all')).toBe('Put back: 1\n');
  expect(await ask('GET', '/set-aside')).toEqual([200, []]);
});
