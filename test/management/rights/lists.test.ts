// Which rows lists show to whom: what is in a vhost, to users with a permission there and to administrators;
// vhosts, limits, connections and channels from the tag `monitoring` on, too. With MANAGEMENT_URL
// and AMQP_URL set it is RabbitMQ that is asked.

import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Api, startApi, until } from '../support.ts';
import { OTHER, VHOST } from './acts.ts';
import { must, nameOf, openVictim, PASSWORD, setUp, TAGS, tearDown, type Victim } from './stage.ts';

let api: Api;
let victim: Victim;

const POLICY = { pattern: '^none$', definition: { 'max-length': 9 }, 'apply-to': 'queues' };

beforeAll(async () => {
  api = await startApi();
  await setUp(api);
  await must(api, 'PUT', `/queues/${VHOST}/theirs`, { durable: true });
  await must(api, 'PUT', `/exchanges/${VHOST}/theirs-x`, { type: 'topic' });
  await must(api, 'PUT', `/policies/${VHOST}/p`, POLICY);
  await must(api, 'PUT', `/operator-policies/${VHOST}/op`, POLICY);
  await must(api, 'PUT', `/vhost-limits/${VHOST}/max-queues`, { value: 900 });
  victim = await openVictim(api);
});

afterAll(async () => {
  await victim.close();
  await tearDown(api);
  await api.close();
});

type Row = { readonly vhost?: string; readonly name?: string; readonly user?: string };

/** The users who see at least one row, by tag and permission; those refused are not among them. */
async function seers(path: string, wanted: (row: Row) => boolean): Promise<string[]> {
  const seen: string[] = [];
  for (const tag of TAGS) {
    for (const permission of ['no', 'some', 'all']) {
      const { json } = await api.call(
        'GET',
        path,
        undefined,
        `${nameOf(tag, permission)}:${PASSWORD}`,
      );
      if (Array.isArray(json) && (json as Row[]).some(wanted)) seen.push(`${tag} ${permission}`);
    }
  }
  return seen;
}

const inVhost = ({ vhost }: Row): boolean => vhost === VHOST;
const both = (tag: string): string[] => [`${tag} some`, `${tag} all`];
const each = (tag: string): string[] => [`${tag} no`, ...both(tag)];

const FROM_MONITORING = [...each('monitoring'), ...each('administrator')];
const OTHERS = [...both('management'), ...both('policymaker')];
/** Those with a permission in the vhost, and all administrators. */
const ENTERING = [...OTHERS, ...both('monitoring'), ...each('administrator')];
const WATCHING = [...OTHERS, ...FROM_MONITORING];

test.each(['/queues', '/exchanges', '/bindings', '/policies', '/operator-policies'])(
  '%s shows what is in a vhost to those who may enter it',
  async (path) => {
    expect(await seers(path, inVhost)).toEqual(ENTERING);
  },
);

test('vhosts and their limits are listed for those who may enter them, and for monitors', async () => {
  expect(await seers('/vhosts', ({ name }) => name === VHOST)).toEqual(WATCHING);
  expect(await seers('/vhost-limits', inVhost)).toEqual(WATCHING);
});

test('consumers of other users are listed for monitors alone', async () => {
  const url = new URL(api.amqpUrl);
  url.pathname = `/${VHOST}`;
  const model = await connect(url.href);
  await (await model.createChannel()).consume('theirs', () => {});
  type ConsumerRow = { readonly queue?: { readonly vhost: string } };
  await until(async () => {
    const { json } = await api.call('GET', '/consumers');
    return (json as ConsumerRow[]).some(({ queue }) => queue?.vhost === VHOST);
  });
  const seen = await seers('/consumers', (row) => (row as ConsumerRow).queue?.vhost === VHOST);
  await model.close();
  expect(seen).toEqual(FROM_MONITORING);
});

test('parameters of a vhost are listed for policymakers who may enter it, and administrators', async () => {
  const seen = await seers('/parameters', inVhost);
  expect(seen).toEqual([...both('policymaker'), ...each('administrator')]);
});

test.each([
  '/connections',
  '/channels',
  `/vhosts/${VHOST}/connections`,
  `/vhosts/${VHOST}/channels`,
])('%s shows those of another user to monitors alone', async (path) => {
  const seen = await seers(path, ({ user }) => user === OTHER);
  const named = path.startsWith('/vhosts');
  expect(seen).toEqual(named ? [...both('monitoring'), ...each('administrator')] : FROM_MONITORING);
});

test('a user sees its own connection, and may close it', async () => {
  await must(api, 'PUT', `/users/${OTHER}`, { password: PASSWORD, tags: 'management' });
  const login = `${OTHER}:${PASSWORD}`;
  const { json } = await api.call('GET', '/connections', undefined, login);
  expect((json as Row[]).every(({ user }) => user === OTHER)).toBe(true);
  expect((await api.call('GET', `/connections/${victim.name}`, undefined, login)).status).toBe(200);
  expect((await api.call('DELETE', `/connections/${victim.name}`, undefined, login)).status).toBe(
    204,
  );
});

test.each(['vhost-limits', 'operator_policy'])(
  'a policymaker does not set %s by way of parameters',
  async (component) => {
    if (api.broker === null) return;
    const value = component === 'vhost-limits' ? { 'max-queues': 1 } : POLICY;
    const name = component === 'vhost-limits' ? 'limits' : 'op';
    const path = `/parameters/${component}/${VHOST}/${name}`;
    const login = `${nameOf('policymaker', 'all')}:${PASSWORD}`;
    expect((await api.call('PUT', path, { value }, login)).status).toBe(401);
    expect((await api.call('DELETE', path, undefined, login)).status).toBe(401);
    expect(
      (await api.call('PUT', '/global-parameters/cluster_name', { value: 'x' }, login)).status,
    ).toBe(401);
  },
);
