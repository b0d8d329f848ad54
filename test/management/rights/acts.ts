// Owns one request for every method of every route of the HTTP API, and what has to be there before it.
// Never says who may do it: table.txt does.

import { isOracle } from '../support.ts';

/** A request below /api. */
export type Request = readonly [method: string, path: string, body?: object];

/** One method of one route, tried with sensible values. */
export interface Act {
  /** As the route is written, with its method: `PUT /queues/:vhost/:name`. */
  readonly route: string;
  readonly path: string;
  readonly body?: object;
  /** What an administrator does before each try, so that the try has something to act on. */
  readonly before?: readonly Request[];
  /** The try needs a connection of somebody else, whose name stands for `{connection}` in the path. */
  readonly connection?: true;
  /** RabbitMQ has no such route. */
  readonly own?: true;
}

/** The vhost that users have permissions in, and the user that acts are about. */
export const VHOST = 'rights';
export const OTHER = 'rights-other';
const GONE = 'rights-gone';

const QUEUE: Request = ['PUT', `/queues/${VHOST}/theirs`, { durable: true }];
const STREAM: Request = [
  'PUT',
  `/queues/${VHOST}/theirs-s`,
  { durable: true, arguments: { 'x-queue-type': 'stream' } },
];
const SUPER_PATH = `/super-streams/${VHOST}/theirs-p`;
/** One without partitions, which may be declared again and again. */
const SUPER: Request = [
  'PUT',
  `/exchanges/${VHOST}/theirs-p`,
  { type: 'direct', durable: true, arguments: { 'x-super-stream': true } },
];
const NO_SUPER: readonly Request[] = [SUPER, ['DELETE', SUPER_PATH]];
const GROUP: Request = ['PUT', `/queues/${VHOST}/theirs-s/groups/g`, { offset: 0 }];
const NUMBERED: Request = [
  'POST',
  `/exchanges/${VHOST}/amq.default/publish`,
  {
    properties: { headers: { 'x-stream-publisher': 'p', 'x-stream-publishing-id': 1 } },
    routing_key: 'theirs-s',
    payload: 'x',
    payload_encoding: 'string',
  },
];
const EXCHANGE: Request = ['PUT', `/exchanges/${VHOST}/theirs-x`, { type: 'topic' }];
const BINDING: Request = ['POST', `/bindings/${VHOST}/e/theirs-x/q/theirs`, { routing_key: 'k' }];
const USER: Request = ['PUT', `/users/${OTHER}`, { password: 'x', tags: '' }];
const POLICY = { pattern: '^none$', definition: { 'max-length': 9 }, 'apply-to': 'queues' };
const POLICIES: readonly Request[] = [
  ['PUT', `/policies/${VHOST}/p`, POLICY],
  ['PUT', `/operator-policies/${VHOST}/op`, POLICY],
];
const ALL = { configure: '.*', write: '.*', read: '.*' };
const TOPIC = { exchange: 'theirs-x', write: '.*', read: '.*' };
/** RabbitMQ knows components by its plugins, and this one always. */
const COMPONENT = isOracle ? 'vhost-limits' : 'federation-upstream';
const PARAMETERS_IN_VHOST = `/parameters/${COMPONENT}/${VHOST}`;
const PARAMETER_PATH = `${PARAMETERS_IN_VHOST}/${isOracle ? 'limits' : 'up'}`;
const PARAMETER: Request = [
  'PUT',
  PARAMETER_PATH,
  { value: isOracle ? { 'max-queues': 900 } : { uri: 'amqp://a:secret@127.0.0.1:1' } },
];
const GLOBAL: Request = ['PUT', '/global-parameters/rights', { value: 1 }];
const PUBLISHED = {
  properties: {},
  routing_key: 'k',
  payload: 'x',
  payload_encoding: 'string',
};

/** The node's name differs from broker to broker. */
const NODE = '{node}';

function act(route: string, path: string, more: Omit<Act, 'route' | 'path'> = {}): Act {
  return { route, path, ...more };
}

