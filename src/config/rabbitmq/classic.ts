// Owns RabbitMQ's old config files (rabbitmq.config, advanced.config): it writes what they say as lines of the new
// format. Never judges what a line means here: keys.ts does.

import { parseTerm, type Term, TermFault } from './erlang-terms.ts';

/** A file as lines. */
export interface ClassicFile {
  /** In the order of the file. */
  readonly lines: readonly ClassicLine[];
  /** What has no line in the new format, as `rabbit.some_key`, with the line of the old file. */
  readonly untold: readonly (readonly [name: string, line: number])[];
}

/** A key with its value as a config file writes it, and the line of the old file. */
export type ClassicLine = readonly [key: string, value: string, line: number];

/** What has no line in the new format and changes nothing here, with the reasons. */
const NEEDLESS: readonly (readonly [RegExp, string])[] = [
  [/^(kernel|sasl|os_mon|inets|sysmon_handler)\./, 'there is no Erlang here'],
  [/^(mnesia|ra|aten|osiris)\./, 'the store is another one'],
  [/^lager\./, 'the log goes to standard output alone'],
  [
    /^rabbit\.(msg_store_credit_disc_bound|credit_flow_default_credit|mirroring_flow_control|lazy_queue_.*|backing_queue_module|quorum_commands_soft_limit)$/,
    'the store is another one, with a flow control of its own',
  ],
  [
    /^(management\.sample_retention_policies\.[^.]+|rabbit\.rates_mode)$/,
    'rates are sampled in one way',
  ],
];

/** Why what has no line needs none; null: something may hang on it. */
export function whyNeedless(name: string): string | null {
  return NEEDLESS.find(([pattern]) => pattern.test(name))?.[1] ?? null;
}

