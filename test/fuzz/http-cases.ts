// Owns making up requests: each route with sound and odd parts, as plain JSON. Never sends one.
import { ROUTES } from '../../src/management/app.ts';
import { Random } from '../amqp/random.ts';
import {
  ODD_BODIES,
  ODD_HEADERS,
  oddDialogue,
  oddJson,
  oddQuery,
  oddSegment,
  oddWebSocket,
} from './odd-json.ts';

export type HttpStep =
  | {
      readonly do: 'request';
      readonly method: string;
      readonly path: string;
      /** One character a byte; null: no body. */
      readonly body: string | null;
      readonly headers: Readonly<Record<string, string>>;
    }
  | { readonly do: 'raw'; readonly port: 'management' | 'metrics'; readonly bytes: string }
  | { readonly do: 'restart'; readonly hard: boolean };

/** Values that a part of a path may have to be found, by the name of the part. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  vhost: ['%2F', 'fz', 'fz'],
  name: ['q', 'e', 'p', 'max-connections', 'max-queues'],
  user: ['u', 'u2'],
  source: ['e', 'amq.direct', 'amq.topic', 'amq.headers'],
  kind: ['q', 'e'],
  destination: ['q', 'e'],
  key: ['~', 'k'],
  component: ['shovel', 'federation-upstream', 'policy', 'x'],
  node: ['x'],
  protocol: ['amqp', 'http'],
  port: ['5672', '1'],
  within: ['1'],
  unit: ['days'],
};

const TEXT = '"q"';
const FIELDS = {
  vhost: { description: TEXT, tags: '"a,b"', default_queue_type: '"classic"', tracing: 'true' },
  user: { password: TEXT, tags: '"management"', password_hash: '"AAAA"', hashing_algorithm: '"x"' },
  rights: { configure: '".*"', write: '".*"', read: '".*"' },
  topic: { exchange: '"amq.topic"', write: '".*"', read: '".*"' },
  value: { value: '5' },
  policy: {
    pattern: '"^q"',
    definition: '{"max-length":5}',
    priority: '1',
    'apply-to': '"queues"',
  },
  parameter: { value: '{"src-uri":"amqp://","src-queue":"q","dest-uri":"amqp://"}' },
  exchange: {
    type: '"topic"',
    durable: 'true',
    auto_delete: 'false',
    internal: 'false',
    arguments: '{}',
  },
  queue: { durable: 'true', auto_delete: 'false', arguments: '{"x-message-ttl":60000}' },
  binding: { routing_key: '"k"', arguments: '{}' },
  publish: {
    properties: '{"headers":{"x-death":[{"queue":"q","count":1}]},"expiration":"50"}',
    routing_key: TEXT,
    payload: '"x"',
    payload_encoding: '"string"',
  },
  get: { ackmode: '"ack_requeue_true"', count: '5', encoding: '"auto"', truncate: '50' },
  redrive: { to: TEXT, count: '3', key: '"*"', header: '"x-death"', cursor: '""' },
  action: { action: '"sync"' },
  names: { users: '["u"]' },
  name: { name: TEXT },
  definitions: {
    users: '[{"name":"u3","password_hash":"","tags":""}]',
    vhosts: '[{"name":"fz"}]',
    permissions: '[{"user":"u","vhost":"fz","configure":"","write":"","read":""}]',
    topic_permissions: '[{"user":"u","vhost":"fz","exchange":"amq.topic","write":"","read":""}]',
    parameters: '[{"component":"shovel","vhost":"fz","name":"s","value":{}}]',
    global_parameters: '[{"name":"g","value":1}]',
    policies:
      '[{"vhost":"fz","name":"p","pattern":"","apply-to":"all","definition":{"max-length":1},"priority":0}]',
    queues: '[{"name":"q2","vhost":"fz","durable":true,"auto_delete":false,"arguments":{}}]',
    exchanges:
      '[{"name":"e2","vhost":"fz","type":"direct","durable":true,"auto_delete":false,"internal":false,"arguments":{}}]',
    bindings:
      '[{"source":"amq.direct","vhost":"fz","destination":"q","destination_type":"queue","routing_key":"","arguments":{}}]',
  },
  path: { path: '[]' },
} as const;

type Fields = Readonly<Record<string, string>>;

/** The fields that a route reads, each with a sound value; a route that is not here gets any. */
const BODIES: readonly (readonly [RegExp, Fields])[] = [
  [/^PUT \/vhosts\/:vhost$/, FIELDS.vhost],
  [/^PUT \/users\/:user$/, FIELDS.user],
  [/^PUT \/permissions/, FIELDS.rights],
  [/^PUT \/topic-permissions/, FIELDS.topic],
  [/^PUT \/(user|vhost)-limits/, FIELDS.value],
  [/^PUT \/(operator-)?policies/, FIELDS.policy],
  [/^PUT \/parameters/, FIELDS.parameter],
  [/^PUT \/global-parameters/, FIELDS.value],
  [/^PUT \/cluster-name/, FIELDS.name],
  [/^PUT \/exchanges/, FIELDS.exchange],
  [/^PUT \/queues/, FIELDS.queue],
  [/^POST \/bindings/, FIELDS.binding],
  [/publish$/, FIELDS.publish],
  [/get$/, FIELDS.get],
  [/redrive$/, FIELDS.redrive],
  [/actions$/, FIELDS.action],
  [/bulk-delete$/, FIELDS.names],
  [/^POST \/definitions/, FIELDS.definitions],
  [/^POST \/backup/, FIELDS.path],
];

const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS', 'PURGE'];

