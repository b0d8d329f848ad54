// Owns which fields the bodies of the HTTP API have, each with a sound value and the kind of what it takes. Never
// sends one.

/** What a field takes. */
export type Kind =
  | 'text'
  | 'flag'
  | 'integer'
  | 'number'
  | 'object'
  | 'words'
  | 'list'
  | 'anything'
  | 'plain';

/** A field: its sound value as JSON, and its kind; `null` says that null is as good as not there. */
export type Field = readonly [sound: string, kind: Kind, orNull?: 'null'];

/** The fields of a body by their names. */
export type Fields = Readonly<Record<string, Field>>;

const RIGHTS: Fields = {
  configure: ['".*"', 'text'],
  write: ['".*"', 'text'],
  read: ['".*"', 'text'],
};
const POLICY: Fields = {
  pattern: ['"^none$"', 'text'],
  definition: ['{"max-length":5}', 'object'],
  priority: ['1', 'number'],
  'apply-to': ['"queues"', 'text'],
};
const REPUBLISHED = (property: string, field: Field): readonly [string, Fields] => [
  'POST /exchanges/:vhost/:name/publish',
  {
    [`properties.${property}`]: field,
    routing_key: ['"q"', 'text'],
    payload: ['"x"', 'text'],
    payload_encoding: ['"string"', 'text'],
  },
];
/** Those that are read in a way of their own, and one of those that are not. */
const TEXT_PROPERTIES = ['expiration', 'user_id', 'type'];

/** The bodies that each route takes; what a route takes in several ways is there several times. */
export const BODIES: readonly (readonly [route: string, fields: Fields])[] = [
  [
    'PUT /vhosts/:vhost',
    {
      description: ['"d"', 'text'],
      tags: ['"a,b"', 'words'],
      default_queue_type: ['"classic"', 'text', 'null'],
      tracing: ['false', 'flag'],
    },
  ],
  ['PUT /users/:user', { password: ['"p"', 'text'], tags: ['"management"', 'words'] }],
  [
    'PUT /users/:user',
    {
      password_hash: ['"1sEIm/xnYmGJ0hgXoFXZX/bpnXIBxwsKU1swEE+ueABJ1ksN"', 'text'],
      hashing_algorithm: ['"rabbit_password_hashing_sha256"', 'text'],
      tags: ['["management"]', 'words'],
    },
  ],
  ['PUT /permissions/:vhost/:user', RIGHTS],
  [
    'PUT /topic-permissions/:vhost/:user',
    { exchange: ['"amq.topic"', 'text'], write: ['".*"', 'text'], read: ['".*"', 'text'] },
  ],
  [
    'PUT /topic-permissions/:vhost/:user/:exchange',
    { exchange: ['"amq.topic"', 'text'], write: ['".*"', 'text'], read: ['".*"', 'text'] },
  ],
  ['PUT /vhost-limits/:vhost/:name', { value: ['500', 'integer'] }],
  ['PUT /user-limits/:user/:name', { value: ['500', 'integer'] }],
  ['PUT /policies/:vhost/:name', POLICY],
  ['PUT /operator-policies/:vhost/:name', POLICY],
  ['PUT /parameters/:component/:vhost/:name', { value: ['{"uri":"amqp://u"}', 'anything'] }],
  [
    'PUT /schedules/:vhost/:name',
    {
      cron: ['"0 * * * *"', 'text'],
      time_zone: ['"Europe/Berlin"', 'text', 'null'],
      exchange: ['"amq.topic"', 'text', 'null'],
      routing_key: ['"k"', 'text', 'null'],
      properties: ['{}', 'object', 'null'],
      payload: ['"x"', 'text', 'null'],
      payload_encoding: ['"string"', 'text', 'null'],
    },
  ],
  ['PUT /schedules/:vhost/:name', { every: ['5000', 'integer'] }],
  ['PUT /global-parameters/:name', { value: ['1', 'anything'] }],
  ['PUT /cluster-name', { name: ['"c"', 'text'] }],
  [
    'PUT /exchanges/:vhost/:name',
    {
      type: ['"topic"', 'text'],
      durable: ['true', 'flag'],
      auto_delete: ['false', 'flag'],
      internal: ['false', 'flag'],
      arguments: ['{}', 'object'],
    },
  ],
  [
    'PUT /queues/:vhost/:name',
    {
      durable: ['true', 'flag'],
      auto_delete: ['false', 'flag'],
      arguments: ['{}', 'object'],
    },
  ],
  [
    'POST /bindings/:vhost/e/:source/:kind/:destination',
    { routing_key: ['"k"', 'text'], arguments: ['{}', 'object'] },
  ],
  [
    'POST /exchanges/:vhost/:name/publish',
    {
      properties: ['{}', 'object'],
      routing_key: ['"q"', 'text'],
      payload: ['"x"', 'text'],
      payload_encoding: ['"string"', 'text'],
    },
  ],
  ...TEXT_PROPERTIES.map((name) =>
    REPUBLISHED(name, [name === 'user_id' ? '"guest"' : '"5"', 'text']),
  ),
  ...['delivery_mode', 'priority', 'timestamp'].map((name) => REPUBLISHED(name, ['1', 'integer'])),
  REPUBLISHED('headers', ['{}', 'object']),
  [
    'POST /queues/:vhost/:name/get',
    {
      ackmode: ['"ack_requeue_true"', 'text'],
      count: ['1', 'integer'],
      encoding: ['"auto"', 'text'],
      truncate: ['50', 'integer'],
    },
  ],
  [
    'POST /queues/:vhost/:name/redrive',
    {
      to: ['"q"', 'text'],
      count: ['1', 'integer'],
      rate: ['0', 'integer'],
      key: ['"none"', 'text'],
      header: ['"none"', 'text'],
      cursor: ['""', 'text'],
    },
  ],
  ['POST /queues/:vhost/:name/delayed', { action: ['"send"', 'text'], ids: ['["1-1"]', 'list'] }],
  ['PUT /queues/:vhost/:name/groups/:group', { offset: ['1', 'integer'] }],
  ['PUT /queues/:vhost/:name/groups/:group', { time: ['"2026-01-31T08:00:00Z"', 'text'] }],
  [
    'PUT /super-streams/:vhost/:name',
    { partitions: ['1', 'integer'], arguments: ['{}', 'object'] },
  ],
  ['POST /super-streams/:vhost/:name/partitions', { partitions: ['1', 'integer'] }],
  ['POST /super-streams/:vhost/:name/partitions', { binding_keys: ['["k"]', 'list'] }],
  ['POST /queues/:vhost/:name/actions', { action: ['"sync"', 'text'] }],
  ['POST /users/bulk-delete', { users: ['["none"]', 'list'] }],
  ['PUT /settings/:name', { value: ['"30"', 'plain'] }],
  ['PUT /leveret/listeners', { suspended: ['false', 'flag'] }],
  ['POST /backup', { path: ['""', 'text'] }],
];