const OVERVIEW: readonly Act[] = [
  act('GET /overview', '/overview'),
  act('GET /nodes', '/nodes'),
  act('GET /nodes/:node', `/nodes/${NODE}`),
  act('GET /nodes/:node/memory', `/nodes/${NODE}/memory`),
  act('GET /nodes/:node/memory/relative', `/nodes/${NODE}/memory/relative`),
  act('GET /nodes/:node/memory/ets', `/nodes/${NODE}/memory/ets`),
  act('GET /nodes/:node/memory/ets/relative', `/nodes/${NODE}/memory/ets/relative`),
  act('GET /nodes/:node/memory/ets/:filter', `/nodes/${NODE}/memory/ets/none`),
  act('GET /nodes/:node/memory/ets/:filter/relative', `/nodes/${NODE}/memory/ets/none/relative`),
  act('GET /cluster-name', '/cluster-name'),
  act('PUT /cluster-name', '/cluster-name', { body: { name: 'rights' } }),
  act('GET /cluster', '/cluster', { own: true }),
  act('PUT /cluster/step-down', '/cluster/step-down', { own: true }),
  act('PUT /cluster/snapshot', '/cluster/snapshot', { own: true }),
  act('PUT /cluster/follow-main', '/cluster/follow-main', { own: true }),
  act('GET /cluster/vhosts/:vhost', `/cluster/vhosts/${VHOST}`, { own: true }),
  act('PUT /cluster/vhosts/:vhost', `/cluster/vhosts/${VHOST}`, {
    body: { group: 'jobs' },
    own: true,
  }),
  act('GET /version', '/version', { own: true }),
  act('GET /leveret/status', '/leveret/status', { own: true }),
  act('GET /leveret/listeners', '/leveret/listeners', { own: true }),
  act('PUT /leveret/listeners', '/leveret/listeners', { own: true, body: { suspended: false } }),
  act('GET /leveret/reference', '/leveret/reference', { own: true }),
  act('GET /leveret/log', '/leveret/log', { own: true }),
  act('GET /extensions', '/extensions'),
  act('GET /feature-flags', '/feature-flags'),
  act('PUT /feature-flags/:name/enable', '/feature-flags/quorum_queue/enable', { body: {} }),
  act('GET /deprecated-features', '/deprecated-features', { own: true }),
  act('GET /deprecated-features/used', '/deprecated-features/used', { own: true }),
  act('GET /auth', '/auth'),
  act('GET /config/effective', '/config/effective', { own: true }),
  act('GET /settings', '/settings', { own: true }),
  act('GET /settings/:name', '/settings/heartbeat', { own: true }),
  act('PUT /settings/:name', '/settings/heartbeat', { own: true, body: { value: '60' } }),
  act('DELETE /settings/:name', '/settings/heartbeat', { own: true }),
  act('POST /rebalance/queues', '/rebalance/queues'),
  act('POST /backup', '/backup', { own: true, body: { path: '' } }),
];

const HEALTH: readonly Act[] = [
  act('GET /health/checks/alarms', '/health/checks/alarms'),
  act('GET /health/checks/local-alarms', '/health/checks/local-alarms'),
  act('GET /health/checks/virtual-hosts', '/health/checks/virtual-hosts'),
  act('GET /health/checks/set-aside', '/health/checks/set-aside', { own: true }),
  act('GET /health/checks/is-in-service', '/health/checks/is-in-service', { own: true }),
  act('GET /health/checks/ready-to-serve-clients', '/health/checks/ready-to-serve-clients', {
    own: true,
  }),
  act(
    'GET /health/checks/below-node-connection-limit',
    '/health/checks/below-node-connection-limit',
    { own: true },
  ),
  act('GET /health/checks/node-is-quorum-critical', '/health/checks/node-is-quorum-critical'),
  act(
    'GET /health/checks/node-is-mirror-sync-critical',
    '/health/checks/node-is-mirror-sync-critical',
  ),
  act(
    'GET /health/checks/certificate-expiration/:within/:unit',
    '/health/checks/certificate-expiration/1/days',
  ),
  act('GET /health/checks/port-listener/:port', '/health/checks/port-listener/1'),
  act('GET /health/checks/protocol-listener/:protocol', '/health/checks/protocol-listener/amqp'),
  act('GET /healthchecks/node', '/healthchecks/node'),
  act('GET /healthchecks/node/:node', `/healthchecks/node/${NODE}`),
  act('GET /aliveness-test/:vhost', `/aliveness-test/${VHOST}`),
  act('GET /auth/attempts/:node', `/auth/attempts/${NODE}`),
  act('GET /auth/attempts/:node/source', `/auth/attempts/${NODE}/source`),
];

