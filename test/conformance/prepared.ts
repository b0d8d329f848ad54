// The vhosts, users and policies that some tests need, as one file of definitions: Leveret loads it at
// its start, RabbitMQ is sent it over its HTTP API, and rid of it after the run.
import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { endpointOf } from '../support/amqp-raw.ts';

const MANAGEMENT_PORT = 15672;
export const PASSWORD = 'correct horse';
const EVERYTHING = { configure: '.*', write: '.*', read: '.*' };

interface PreparedUser {
  readonly name: string;
  /** RabbitMQ's name of an algorithm: the password is given as a hash. */
  readonly hashing?: 'sha256' | 'sha512' | 'md5';
  readonly hasPassword?: boolean;
  readonly limits?: Readonly<Record<string, number>>;
  readonly permission?: { configure: string; write: string; read: string };
  readonly tag?: string;
  readonly topic?: { exchange: string; write: string; read: string };
}

/** Names end with `tag`, which is of one run: others may run against the same broker. */
const VHOSTS: readonly {
  name: string;
  limits?: Record<string, number>;
  queueType?: string;
  tracing?: boolean;
}[] = [
  { name: 'plain' },
  { name: 'one-connection', limits: { 'max-connections': 1 } },
  { name: 'no-connection', limits: { 'max-connections': 0 } },
  { name: 'one-queue', limits: { 'max-queues': 1, 'max-connections': -1 } },
  { name: 'quorum', queueType: 'quorum' },
  { name: 'stream', queueType: 'stream' },
  { name: 'policies' },
  { name: 'traced', tracing: true },
];

const USERS: readonly PreparedUser[] = [
  { name: 'all' },
  { name: 'stranger' },
  {
    name: 'own',
    permission: {
      configure: '^(own-|amq\\.gen)',
      write: '^own-',
      read: '^(own-|amq\\.(gen|topic|direct))',
    },
  },
  { name: 'nothing', permission: { configure: '', write: '^$', read: '' } },
  { name: 'part', permission: { configure: 'part', write: '^(?!amq\\.).*', read: '(?i)PART' } },
  {
    name: 'topics',
    topic: { exchange: 'amq.topic', write: '^{username}\\.', read: '^(public|{vhost})\\.' },
  },
  { name: 'silent', topic: { exchange: 'amq.topic', write: '', read: '' } },
  { name: 'one-connection', limits: { 'max-connections': 1 } },
  { name: 'two-channels', limits: { 'max-channels': 2 } },
  { name: 'sha256', hashing: 'sha256' },
  { name: 'sha512', hashing: 'sha512' },
  { name: 'md5', hashing: 'md5' },
  { name: 'no-password', hasPassword: false },
  { name: 'impersonator', tag: 'impersonator' },
];

/** All users but these may do anything in every prepared vhost. */
const EVERYWHERE = new Set(['all', 'one-connection', 'two-channels', 'sha256', 'sha512', 'md5']);
const NOWHERE = new Set(['stranger']);

function rabbitHash(password: string, hashing: string): string {
  const salt = randomBytes(4);
  const digest = createHash(hashing).update(salt).update(password).digest();
  return Buffer.concat([salt, digest]).toString('base64');
}

function permissionsOf(
  user: PreparedUser,
): { vhost: string; configure: string; write: string; read: string }[] {
  if (NOWHERE.has(user.name)) return [];
  const vhosts = EVERYWHERE.has(user.name) ? VHOSTS.map(({ name }) => name) : ['plain'];
  return vhosts.map((vhost) => ({ vhost, ...(user.permission ?? EVERYTHING) }));
}

interface Definitions {
  readonly users: readonly { readonly name: string }[];
  readonly vhosts: readonly { readonly name: string }[];
  readonly permissions: readonly object[];
}