/** The fields of one item of each list of definitions. What is not said there may be null. */
export const DEFINITION_LISTS: Readonly<Record<string, Fields>> = {
  users: {
    name: ['"u"', 'text'],
    password_hash: ['"1sEIm/xnYmGJ0hgXoFXZX/bpnXIBxwsKU1swEE+ueABJ1ksN"', 'text', 'null'],
    hashing_algorithm: ['"rabbit_password_hashing_sha256"', 'text', 'null'],
    tags: ['"management"', 'words', 'null'],
    limits: ['{}', 'object', 'null'],
  },
  vhosts: {
    name: ['"v"', 'text'],
    description: ['"d"', 'text', 'null'],
    tags: ['["a"]', 'words', 'null'],
    default_queue_type: ['"classic"', 'text', 'null'],
    tracing: ['false', 'flag', 'null'],
    metadata: ['{}', 'object', 'null'],
  },
  permissions: { user: ['"u"', 'text'], vhost: ['"v"', 'text'], ...RIGHTS },
  topic_permissions: {
    user: ['"u"', 'text'],
    vhost: ['"v"', 'text'],
    exchange: ['"amq.topic"', 'text'],
    write: ['".*"', 'text'],
    read: ['".*"', 'text'],
  },
  parameters: {
    component: ['"federation-upstream"', 'text'],
    vhost: ['"v"', 'text'],
    name: ['"n"', 'text'],
    value: ['{"uri":"amqp://u"}', 'anything'],
  },
  global_parameters: { name: ['"g"', 'text'], value: ['1', 'anything'] },
  policies: { vhost: ['"v"', 'text'], name: ['"p"', 'text'], ...POLICY },
  queues: {
    name: ['"q"', 'text'],
    vhost: ['"v"', 'text'],
    durable: ['true', 'flag', 'null'],
    auto_delete: ['false', 'flag', 'null'],
    arguments: ['{}', 'object', 'null'],
  },
  exchanges: {
    name: ['"e"', 'text'],
    vhost: ['"v"', 'text'],
    type: ['"topic"', 'text'],
    durable: ['true', 'flag', 'null'],
    auto_delete: ['false', 'flag', 'null'],
    internal: ['false', 'flag', 'null'],
    arguments: ['{}', 'object', 'null'],
  },
  bindings: {
    source: ['"amq.topic"', 'text'],
    vhost: ['"v"', 'text'],
    destination: ['"q"', 'text'],
    destination_type: ['"queue"', 'text', 'null'],
    routing_key: ['"k"', 'text', 'null'],
    arguments: ['{}', 'object', 'null'],
  },
};

/** Values of JSON, with the kinds that may take them. Where the kind is right the value may still be wrong. */
export const ODD: readonly (readonly [json: string, ...kinds: Kind[]])[] = [
  ['{"toString":2}', 'object'],
  ['{"__proto__":{"a":1}}', 'object'],
  ['[]', 'words', 'list', 'object'],
  ['["x"]', 'words', 'list'],
  ['[{"toString":2}]'],
  ['0', 'integer', 'number', 'plain'],
  ['1.5', 'number', 'plain'],
  ['1e30', 'plain'],
  ['true', 'flag', 'plain'],
  ['null'],
  ['"x"', 'text', 'words', 'plain'],
  ['"true"', 'text', 'words', 'flag', 'plain'],
];