const USERS: readonly Act[] = [
  act('GET /whoami', '/whoami'),
  act('GET /users', '/users'),
  act('GET /users/without-permissions', '/users/without-permissions'),
  act('POST /users/bulk-delete', '/users/bulk-delete', {
    body: { users: [OTHER] },
    before: [USER],
  }),
  act('GET /users/:user', `/users/${OTHER}`, { before: [USER] }),
  act('PUT /users/:user', `/users/${OTHER}`, { body: { password: 'y', tags: '' }, before: [USER] }),
  act('DELETE /users/:user', `/users/${OTHER}`, { before: [USER] }),
  act('GET /users/:user/permissions', `/users/${OTHER}/permissions`, { before: [USER] }),
  act('GET /users/:user/topic-permissions', `/users/${OTHER}/topic-permissions`, {
    before: [USER],
  }),
  act('GET /user-limits', '/user-limits'),
  act('GET /user-limits/:user', `/user-limits/${OTHER}`, { before: [USER] }),
  act('PUT /user-limits/:user/:name', `/user-limits/${OTHER}/max-channels`, {
    body: { value: 9 },
    before: [USER],
  }),
  act('DELETE /user-limits/:user/:name', `/user-limits/${OTHER}/max-channels`, {
    before: [USER, ['PUT', `/user-limits/${OTHER}/max-channels`, { value: 9 }]],
  }),
];

const VHOSTS: readonly Act[] = [
  act('GET /vhosts', '/vhosts'),
  act('GET /vhosts/:vhost', `/vhosts/${VHOST}`),
  act('PUT /vhosts/:vhost', `/vhosts/${VHOST}`, { body: {} }),
  act('DELETE /vhosts/:vhost', `/vhosts/${GONE}`, { before: [['PUT', `/vhosts/${GONE}`, {}]] }),
  act('POST /vhosts/:vhost/start/:node', `/vhosts/${VHOST}/start/${NODE}`),
  act('GET /vhosts/:vhost/permissions', `/vhosts/${VHOST}/permissions`),
  act('GET /vhosts/:vhost/topic-permissions', `/vhosts/${VHOST}/topic-permissions`),
  act('GET /vhost-limits', '/vhost-limits'),
  act('GET /vhost-limits/:vhost', `/vhost-limits/${VHOST}`),
  act('PUT /vhost-limits/:vhost/:name', `/vhost-limits/${VHOST}/max-queues`, {
    body: { value: 900 },
  }),
  act('DELETE /vhost-limits/:vhost/:name', `/vhost-limits/${VHOST}/max-queues`, {
    before: [['PUT', `/vhost-limits/${VHOST}/max-queues`, { value: 900 }]],
  }),
];

const PERMISSIONS: readonly Act[] = [
  act('GET /permissions', '/permissions'),
  act('GET /permissions/:vhost/:user', `/permissions/${VHOST}/${OTHER}`, {
    before: [USER, ['PUT', `/permissions/${VHOST}/${OTHER}`, ALL]],
  }),
  act('PUT /permissions/:vhost/:user', `/permissions/${VHOST}/${OTHER}`, {
    body: ALL,
    before: [USER],
  }),
  act('DELETE /permissions/:vhost/:user', `/permissions/${VHOST}/${OTHER}`, {
    before: [USER, ['PUT', `/permissions/${VHOST}/${OTHER}`, ALL]],
  }),
  act('GET /topic-permissions', '/topic-permissions'),
  ...[
    ['/topic-permissions/:vhost/:user', `/topic-permissions/${VHOST}/${OTHER}`],
    ['/topic-permissions/:vhost/:user/:exchange', `/topic-permissions/${VHOST}/${OTHER}/theirs-x`],
  ].flatMap(([route = '', path = '']) => {
    const before: readonly Request[] = [USER, ['PUT', path, TOPIC]];
    return [
      act(`GET ${route}`, path, { before }),
      act(`PUT ${route}`, path, { body: TOPIC, before: [USER] }),
      act(`DELETE ${route}`, path, { before }),
    ];
  }),
];

