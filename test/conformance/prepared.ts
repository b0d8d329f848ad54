// The vhosts and users that the tests of permissions and limits need: made in Leveret's data folder
// before it starts, or in RabbitMQ over its management API, and taken away after the run.
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Broker } from '../../src/broker/broker.ts';
import { openDataFolder } from '../../src/store/folder.ts';
import { checkFormat } from '../../src/store/format.ts';
import { openLmdbStore } from '../../src/store/lmdb/engine.ts';
import { systemClock } from '../../src/util/clock.ts';
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
  readonly topic?: { exchange: string; write: string; read: string };
}

/** Names end with `tag`, which is of one run: others may run against the same broker. */
const VHOSTS: readonly { name: string; limits?: Record<string, number>; queueType?: string }[] = [
  { name: 'plain' },
  { name: 'one-connection', limits: { 'max-connections': 1 } },
  { name: 'no-connection', limits: { 'max-connections': 0 } },
  { name: 'one-queue', limits: { 'max-queues': 1, 'max-connections': -1 } },
  { name: 'quorum', queueType: 'quorum' },
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

/** Makes everything in a data folder that no broker uses. */
export async function prepareFolder(path: string, tag: string): Promise<void> {
  const folder = await openDataFolder(path);
  const store = await openLmdbStore(join(folder.path, 'store'), { commitTimeoutMs: 30_000 });
  checkFormat(store, 'test');
  const deaf = { turnWanted: () => {}, durable: () => {}, connectionsForced: () => {} };
  const broker = new Broker(store, systemClock, deaf);
  const { access } = broker;
  const guest = { name: 'guest', password: 'guest', tags: ['administrator'] };
  broker.recover({ vhost: '/', user: { ...guest, permission: EVERYTHING } });
  const named = (name: string): string => `conf-${name}-${tag}`;
  for (const { name, limits, queueType = null } of VHOSTS) {
    broker.putVhost(named(name), { defaultQueueType: queueType });
    if (limits !== undefined) broker.setVhostLimits(named(name), limits);
  }
  for (const each of USERS) {
    const user = named(each.name);
    const made = { name: user, tags: [], limits: each.limits ?? {} };
    const { hashing, hasPassword = true, topic } = each;
    if (hashing !== undefined) {
      const algorithm = `rabbit_password_hashing_${hashing}`;
      access.putUserWithHash(made, rabbitHash(PASSWORD, hashing), algorithm);
    } else if (hasPassword) {
      access.putUserNow(made, PASSWORD, 8);
    } else {
      access.putUserWithHash(made, '', 'rabbit_password_hashing_sha256');
    }
    for (const { vhost, ...permission } of permissionsOf(each)) {
      access.setPermission({ user, vhost: named(vhost), ...permission });
    }
    if (topic !== undefined) access.setTopicPermission({ user, vhost: named('plain'), ...topic });
  }
  broker.seal();
  await store.close();
  await folder.release();
}

/** Makes everything over the management API; gives what takes it away again, or null without one. */
export async function prepareManaged(
  url: string,
  tag: string,
): Promise<(() => Promise<void>) | null> {
  const { host, user: admin, password } = endpointOf(url);
  const authorization = `Basic ${Buffer.from(`${admin}:${password}`).toString('base64')}`;
  const call = async (method: string, path: string, body: object | null = null): Promise<void> => {
    const response = await fetch(`http://${host}:${MANAGEMENT_PORT}/api/${path}`, {
      method,
      headers: { authorization, 'content-type': 'application/json' },
      body: body === null ? null : JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
  };
  const named = (name: string): string => encodeURIComponent(`conf-${name}-${tag}`);
  try {
    await call('GET', 'whoami');
  } catch {
    return null;
  }
  for (const { name, limits = {}, queueType } of VHOSTS) {
    const vhost = named(name);
    // RabbitMQ 3.10 has a name of its own for the parameter, which later ones take too.
    await call('PUT', `vhosts/${vhost}`, queueType ? { defaultqueuetype: queueType } : {});
    for (const [limit, value] of Object.entries(limits)) {
      await call('PUT', `vhost-limits/${vhost}/${limit}`, { value });
    }
  }
  for (const each of USERS) {
    const { hashing, hasPassword = true, limits = {}, topic } = each;
    const user = named(each.name);
    const secret = hashing
      ? {
          password_hash: rabbitHash(PASSWORD, hashing),
          hashing_algorithm: `rabbit_password_hashing_${hashing}`,
        }
      : { ...(hasPassword ? { password: PASSWORD } : { password_hash: '' }) };
    await call('PUT', `users/${user}`, { tags: '', ...secret });
    for (const [limit, value] of Object.entries(limits)) {
      await call('PUT', `user-limits/${user}/${limit}`, { value });
    }
    for (const { vhost, ...permission } of permissionsOf(each)) {
      await call('PUT', `permissions/${named(vhost)}/${user}`, permission);
    }
    if (topic) await call('PUT', `topic-permissions/${named('plain')}/${user}`, topic);
  }
  return async () => {
    for (const { name } of USERS) await call('DELETE', `users/${named(name)}`);
    for (const { name } of VHOSTS) await call('DELETE', `vhosts/${named(name)}`);
  };
}
