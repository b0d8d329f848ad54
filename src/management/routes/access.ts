// Owns the routes of users, vhosts, permissions and limits.

import { statisticsOfVhost } from '../../broker/view/history/past.ts';
import { readTags } from '../../broker/view/put-user.ts';
import type { VhostView } from '../../broker/view/sums.ts';
import type { JsonObject, JsonValue } from '../../util/json/json.ts';
import type { Rows } from '../../util/rows.ts';
import { booleanOf, type Call, textOf } from '../call.ts';
import { placeRow } from '../cluster/rows.ts';
import { checkRanges, rangeOf } from '../history/ranges.ts';
import { badRequest, notFound } from '../http-error.ts';
import { columnFilter, list, listWhole } from '../listing.ts';
import { done, get, ofDirectory, post, put, type Route, remove, saved } from '../route.ts';
import { ofThisNode } from './overview.ts';

/** An exchange in the path says which one to delete; otherwise the body names it, as in RabbitMQ. */
const TOPIC_PATHS = [
  '/topic-permissions/:vhost/:user',
  '/topic-permissions/:vhost/:user/:exchange',
];

/** How lists of permissions are sorted. */
const GRANT_ORDER = ['vhost', 'user', 'exchange'];

export const USER_ROUTES: readonly Route[] = ofDirectory(
  get('/whoami', 'management', ({ principal }) => ({ name: principal.name, tags: principal.tags })),
  get('/users', 'administrator', (call) => listWhole(call, call.view.defined.users(), ['name'])),
  get('/users/without-permissions', 'administrator', (call) =>
    listWhole(call, call.view.defined.usersWithoutPermissions(), ['name']),
  ),
  post('/users/bulk-delete', 'administrator', async (call) => {
    const { users } = call.object('users');
    if (!Array.isArray(users)) throw badRequest('users must be a list of names');
    const names = new Set(users.map((name: JsonValue) => textOf('the name of a user', name)));
    // All are looked for first, so that nothing is deleted when one is not there.
    for (const name of names) {
      if (call.view.defined.user(name) === null) throw badRequest(`there is no user '${name}'`);
    }
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
    return listWhole(
      call,
      call.view.defined.permissions({ user: call.param('user') }),
      GRANT_ORDER,
    );
  }),
  get('/users/:user/topic-permissions', 'administrator', (call) => {
    user(call);
    return listWhole(
      call,
      call.view.defined.topicPermissions({ user: call.param('user') }),
      GRANT_ORDER,
    );
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
);

function find(call: Call): JsonObject | null {
  return call.view.defined.user(call.param('user'));
}

function user(call: Call): JsonObject {
  return call.found(find(call));
}

function limitsOfUser({ name, limits }: JsonObject): object[] {
  return Object.keys(limits as JsonObject).length === 0 ? [] : [{ user: name, value: limits }];
}

export const VHOST_ROUTES: readonly Route[] = ofDirectory(
  get('/vhosts', 'management', (call) => list(call, vhosts(call), ['name'])),
  get('/vhosts/:vhost', 'administrator', async (call) =>
    showing(call)(await call.walked(call.view.snapshots.vhost(call.vhost()))),
  ),
  put('/vhosts/:vhost', 'administrator', async (call) => {
    const name = call.param('vhost');
    const body = call.object();
    await call.view.vhostGone(name);
    const isNew = !call.view.snapshots.hasVhost(name);
    // What RabbitMQ writes where a vhost has none is none here, too.
    const type = textOf('default_queue_type', body['default_queue_type'] ?? 'undefined');
    call.view.putVhost(name, {
      ...(body['description'] === undefined
        ? {}
        : { description: textOf('description', body['description']) }),
      ...(body['tags'] === undefined ? {} : { tags: readTags(body['tags']) }),
      ...(body['tracing'] === undefined
        ? {}
        : { tracing: booleanOf('tracing', body['tracing'], false) }),
      ...(type === 'undefined' ? {} : { defaultQueueType: type }),
    });
    // The user that makes a vhost may use it, as with RabbitMQ.
    if (isNew && call.principal.local !== true) {
      const all = { configure: '.*', write: '.*', read: '.*' };
      call.view.setPermission({ user: call.principal.name, vhost: name, ...all });
    }
    return saved(call, isNew);
  }),
  remove('/vhosts/:vhost', 'administrator', async (call) => {
    await call.view.deleteVhostInSteps(call.vhost());
    return done(call);
  }),
  post('/vhosts/:vhost/start/:node', 'administrator', (call) => {
    call.vhost();
    ofThisNode(call);
    return undefined;
  }),
  get('/vhosts/:vhost/permissions', 'administrator', (call) => {
    return listWhole(call, call.view.defined.permissions({ vhost: call.vhost() }), GRANT_ORDER);
  }),
  get('/vhosts/:vhost/topic-permissions', 'administrator', (call) => {
    return listWhole(
      call,
      call.view.defined.topicPermissions({ vhost: call.vhost() }),
      GRANT_ORDER,
    );
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
);

function* vhosts(call: Call): Rows<object> {
  checkRanges(call, 'invalid_range_parameters');
  const show = showing(call);
  for (const vhost of call.view.snapshots.vhosts(call.watchedVhosts())) {
    yield vhost === null ? null : show(vhost);
  }
}

/** How a call wants vhosts to be shown: what it asks for is read once for all of them. */
function showing(call: Call): (vhost: VhostView) => object {
  const { past, snapshots } = call.view;
  checkRanges(call);
  const wanted = columnFilter(call.query);
  const ranges = {
    now: past.now,
    lengths: rangeOf(call, 'lengths'),
    msgRates: rangeOf(call, 'msg_rates'),
    dataRates: rangeOf(call, 'data_rates'),
  };
  const { cluster } = call.context;
  return ({ place, ...vhost }) => {
    const series = past.ofVhost(vhost.name);
    return {
      ...vhost,
      ...(cluster === null ? {} : { leveret: placeRow(place) }),
      ...(series === null ? {} : statisticsOfVhost(series, ranges, wanted)),
      metadata: { description: vhost.description, tags: vhost.tags },
      cluster_state: { [snapshots.node]: 'running' },
    };
  };
}

export const PERMISSION_ROUTES: readonly Route[] = ofDirectory(
  get('/permissions', 'administrator', (call) =>
    listWhole(call, call.view.defined.permissions({}), GRANT_ORDER),
  ),
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
    listWhole(call, call.view.defined.topicPermissions({}), GRANT_ORDER),
  ),
  ...TOPIC_PATHS.flatMap((path) => [
    get(path, 'administrator', grantedTopics),
    put(path, 'administrator', grantTopic),
    remove(path, 'administrator', revokeTopic),
  ]),
);

/** The user and the vhost of the path, which must be there. */
function ends(call: Call): { readonly vhost: string; readonly user: string } {
  const [vhost, user] = [call.param('vhost'), call.param('user')];
  const there = call.view.snapshots.hasVhost(vhost) && find(call) !== null;
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
