// Owns the users that try every act, and trying it: tags times permissions, each on a fresh start. Never
// judges what comes out.

import { connect } from 'amqplib';
import { type Api, until } from '../support.ts';
import { type Act, OTHER, VHOST } from './acts.ts';

export const TAGS = ['none', 'management', 'policymaker', 'monitoring', 'administrator'] as const;
/** No permission in the vhost; one for names that begin with `mine`; one for all names. */
const PERMISSIONS = { no: null, some: '^mine', all: '.*' } as const;

export const PASSWORD = 'rights';
const KINDS = Object.keys(PERMISSIONS);
/** Nobody, and then every tag with every kind of permission. */
const LOGINS = [
  '',
  ...TAGS.flatMap((tag) => KINDS.map((kind) => `${nameOf(tag, kind)}:${PASSWORD}`)),
];
const CONNECTION = /\{connection\}/g;

/** Makes the vhost and the users, or takes them away. */
export async function setUp(api: Api): Promise<void> {
  await tearDown(api);
  await must(api, 'PUT', `/vhosts/${VHOST}`, {});
  await must(api, 'PUT', `/users/${OTHER}`, { password: PASSWORD, tags: '' });
  for (const tag of TAGS) {
    for (const [permission, pattern] of Object.entries(PERMISSIONS)) {
      const name = nameOf(tag, permission);
      const tags = tag === 'none' ? '' : tag;
      await must(api, 'PUT', `/users/${name}`, { password: PASSWORD, tags });
      if (pattern === null) continue;
      const patterns = { configure: pattern, write: pattern, read: pattern };
      await must(api, 'PUT', `/permissions/${VHOST}/${name}`, patterns);
    }
  }
}

export async function tearDown(api: Api): Promise<void> {
  await api.call('DELETE', `/vhosts/${VHOST}`);
  await api.call('DELETE', '/global-parameters/rights');
  const names = TAGS.flatMap((tag) => KINDS.map((each) => nameOf(tag, each)));
  for (const name of [...names, OTHER]) await api.call('DELETE', `/users/${name}`);
}

/** A row of the table: what the act answers without a login, and for each tag. */
export async function tryAct(api: Api, act: Act, node: string): Promise<string> {
  const statuses = act.route.startsWith('GET ')
    ? await tryTogether(api, act, node)
    : await tryInTurn(api, act, node);
  const [nobody, ...others] = statuses.map(String);
  const cells = TAGS.map((_tag, at) => {
    const [no, ...more] = others.slice(at * KINDS.length, (at + 1) * KINDS.length);
    return more.every((each) => each === no) ? String(no) : [no, ...more].join('/');
  });
  return row(act.route, [String(nobody), ...cells]);
}

/** Reading changes nothing, so that all logins may do it at once. */
async function tryTogether(api: Api, act: Act, node: string): Promise<number[]> {
  const victim = await prepare(api, act);
  const statuses = await Promise.all(LOGINS.map((login) => attempt(api, act, login, node, victim)));
  await victim?.close();
  return statuses;
}

/** What was changed is put back before the next login tries. */
async function tryInTurn(api: Api, act: Act, node: string): Promise<number[]> {
  const statuses: number[] = [];
  let victim = await prepare(api, act);
  for (const login of LOGINS) {
    const status = await attempt(api, act, login, node, victim);
    statuses.push(status);
    if (status >= 300) continue;
    await victim?.close();
    victim = await prepare(api, act);
  }
  await victim?.close();
  return statuses;
}

/** One line of the table. */
function row(route: string, cells: readonly string[]): string {
  const [nobody = '', ...others] = cells;
  const padded = [route.padEnd(60), nobody.padEnd(7), ...others.map((each) => each.padEnd(13))];
  return padded.join(' ').trimEnd();
}

async function prepare(api: Api, act: Act): Promise<Victim | null> {
  for (const [method, path, body] of act.before ?? []) await must(api, method, path, body);
  return act.connection === true ? await openVictim(api) : null;
}

async function attempt(
  api: Api,
  act: Act,
  login: string,
  node: string,
  victim: Victim | null,
): Promise<number> {
  const path = act.path.replace('{node}', node).replace(CONNECTION, victim?.name ?? '');
  const method = act.route.slice(0, act.route.indexOf(' '));
  return (await api.call(method, path, act.body, login)).status;
}

export interface Victim {
  readonly name: string;
  close(): Promise<void>;
}

/** A connection of the other user with one channel, once the API shows both. */
export async function openVictim(api: Api): Promise<Victim> {
  await must(api, 'PUT', `/users/${OTHER}`, { password: PASSWORD, tags: '' });
  await must(api, 'PUT', `/permissions/${VHOST}/${OTHER}`, { configure: '', write: '', read: '' });
  const url = new URL(api.amqpUrl);
  url.username = OTHER;
  url.password = PASSWORD;
  url.pathname = `/${VHOST}`;
  const clientName = `rights ${Math.random()}`;
  const model = await connect(url.href, { clientProperties: { connection_name: clientName } });
  // Being closed is what some acts are about.
  model.on('error', () => {});
  await model.createChannel();
  let name = '';
  await until(async () => {
    // By the name that the client gave it: an address may be one that an earlier connection had.
    const { json } = await api.call('GET', '/connections');
    const mine = (json as { name: string; user_provided_name?: string }[]).find(
      ({ user_provided_name }) => user_provided_name === clientName,
    );
    if (mine === undefined) return false;
    name = mine.name;
    const channels = await api.call('GET', `/connections/${encodeURIComponent(name)}/channels`);
    return channels.status === 200 && (channels.json as unknown[]).length === 1;
  });
  return {
    name: encodeURIComponent(name),
    close: async () => {
      await model.close().catch(() => {});
    },
  };
}

export function nameOf(tag: string, permission: string): string {
  return `rights-${tag}-${permission}`;
}

export async function must(api: Api, method: string, path: string, body?: object): Promise<void> {
  const { status, text } = await api.call(method, path, body);
  if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
}
