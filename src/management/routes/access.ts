// Owns the routes of users, vhosts, permissions and limits.

import { readTags } from '../../broker/view/put-user.ts';
import type { VhostView } from '../../broker/view/snapshots.ts';
import type { JsonObject, JsonValue } from '../../util/json/json.ts';
import type { Rows } from '../../util/rows.ts';
import { booleanOf, type Call, textOf } from '../call.ts';
import { badRequest, notFound } from '../http-error.ts';
import { list } from '../listing.ts';
import { done, get, post, put, type Route, remove, saved } from '../route.ts';

/** An exchange in the path says which one to delete; otherwise the body names it, as in RabbitMQ. */
const TOPIC_PATHS = [
  '/topic-permissions/:vhost/:user',
  '/topic-permissions/:vhost/:user/:exchange',
];

export const USER_ROUTES: readonly Route[] = [
  get('/whoami', 'management', ({ person }) => ({ name: person.name, tags: person.tags })),
  get('/users', 'administrator', (call) => list(call, call.view.defined.users(), ['name'])),
  get('/users/without-permissions', 'administrator', (call) =>
    list(call, call.view.defined.usersWithoutPermissions(), ['name']),
  ),
  post('/users/bulk-delete', 'administrator', async (call) => {
    const { users } = call.object('users');
    if (!Array.isArray(users)) throw badRequest('users must be a list of names');
    const names = new Set(users.map((name: JsonValue) => textOf('the name of a user', name)));
    // All are looked for first, so that nothing is deleted when one is not there.
    for (const name of names) call.view.existingUser(name);
    await Promise.all([...names].map((name) => call.view.deleteUserInSteps(name)));
    return done(call);
  }),
  get('/users/:user', 'administrator', (call) => user(call)),
  put('/users/:user', 'administrator', async (call) => {
    const name = call.param('user');
    const body = call.object();
    if (body['tags'] === undefined) throw badRequest('tags_not_present');
    const isNew = find(call) === null;
    await call.view.putUser(name, body);
    return saved(call, isNew);
  }),
  remove('/users/:user', 'administrator', async (call) => {
    user(call);
    await call.view.deleteUserInSteps(call.param('user'));
    return done(call);
  }),
  get('/users/:user/permissions', 'administrator', (call) => {
    user(call);
    return call.collected(call.view.defined.permissions({ user: call.param('user') }));
  }),
  get('/users/:user/topic-permissions', 'administrator', (call) => {
    user(call);
    return call.collected(call.view.defined.topicPermissions({ user: call.param('user') }));
  }),
  get('/user-limits', 'management', (call) => call.collected(call.view.defined.userLimits())),
  get('/user-limits/:user', 'management', (call) => limitsOfUser(user(call))),
  put('/user-limits/:user/:name', 'administrator', (call) => {
    const { value } = call.object('value');
    const name = call.param('user');
    const limits = { ...call.view.userLimits(name), [call.param('name')]: value };
    call.view.setUserLimits(name, limits);
    return done(call);
  }),
  remove('/user-limits/:user/:name', 'administrator', (call) => {
    const name = call.param('user');
    const { [call.param('name')]: _, ...others } = call.view.userLimits(name) as JsonObject;
    call.view.setUserLimits(name, others);
    return done(call);
  }),
];

function find(call: Call): JsonObject | null {
  return call.view.defined.user(call.param('user'));
}

function user(call: Call): JsonObject {
  return call.found(find(call));
}

function limitsOfUser({ name, limits }: JsonObject): object[] {
  return Object.keys(limits as JsonObject).length === 0 ? [] : [{ user: name, value: limits }];
}