/** The definitions of one run. Policies are in a file of their own, for the vhost of that name. */
async function definitionsOf(tag: string): Promise<Definitions> {
  const named = (name: string): string => `conf-${name}-${tag}`;
  const text = await readFile(join(import.meta.dirname, 'policies.json'), 'utf8');
  const file = JSON.parse(
    text
      .replaceAll('"vhost": "', `"vhost": "conf-`)
      .replaceAll(/("vhost": "[^"]*)"/g, `$1-${tag}"`),
  );
  const limits = VHOSTS.flatMap(({ name, limits }) =>
    limits === undefined
      ? []
      : [{ component: 'vhost-limits', vhost: named(name), name: 'limits', value: limits }],
  );
  return {
    ...file,
    parameters: [...file.parameters, ...limits],
    vhosts: VHOSTS.map(({ name, queueType, tracing = false }) => ({
      name: named(name),
      tracing,
      ...(queueType === undefined ? {} : { default_queue_type: queueType }),
    })),
    users: USERS.map((user) => ({
      name: named(user.name),
      tags: user.tag ?? '',
      limits: user.limits ?? {},
      ...secretOf(user),
    })),
    permissions: USERS.flatMap((user) =>
      permissionsOf(user).map((each) => ({
        ...each,
        user: named(user.name),
        vhost: named(each.vhost),
      })),
    ),
    topic_permissions: USERS.flatMap(({ name, topic }) =>
      topic === undefined ? [] : [{ ...topic, user: named(name), vhost: named('plain') }],
    ),
  };
}

/** The broker hashes what is not hashed yet. */
function secretOf({ hashing, hasPassword = true }: PreparedUser): object {
  if (hashing === undefined) return hasPassword ? { password: PASSWORD } : { password_hash: '' };
  return {
    password_hash: rabbitHash(PASSWORD, hashing),
    hashing_algorithm: `rabbit_password_hashing_${hashing}`,
  };
}

/** Writes a file for Leveret's `load_definitions`, with the user that most tests log in as. */
export async function writeDefinitions(path: string, tag: string): Promise<void> {
  const definitions = await definitionsOf(tag);
  const vhosts = [{ name: '/' }, ...definitions.vhosts];
  const rights = vhosts.map(({ name }) => ({ user: 'guest', vhost: name, ...EVERYTHING }));
  const guest = { name: 'guest', password: 'guest', tags: 'administrator' };
  const file = {
    ...definitions,
    vhosts,
    users: [guest, ...definitions.users],
    permissions: [...rights, ...definitions.permissions],
  };
  await writeFile(path, JSON.stringify(file));
}

/** Calls RabbitMQ's HTTP API beside an AMQP URL: resolves with the text of the answer. */
export function managementOf(
  url: string,
): (method: string, path: string, body?: object) => Promise<string> {
  const { host, user, password } = endpointOf(url);
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  return async (method, path, body) => {
    const response = await fetch(`http://${host}:${MANAGEMENT_PORT}/api/${path}`, {
      method,
      headers: { authorization, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${text}`);
    return text;
  };
}

/** Imports into RabbitMQ over its HTTP API; gives what undoes it, or null where there is none. */
export async function prepareManaged(
  url: string,
  tag: string,
): Promise<(() => Promise<void>) | null> {
  const admin = endpointOf(url).user;
  const call = managementOf(url);
  try {
    await call('GET', 'whoami');
  } catch {
    return null;
  }
  const definitions = await definitionsOf(tag);
  const named = (name: string): string => encodeURIComponent(`conf-${name}-${tag}`);
  // Who imports has to have rights in a vhost to set its parameters.
  for (const { name, queueType, tracing = false } of VHOSTS) {
    // RabbitMQ 3.10 has a name of its own for the parameter, which later ones take too.
    const traits = queueType === undefined ? {} : { defaultqueuetype: queueType };
    await call('PUT', `vhosts/${named(name)}`, { ...traits, tracing });
    await call('PUT', `permissions/${named(name)}/${encodeURIComponent(admin)}`, EVERYTHING);
  }
  await call('POST', 'definitions', definitions);
  return async () => {
    for (const { name } of USERS) await call('DELETE', `users/${named(name)}`);
    for (const { name } of VHOSTS) await call('DELETE', `vhosts/${named(name)}`);
  };
}