const POLICY_ACTS: readonly Act[] = (
  [
    ['policies', 'p'],
    ['operator-policies', 'op'],
  ] as const
).flatMap(([base, name]) => [
  act(`GET /${base}`, `/${base}`),
  act(`GET /${base}/:vhost`, `/${base}/${VHOST}`),
  act(`GET /${base}/:vhost/:name`, `/${base}/${VHOST}/${name}`, { before: POLICIES }),
  act(`PUT /${base}/:vhost/:name`, `/${base}/${VHOST}/${name}`, { body: POLICY, before: POLICIES }),
  act(`DELETE /${base}/:vhost/:name`, `/${base}/${VHOST}/${name}`, { before: POLICIES }),
]);

const PARAMETERS: readonly Act[] = [
  act('GET /parameters', '/parameters'),
  act('GET /parameters/:component', `/parameters/${COMPONENT}`),
  act('GET /parameters/:component/:vhost', PARAMETERS_IN_VHOST),
  act('GET /parameters/:component/:vhost/:name', PARAMETER_PATH, {
    before: [PARAMETER],
  }),
  act('PUT /parameters/:component/:vhost/:name', PARAMETER_PATH, {
    body: PARAMETER[2] as object,
    before: [PARAMETER],
  }),
  act('DELETE /parameters/:component/:vhost/:name', PARAMETER_PATH, {
    before: [PARAMETER],
  }),
  act('GET /global-parameters', '/global-parameters'),
  act('GET /global-parameters/:name', '/global-parameters/rights', { before: [GLOBAL] }),
  act('PUT /global-parameters/:name', '/global-parameters/rights', {
    body: { value: 2 },
    before: [GLOBAL],
  }),
  act('DELETE /global-parameters/:name', '/global-parameters/rights', { before: [GLOBAL] }),
];

const DEFINITIONS: readonly Act[] = [
  act('GET /definitions', '/definitions'),
  act('GET /definitions/:vhost', `/definitions/${VHOST}`),
  act('POST /definitions', '/definitions', { body: { users: [] } }),
  act('GET /all-configuration', '/all-configuration'),
  act('POST /all-configuration', '/all-configuration', { body: { users: [] } }),
  act('POST /definitions/:vhost', `/definitions/${VHOST}`, { body: { queues: [] } }),
];

const EXCHANGES: readonly Act[] = [
  act('GET /exchanges', '/exchanges'),
  act('GET /exchanges/:vhost', `/exchanges/${VHOST}`),
  act('GET /exchanges/:vhost/:name', `/exchanges/${VHOST}/theirs-x`, { before: [EXCHANGE] }),
  act('PUT /exchanges/:vhost/:name', `/exchanges/${VHOST}/theirs-x`, {
    body: { type: 'topic' },
    before: [EXCHANGE],
  }),
  act('DELETE /exchanges/:vhost/:name', `/exchanges/${VHOST}/theirs-x`, { before: [EXCHANGE] }),
  act(
    'GET /exchanges/:vhost/:name/bindings/source',
    `/exchanges/${VHOST}/theirs-x/bindings/source`,
    { before: [EXCHANGE] },
  ),
  act(
    'GET /exchanges/:vhost/:name/bindings/destination',
    `/exchanges/${VHOST}/theirs-x/bindings/destination`,
    { before: [EXCHANGE] },
  ),
  act('POST /exchanges/:vhost/:name/publish', `/exchanges/${VHOST}/theirs-x/publish`, {
    body: PUBLISHED,
    before: [EXCHANGE],
  }),
];

