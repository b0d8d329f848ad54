// Owns what is said when the API has nothing at a path: which of the names in it is not there, and which is near.
// Never asks for anything that the verb's user may not see.

import { suggest } from '../../config/suggest.ts';

/** What lies in vhosts, by the first part of its path, and the singular of it. */
const IN_VHOSTS: Readonly<Record<string, string>> = {
  queues: 'queue',
  exchanges: 'exchange',
  bindings: 'binding',
  policies: 'policy',
  'operator-policies': 'operator policy',
  permissions: 'user',
  'topic-permissions': 'user',
};
/** What lies in none. */
const ALONE: Readonly<Record<string, string>> = {
  users: 'user',
  vhosts: 'vhost',
  connections: 'connection',
  channels: 'channel',
  'user-limits': 'user',
  'vhost-limits': 'vhost',
  settings: 'setting',
};

/** A name that the broker does not have. */
export interface Missing {
  /** What it would be the name of: `user`, `vhost`, `queue` and so on. */
  readonly kind: string;
  readonly name: string;
  /** For the operator, with the nearest name that there is. */
  readonly text: string;
}

/** Reads a path of the API; rejects where that cannot be read. */
type Get = (path: string) => Promise<unknown>;

/** Says which name of a path is not there; null: it cannot be told. */
export async function describeMissing(get: Get, path: string): Promise<Missing | null> {
  const [root = '', ...parts] = path
    .replace(/\?.*/, '')
    .split('/')
    .slice(1)
    .map(decodeURIComponent);
  const alone = ALONE[root];
  if (alone !== undefined) return said(get, alone, `/${alone}s`, parts[0], '');
  if (root === 'cluster' && parts[0] === 'vhosts')
    return said(get, 'vhost', '/vhosts', parts[1], '');
  const kind = IN_VHOSTS[root];
  const [vhost, ...names] = parts;
  if (kind === undefined || vhost === undefined) return null;
  const noVhost = await said(get, 'vhost', '/vhosts', vhost, '');
  if (noVhost !== null) return noVhost;
  const where = ` in vhost '${vhost}'`;
  if (kind === 'user') return said(get, kind, '/users', names[0], '');
  const list = (of: string): string => `/${of}/${encodeURIComponent(vhost)}`;
  if (root !== 'bindings') return said(get, kind, list(root), names[0], where);
  const [, source, of, destination] = names;
  return (
    (await said(get, 'exchange', list('exchanges'), source, where)) ??
    (of === 'q'
      ? said(get, 'queue', list('queues'), destination, where)
      : said(get, 'exchange', list('exchanges'), destination, where))
  );
}

/** That a name is none of a list, with the nearest; null: it is one, or the list cannot be had. */
async function said(
  get: Get,
  kind: string,
  path: string,
  name: string | undefined,
  where: string,
): Promise<Missing | null> {
  if (name === undefined) return null;
  const names = await namesAt(get, path);
  if (names === null || names.includes(name)) return null;
  const nearest = suggest(name, names);
  const hint = nearest === null ? '' : `; did you mean '${nearest}'?`;
  return { kind, name, text: `there is no ${kind} '${name}'${where}${hint}` };
}

/** The names of what a list has; null: it cannot be had. */
export async function namesAt(get: Get, path: string): Promise<string[] | null> {
  try {
    const rows = (await get(`${path}?columns=name`)) as readonly { readonly name?: unknown }[];
    return rows.flatMap(({ name }) => (typeof name === 'string' ? [name] : []));
  } catch {
    return null;
  }
}