/** Everything that a case may rely on, and that later requests find. */
export const PREPARED: readonly HttpStep[] = [
  request('PUT', '/api/vhosts/fz', '{}'),
  request('PUT', '/api/permissions/fz/guest', '{"configure":".*","write":".*","read":".*"}'),
  request('PUT', '/api/users/u', '{"password_hash":"","tags":""}'),
  ...['%2F', 'fz'].flatMap((vhost) => [
    request('PUT', `/api/queues/${vhost}/q`, '{"durable":true}'),
    request('PUT', `/api/exchanges/${vhost}/e`, '{"type":"topic","durable":true}'),
    request('POST', `/api/bindings/${vhost}/e/e/q/q`, '{"routing_key":"k"}'),
  ]),
];

function request(
  method: string,
  path: string,
  body: string | null,
  headers: Readonly<Record<string, string>> = {},
): HttpStep {
  return { do: 'request', method, path, body, headers };
}

/** Makes the case of one number; the same for the same number. */
export function makeHttpCase(seed: number, hard: boolean): HttpStep[] {
  const random = new Random(seed);
  const steps: HttpStep[] = [];
  for (let n = 10 + random.below(20); n > 0; n--) {
    const step = random.below(8) === 0 ? rawStep(random) : requestStep(random);
    if (!harmsTheFuzzer(step)) steps.push(step);
  }
  steps.push({ do: 'restart', hard: hard && random.bool() });
  return steps;
}

/** What would lock the fuzzer itself out, as an operator may: that is no fault. */
function harmsTheFuzzer(step: HttpStep): boolean {
  if (step.do !== 'request') return false;
  const path = spelledOut(step.path);
  const body = spelledOut(step.body ?? '');
  if (/\/(vhosts|vhost-limits)\/+%2F/i.test(path)) return true;
  return /guest/.test(path) || /guest|vhost-limits/.test(body);
}

/** A path or JSON without the ways to write a letter in other letters; `%2F` stays. */
function spelledOut(text: string): string {
  return text.replace(/(?:%(?!2f)|\\u00)([0-9a-f]{2})/gi, (_, code: string) => {
    return String.fromCharCode(Number.parseInt(code, 16));
  });
}

function rawStep(random: Random): HttpStep {
  if (random.below(4) === 0) {
    return { do: 'raw', port: 'management', bytes: oddWebSocket(random) };
  }
  return { do: 'raw', port: random.pick(['management', 'metrics']), bytes: oddDialogue(random) };
}

/** The routes that take something in, which harm more than those that show it. */
const WRITES = ROUTES.filter(({ method, path }) => fieldsOf(method, path) !== null);

function requestStep(random: Random): HttpStep {
  const route = random.pick(random.below(3) > 0 ? WRITES : ROUTES);
  const sound = random.below(6) > 0;
  const method = sound ? route.method : random.pick(METHODS);
  const path = route.path
    .split('/')
    .map((part) => (part.startsWith(':') ? segment(random, part.slice(1)) : part))
    .join('/');
  const query = random.below(route.method === 'GET' ? 2 : 6) === 0 ? oddQuery(random) : '';
  const bare = random.below(40) === 0 ? `/${random.pick(['', '/', 'x/', '../'])}${path}` : path;
  const headers = random.below(8) === 0 ? random.pick(ODD_HEADERS) : {};
  const body = method === 'GET' || method === 'HEAD' ? null : bodyOf(random, method, route.path);
  return request(method, `/api${bare}${query}`, body, headers);
}

function segment(random: Random, name: string): string {
  const known = PARTS[name];
  if (known === undefined || random.below(3) === 0) return oddSegment(random);
  return random.pick(known);
}

function bodyOf(random: Random, method: string, path: string): string | null {
  const fields = fieldsOf(method, path);
  if (method === 'DELETE' && fields === null && random.below(4) > 0) return null;
  if (random.below(6) === 0) return random.pick(ODD_BODIES)();
  const entries = Object.entries(fields ?? FIELDS.value)
    .filter(() => random.below(8) > 0)
    .map(([key, value]): [string, string] => [key, value]);
  const odd = random.below(entries.length + 1);
  if (entries[odd] !== undefined) entries[odd][1] = oddJson(random);
  if (random.below(6) === 0)
    entries.push([random.pick(['__proto__', 'name', 'vhost', 'node', 'x']), oddJson(random)]);
  const json = `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${inner(random, value)}`).join()}}`;
  return Buffer.from(json).toString('latin1');
}

/** Now and then one of the values inside of a value is odd instead of the whole. */
function inner(random: Random, value: string): string {
  if (random.below(6) > 0 || !/^[[{]./.test(value)) return value;
  const places = [...value.matchAll(/:("[^"]*"|\d+|true|false)/g)];
  if (places.length === 0) return value;
  const { index, 0: found } = random.pick(places);
  return `${value.slice(0, index)}:${oddJson(random)}${value.slice(index + found.length)}`;
}

/** The sound fields of a route, or null when it reads none that is known here. */
export function fieldsOf(method: string, path: string): Fields | null {
  return BODIES.find(([pattern]) => pattern.test(`${method} ${path}`))?.[1] ?? null;
}

/** The path of a route with one part for each name, or with one of them odd. */
export function pathOf(path: string, odd: string | null, at: number): string {
  let n = -1;
  const parts = path.split('/').map((part) => {
    if (!part.startsWith(':')) return part;
    n += 1;
    return odd !== null && n === at ? odd : (PARTS[part.slice(1)]?.[0] ?? 'x');
  });
  return `/api${parts.join('/').replace(/^\/(vhosts|vhost-limits)\/%2F/, '/$1/fz')}`;
}