const ENDS = `/bindings/${VHOST}/e/theirs-x/q/theirs`;
const BINDINGS: readonly Act[] = [
  act('GET /bindings', '/bindings'),
  act('GET /bindings/:vhost', `/bindings/${VHOST}`),
  act('GET /bindings/:vhost/e/:source/:kind/:destination', ENDS, {
    before: [QUEUE, EXCHANGE, BINDING],
  }),
  act('POST /bindings/:vhost/e/:source/:kind/:destination', ENDS, {
    body: { routing_key: 'k' },
    before: [QUEUE, EXCHANGE],
  }),
  act('GET /bindings/:vhost/e/:source/:kind/:destination/:key', `${ENDS}/k`, {
    before: [QUEUE, EXCHANGE, BINDING],
  }),
  act('DELETE /bindings/:vhost/e/:source/:kind/:destination/:key', `${ENDS}/k`, {
    before: [QUEUE, EXCHANGE, BINDING],
  }),
];

const SET_ASIDE: readonly Act[] = [
  act('GET /set-aside', '/set-aside', { own: true }),
  act('GET /set-aside/:vhost', `/set-aside/${VHOST}`, { own: true }),
  act('DELETE /set-aside/rows/:id', '/set-aside/rows/none', { own: true }),
  ...(
    [
      ['GET', '', ''],
      ['GET', '/:id', '/9'],
      ['POST', '/:id/retry', '/9/retry'],
      ['DELETE', '/:id', '/9'],
    ] as const
  ).map(([method, route, path]) =>
    act(
      `${method} /queues/:vhost/:name/set-aside${route}`,
      `/queues/${VHOST}/theirs/set-aside${path}`,
      { own: true, before: [QUEUE] },
    ),
  ),
];

const SCHEDULE_PATH = `/schedules/${VHOST}/s`;
const SCHEDULED = { every: 3_600_000, exchange: 'theirs-x', routing_key: 'k' };
const SCHEDULE: Request = ['PUT', SCHEDULE_PATH, SCHEDULED];
const SCHEDULES: readonly Act[] = [
  act('GET /schedules', '/schedules', { own: true }),
  act('GET /schedules/:vhost', `/schedules/${VHOST}`, { own: true }),
  act('GET /schedules/:vhost/:name', SCHEDULE_PATH, { own: true, before: [EXCHANGE, SCHEDULE] }),
  act('PUT /schedules/:vhost/:name', SCHEDULE_PATH, {
    own: true,
    body: SCHEDULED,
    before: [EXCHANGE, SCHEDULE],
  }),
  act('DELETE /schedules/:vhost/:name', SCHEDULE_PATH, {
    own: true,
    before: [EXCHANGE, SCHEDULE],
  }),
  act('POST /schedules/:vhost/:name/run', `${SCHEDULE_PATH}/run`, {
    own: true,
    before: [EXCHANGE, SCHEDULE],
  }),
  act('GET /schedule-times', '/schedule-times?every=1000', { own: true }),
];