export const VHOST_ROUTES: readonly Route[] = [
  get('/vhosts', 'management', (call) => list(call, vhosts(call), ['name'])),
  get('/vhosts/:vhost', 'administrator', async (call) =>
    shown(call, await call.walked(call.view.look.vhost(call.vhost()))),
  ),
  put('/vhosts/:vhost', 'administrator', async (call) => {
    const name = call.param('vhost');
    const body = call.object();
    await call.view.vhostGone(name);
    const isNew = !call.view.look.hasVhost(name);
    const type = body['default_queue_type'];
    call.view.putVhost(name, {
      ...(body['description'] === undefined
        ? {}
        : { description: textOf('description', body['description']) }),
      ...(body['tags'] === undefined ? {} : { tags: readTags(body['tags']) }),
      ...(body['tracing'] === undefined ? {} : { tracing: booleanOf(body['tracing'], false) }),
      ...(typeof type === 'string' && type !== 'undefined' ? { defaultQueueType: type } : {}),
    });
    // The user that makes a vhost may use it, as with RabbitMQ.
    if (isNew) {
      const all = { configure: '.*', write: '.*', read: '.*' };
      call.view.setPermission({ user: call.person.name, vhost: name, ...all });
    }
    return saved(call, isNew);
  }),
  remove('/vhosts/:vhost', 'administrator', async (call) => {
    await call.view.deleteVhostInSteps(call.vhost());
    return done(call);
  }),
  post('/vhosts/:vhost/start/:node', 'administrator', (call) => {
    call.vhost();
    return undefined;
  }),
  get('/vhosts/:vhost/permissions', 'administrator', (call) => {
    return call.collected(call.view.defined.permissions({ vhost: call.vhost() }));
  }),
  get('/vhosts/:vhost/topic-permissions', 'administrator', (call) => {
    return call.collected(call.view.defined.topicPermissions({ vhost: call.vhost() }));
  }),
  get('/vhost-limits', 'management', (call) =>
    call.collected(call.view.defined.vhostLimits(call.watchedVhosts())),
  ),
  get('/vhost-limits/:vhost', 'management', (call) =>
    call.collected(call.view.defined.vhostLimits([call.vhost()])),
  ),
  put('/vhost-limits/:vhost/:name', 'administrator', (call) => {
    const { value } = call.object('value');
    const vhost = call.vhost();
    const all = { ...call.view.vhostLimits(vhost), [call.param('name')]: value };
    call.view.setVhostLimits(vhost, all);
    return done(call);
  }),
  remove('/vhost-limits/:vhost/:name', 'administrator', (call) => {
    const vhost = call.vhost();
    const { [call.param('name')]: _, ...others } = call.view.vhostLimits(vhost) as JsonObject;
    call.view.setVhostLimits(vhost, others);
    return done(call);
  }),
];

function* vhosts(call: Call): Rows<object> {
  for (const vhost of call.view.look.vhosts(call.watchedVhosts())) {
    yield vhost === null ? null : shown(call, vhost);
  }
}

function shown(call: Call, vhost: VhostView): object {
  return {
    ...vhost,
    metadata: { description: vhost.description, tags: vhost.tags },
    cluster_state: { [call.view.look.node]: 'running' },
  };
}

export const PERMISSION_ROUTES: readonly Route[] = [
  get('/permissions', 'administrator', (call) => call.collected(call.view.defined.permissions({}))),
  get('/permissions/:vhost/:user', 'administrator', permission),
  put('/permissions/:vhost/:user', 'administrator', (call) => {
    const body = call.object('configure', 'write', 'read');
    const { vhost, user } = ends(call);
    const known = call.view.defined.permission(user, vhost) !== null;
    call.view.setPermission({
      user,
      vhost,
      configure: textOf('configure', body['configure']),
      write: textOf('write', body['write']),
      read: textOf('read', body['read']),
    });
    return saved(call, !known);
  }),
  remove('/permissions/:vhost/:user', 'administrator', (call) => {
    permission(call);
    call.view.clearPermission(call.param('user'), call.param('vhost'));
    return done(call);
  }),
  get('/topic-permissions', 'administrator', (call) =>
    call.collected(call.view.defined.topicPermissions({})),
  ),
  ...TOPIC_PATHS.flatMap((path) => [
    get(path, 'administrator', grantedTopics),
    put(path, 'administrator', grantTopic),
    remove(path, 'administrator', revokeTopic),
  ]),
];

/** The user and the vhost of the path, which must be there. */
function ends(call: Call): { readonly vhost: string; readonly user: string } {
  const [vhost, user] = [call.param('vhost'), call.param('user')];
  const there = call.view.look.hasVhost(vhost) && find(call) !== null;
  if (!there) throw badRequest('vhost_or_user_not_found');
  return { vhost, user };
}

function permission(call: Call): object {
  return call.found(call.view.defined.permission(call.param('user'), call.param('vhost')));
}

async function grantedTopics(call: Call) {
  const all = await topicPermissions(call);
  if (all.length === 0) throw notFound();
  return all;
}

async function grantTopic(call: Call) {
  const body = call.object('exchange', 'write', 'read');
  const { vhost, user } = ends(call);
  const exchange = textOf('exchange', body['exchange']);
  // Another exchange of a user that has a permission in the vhost is a change, as with RabbitMQ.
  const known = (await topicPermissions(call)).length > 0;
  call.view.setTopicPermission({
    user,
    vhost,
    exchange,
    write: textOf('write', body['write']),
    read: textOf('read', body['read']),
  });
  return saved(call, !known);
}

async function revokeTopic(call: Call) {
  await grantedTopics(call);
  const { exchange } = { ...call.query, ...call.params };
  call.view.clearTopicPermission(call.param('user'), call.param('vhost'), exchange);
  return done(call);
}

function topicPermissions(call: Call) {
  const [vhost, user] = [call.param('vhost'), call.param('user')];
  return call.collected(call.view.defined.topicPermissions({ user, vhost }));
}