/** Whether a text looks like a list of Erlang terms: it begins with one, or with a comment of that format. */
export function looksClassic(text: string): boolean {
  return /^\s*(%|\[)/.test(text);
}

/** Reads a file; throws a TermFault. */
export function readClassic(text: string): ClassicFile {
  if (/^(\s|%[^\n]*(\n|$))*$/.test(text)) return { lines: [], untold: [] };
  const whole = parseTerm(text);
  const lines: ClassicLine[] = [];
  const untold: [string, number][] = [];
  for (const { name: app, value } of pairs(whole)) {
    for (const { name, value: setting } of pairs(value)) {
      const said = linesOf(app, name, setting);
      for (const [key, text, line] of said ?? [[`${app}.${name}`, null, setting.line] as const]) {
        if (text === null) untold.push([key, line]);
        else lines.push([renamed(key), quoted(text), line]);
      }
    }
  }
  return { lines, untold };
}

/** null in place of a value: the new format has no line for it. */
type Lines = (readonly [key: string, value: string | null, line: number])[];

/** Applications whose settings have a prefix of their own in the new format. */
const PREFIXES: ReadonlyMap<string, string> = new Map([
  ['rabbit', ''],
  ['rabbitmq_management', 'management.'],
  ['rabbitmq_management_agent', 'management_agent.'],
  ['rabbitmq_prometheus', 'prometheus.'],
  ['rabbitmq_mqtt', 'mqtt.'],
  ['rabbitmq_stomp', 'stomp.'],
  ['rabbitmq_stream', 'stream.'],
  ['rabbitmq_web_mqtt', 'web_mqtt.'],
  ['rabbitmq_web_stomp', 'web_stomp.'],
  ['rabbitmq_auth_backend_ldap', 'auth_ldap.'],
  ['rabbitmq_auth_backend_http', 'auth_http.'],
  ['rabbitmq_auth_backend_oauth2', 'auth_oauth2.'],
  ['rabbitmq_auth_backend_cache', 'auth_cache.'],
  ['rabbitmq_amqp1_0', 'amqp1_0.'],
  ['rabbitmq_trust_store', 'trust_store.'],
]);

/** Settings of `rabbit` whose lines are not their own names. */
const SPECIAL: ReadonlyMap<string, (value: Term) => Lines | null> = new Map([
  ['rabbit.tcp_listeners', (value) => listeners('listeners.tcp', value)],
  ['rabbit.ssl_listeners', (value) => listeners('listeners.ssl', value)],
  ['rabbitmq_mqtt.tcp_listeners', (value) => listeners('mqtt.listeners.tcp', value)],
  ['rabbitmq_mqtt.ssl_listeners', (value) => listeners('mqtt.listeners.ssl', value)],
  ['rabbitmq_stomp.tcp_listeners', (value) => listeners('stomp.listeners.tcp', value)],
  ['rabbitmq_stomp.ssl_listeners', (value) => listeners('stomp.listeners.ssl', value)],
  ['rabbit.loopback_users', (value) => loopbackUsers(value)],
  ['rabbit.auth_mechanisms', (value) => numbered('auth_mechanisms', value)],
  ['rabbit.auth_backends', (value) => numbered('auth_backends', value)],
  ['rabbit.default_permissions', (value) => permissions(value)],
  ['rabbit.default_user_tags', (value) => flags('default_user_tags', value)],
  ['rabbit.vm_memory_high_watermark', (value) => limit('vm_memory_high_watermark', value)],
  ['rabbit.disk_free_limit', (value) => limit('disk_free_limit', value)],
  ['rabbit.cluster_nodes', (value) => clusterNodes(value)],
  ['rabbit.log_levels', (value) => logLevels(value)],
  ['rabbit.num_tcp_acceptors', (value) => single('num_acceptors.tcp', value)],
  ['rabbit.num_ssl_acceptors', (value) => single('num_acceptors.ssl', value)],
  ['rabbit.cluster_partition_handling', (value) => single('cluster_partition_handling', value)],
  ['rabbitmq_management.listener', (value) => nested('management.listener', value)],
  ['rabbitmq_management.tcp_config', (value) => nested('management.tcp', value)],
  [
    'rabbitmq_management.cors_allow_origins',
    (value) => numbered('management.cors.allow_origins', value),
  ],
  ['rabbitmq_management.cors_max_age', (value) => single('management.cors.max_age', value)],
  ['rabbitmq_management.ssl_config', (value) => nested('management.ssl', value)],
  ['rabbitmq_prometheus.tcp_config', (value) => nested('prometheus.tcp', value)],
  ['rabbitmq_prometheus.ssl_config', (value) => nested('prometheus.ssl', value)],
  ['kernel.net_ticktime', (value) => single('net_ticktime', value)],
  ['kernel.inet_dist_listen_min', (value) => single('distribution.listener.port_range.min', value)],
  ['kernel.inet_dist_listen_max', (value) => single('distribution.listener.port_range.max', value)],
]);

/** The lines of one setting, or null: the new format has none for it. */
function linesOf(app: string, name: string, value: Term): Lines | null {
  const special = SPECIAL.get(`${app}.${name}`);
  if (special !== undefined) return special(value);
  if (whyNeedless(`${app}.${name}`) !== null) return null;
  const prefix = PREFIXES.get(app);
  if (prefix !== undefined) return nested(`${prefix}${name}`, value);
  // An empty list, as of shovels, asks for nothing.
  return value.is === 'list' && value.items.length === 0 ? [] : null;
}

/** Keys that the new format has shorter. */
function renamed(key: string): string {
  return key
    .replace(/^log\.(console|exchange|file|journald|syslog)\.enabled$/, 'log.$1')
    .replace(/^log\.file\.file$/, 'log.file')
    .replace(/^log\.categories\./, 'log.');
}

/** A value, or a list of pairs with keys below this one; a part without a line takes no other with it. */
function nested(key: string, value: Term): Lines | null {
  if (key.endsWith('.linger') && value.is === 'tuple' && value.items.length === 2) {
    return all(value.items, (item, at) => single(`${key}.${at === 0 ? 'on' : 'timeout'}`, item));
  }
  if (value.is !== 'list') return single(key, value);
  if (value.items.length === 0) return [];
  if (value.items.every((item) => pairOf(item) !== null)) {
    return pairs(value).flatMap(({ name, value: part }) => {
      const below = `${key}.${name}`;
      return nested(below, part) ?? [[below, null, part.line] as const];
    });
  }
  return numbered(key, value);
}

function single(key: string, value: Term): Lines | null {
  const text = plain(value);
  return text === null ? null : [[key, text, value.line]];
}

/** The text of a value, or null: it is made of others. */
function plain(value: Term): string | null {
  switch (value.is) {
    case 'atom':
      return value.name;
    case 'string':
      return value.text;
    case 'number':
      return String(value.value);
    default:
      return null;
  }
}

/** Quotes what a config file would not read as it is. */
function quoted(text: string): string {
  return text === '' || /#|^\s|\s$|^'/.test(text) ? `'${text}'` : text;
}

function numbered(key: string, value: Term): Lines | null {
  if (value.is !== 'list') return single(key, value);
  return all(value.items, (item, at) => single(`${key}.${at + 1}`, item));
}

/** Ports, and addresses with ports. */
function listeners(key: string, value: Term): Lines | null {
  if (value.is !== 'list') return null;
  if (value.items.length === 0) return [[key, 'none', value.line]];
  return all(value.items, (item, at) => {
    const name = `${key}.${at === 0 ? 'default' : at + 1}`;
    if (item.is === 'number') return single(name, item);
    if (item.is !== 'tuple' || item.items.length !== 2) return null;
    const [host, port] = item.items as [Term, Term];
    if (host.is !== 'string' || port.is !== 'number') return null;
    return [[name, `${host.text}:${port.value}`, item.line]];
  });
}

function loopbackUsers(value: Term): Lines | null {
  if (value.is !== 'list') return null;
  if (value.items.length === 0) return [['loopback_users', 'none', value.line]];
  return flags('loopback_users', value);
}

function flags(key: string, value: Term): Lines | null {
  if (value.is !== 'list') return null;
  return all(value.items, (item) => {
    const name = plain(item);
    return name === null ? null : [[`${key}.${name.replaceAll('.', '\\.')}`, 'true', item.line]];
  });
}

function permissions(value: Term): Lines | null {
  if (value.is !== 'list' || value.items.length !== 3) return null;
  const rights = ['configure', 'write', 'read'];
  return all(value.items, (item, at) => single(`default_permissions.${rights[at]}`, item));
}

/** A number: of bytes, or a part of memory; or a pair that says which. */
function limit(key: string, value: Term): Lines | null {
  const pair = pairOf(value);
  if (pair !== null) {
    const kind = pair.name === 'absolute' ? 'absolute' : 'relative';
    return single(`${key}.${kind}`, pair.value);
  }
  if (value.is === 'number' && key === 'vm_memory_high_watermark') {
    return single(`${key}.relative`, value);
  }
  return single(`${key}.absolute`, value);
}

function clusterNodes(value: Term): Lines | null {
  const nodes = value.is === 'tuple' ? value.items[0] : value;
  return nodes === undefined ? null : numbered('cluster_formation.classic_config.nodes', nodes);
}

function logLevels(value: Term): Lines | null {
  return all(pairs(value), (pair) => single(`log.${pair.name}.level`, pair.value));
}

/** The lines of all parts, or null: one of them has none. */
function all<T>(parts: readonly T[], lines: (part: T, at: number) => Lines | null): Lines | null {
  const found = parts.map(lines);
  return found.includes(null) ? null : found.flatMap((each) => each ?? []);
}

interface Pair {
  readonly name: string;
  readonly value: Term;
}

/** `{name, value}`, or null. */
function pairOf(term: Term): Pair | null {
  if (term.is !== 'tuple' || term.items.length !== 2) return null;
  const [name, value] = term.items as [Term, Term];
  return name.is === 'atom' ? { name: name.name, value } : null;
}

/** The pairs of a list; throws a TermFault for what is none. */
function pairs(term: Term): readonly Pair[] {
  if (term.is !== 'list') throw noPairs(term);
  return term.items.map((item) => {
    const pair = pairOf(item);
    if (pair === null) throw noPairs(item);
    return pair;
  });
}

function noPairs({ line }: Term): TermFault {
  return new TermFault(line, 'a list of {name, value} is expected');
}