const QUEUES: readonly Act[] = [
  act('GET /queues', '/queues'),
  act('GET /queues/detailed', '/queues/detailed', { own: true }),
  act('GET /queues/:vhost', `/queues/${VHOST}`),
  act('GET /queues/:vhost/:name', `/queues/${VHOST}/theirs`, { before: [QUEUE] }),
  act('PUT /queues/:vhost/:name', `/queues/${VHOST}/theirs`, {
    body: { durable: true },
    before: [QUEUE],
  }),
  act('DELETE /queues/:vhost/:name', `/queues/${VHOST}/theirs`, { before: [QUEUE] }),
  act('DELETE /queues/:vhost/:name/contents', `/queues/${VHOST}/theirs/contents`, {
    before: [QUEUE],
  }),
  act('PUT /queues/:vhost/:name/pause', `/queues/${VHOST}/theirs/pause`, {
    before: [QUEUE],
    own: true,
  }),
  act('PUT /queues/:vhost/:name/resume', `/queues/${VHOST}/theirs/resume`, {
    before: [QUEUE],
    own: true,
  }),
  act('GET /queues/:vhost/:name/bindings', `/queues/${VHOST}/theirs/bindings`, {
    before: [QUEUE],
  }),
  act('POST /queues/:vhost/:name/get', `/queues/${VHOST}/theirs/get`, {
    body: { ackmode: 'ack_requeue_true', count: 1, encoding: 'auto' },
    before: [QUEUE],
  }),
  act('GET /queues/:vhost/:name/messages', `/queues/${VHOST}/theirs/messages`, {
    before: [QUEUE],
    own: true,
  }),
  act('GET /queues/:vhost/:name/delayed', `/queues/${VHOST}/theirs/delayed`, {
    before: [QUEUE],
    own: true,
  }),
  act('POST /queues/:vhost/:name/delayed', `/queues/${VHOST}/theirs/delayed`, {
    body: { action: 'send' },
    before: [QUEUE],
    own: true,
  }),
  act('GET /queues/:vhost/:name/readers', `/queues/${VHOST}/theirs-s/readers`, {
    before: [STREAM],
    own: true,
  }),
  act('GET /queues/:vhost/:name/groups', `/queues/${VHOST}/theirs-s/groups`, {
    before: [STREAM],
    own: true,
  }),
  act('PUT /queues/:vhost/:name/groups/:group', `/queues/${VHOST}/theirs-s/groups/g`, {
    body: { offset: 'first' },
    before: [STREAM],
    own: true,
  }),
  act('DELETE /queues/:vhost/:name/groups/:group', `/queues/${VHOST}/theirs-s/groups/g`, {
    before: [STREAM, GROUP],
    own: true,
  }),
  act('GET /queues/:vhost/:name/publishers', `/queues/${VHOST}/theirs-s/publishers`, {
    before: [STREAM],
    own: true,
  }),
  act('GET /queues/:vhost/:name/publishers/:publisher', `/queues/${VHOST}/theirs-s/publishers/p`, {
    before: [STREAM, NUMBERED],
    own: true,
  }),
  act('GET /super-streams/:vhost', `/super-streams/${VHOST}`, { own: true }),
  act('GET /super-streams/:vhost/:name', SUPER_PATH, { before: [SUPER], own: true }),
  act('PUT /super-streams/:vhost/:name', SUPER_PATH, {
    body: { partitions: 1 },
    before: NO_SUPER,
    own: true,
  }),
  act('POST /super-streams/:vhost/:name/partitions', `${SUPER_PATH}/partitions`, {
    body: {},
    before: [SUPER],
    own: true,
  }),
  act('DELETE /super-streams/:vhost/:name', SUPER_PATH, { before: [SUPER], own: true }),
  act('POST /queues/:vhost/:name/redrive', `/queues/${VHOST}/theirs/redrive`, {
    body: {},
    before: [QUEUE],
    own: true,
  }),
  act('POST /queues/:vhost/:name/actions', `/queues/${VHOST}/theirs/actions`, {
    body: { action: 'sync' },
    before: [QUEUE],
  }),
];

const CONNECTIONS: readonly Act[] = [
  act('GET /connections', '/connections'),
  act('GET /connections/:name', '/connections/{connection}', { connection: true }),
  act('DELETE /connections/:name', '/connections/{connection}', { connection: true }),
  act('GET /connections/:name/channels', '/connections/{connection}/channels', {
    connection: true,
  }),
  act('GET /connections/username/:user', `/connections/username/${OTHER}`, { connection: true }),
  act('DELETE /connections/username/:user', `/connections/username/${OTHER}`, {
    connection: true,
  }),
  act('GET /vhosts/:vhost/connections', `/vhosts/${VHOST}/connections`),
  act('GET /vhosts/:vhost/channels', `/vhosts/${VHOST}/channels`),
  act('GET /channels', '/channels'),
  act('GET /channels/:name', '/channels/{connection}%20(1)', { connection: true }),
  act('GET /consumers', '/consumers'),
  act('GET /consumers/:vhost', `/consumers/${VHOST}`),
  act('GET /closed', '/closed', { own: true }),
];

/** Every act. */
export const ACTS: readonly Act[] = [
  ...OVERVIEW,
  ...HEALTH,
  ...USERS,
  ...VHOSTS,
  ...PERMISSIONS,
  ...POLICY_ACTS,
  ...PARAMETERS,
  ...DEFINITIONS,
  ...EXCHANGES,
  ...BINDINGS,
  ...QUEUES,
  ...SCHEDULES,
  ...SET_ASIDE,
  ...CONNECTIONS,
];
