// Owns what the variables of RabbitMQ and of its container images mean here: lines of a config file, or nothing.
// Never reads the environment nor a file.

import { suggest } from '../suggest.ts';

/** The texts of variables, by their names. */
export type Texts = ReadonlyMap<string, string>;

/** A line of a config file that a variable stands for; `follows`: the variable does not say so itself. */
export interface VariableLine {
  readonly variable: string;
  readonly key: string;
  readonly value: string;
}

const PREFIX = 'RABBITMQ_';
/** The port of AMQP over TLS, and that of the HTTP API, which old images opened where a certificate was named. */
const TLS_PORT = '5671';
const MANAGEMENT_TLS_PORT = '15671';
/** Our data lies beside that of RabbitMQ, not among it. */
const OWN_FOLDER = 'leveret';

/** Older names of variables of old images. */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ['SSL_CERT_FILE', 'SSL_CERTFILE'],
  ['SSL_KEY_FILE', 'SSL_KEYFILE'],
  ['SSL_CA_FILE', 'SSL_CACERTFILE'],
]);

const LEVELS = /(?:^|,)(debug|info|notice|warning|error|critical|alert|emergency|none)(?:,|$)/;

/** What each variable says, those of old images included. The value may be wrong: the setting says so. */
const LINES: ReadonlyMap<string, (text: string) => readonly (readonly [string, string])[]> =
  new Map([
    ['VM_MEMORY_HIGH_WATERMARK', watermark],
    ['LOG', (text) => lines('log.level', LEVELS.exec(text)?.[1])],
    ['MNESIA_BASE', (text) => [['data_dir', `${text}/${OWN_FOLDER}`]]],
    ['MNESIA_DIR', (text) => [['data_dir', `${text}/${OWN_FOLDER}`]]],
    ['LOAD_DEFINITIONS', (text) => (isPath(text) ? [['load_definitions', text]] : [])],
    ...['SSL', 'MANAGEMENT_SSL'].flatMap((prefix) =>
      ['CACERTFILE', 'CERTFILE', 'KEYFILE', 'VERIFY', 'FAIL_IF_NO_PEER_CERT', 'DEPTH'].map(
        (name): [string, (text: string) => readonly (readonly [string, string])[]] => [
          `${prefix}_${name}`,
          (text) => [[tlsKey(prefix, name), name.startsWith('FAIL') ? truth(text) : text]],
        ],
      ),
    ),
  ]);

function lines(key: string, value: string | undefined): readonly (readonly [string, string])[] {
  return value === undefined ? [] : [[key, value]];
}

/** As the images read it: a part, a percentage, or a size. */
function watermark(text: string): readonly (readonly [string, string])[] {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1];
  if (percent !== undefined)
    return [['vm_memory_high_watermark.relative', String(Number(percent) / 100)]];
  if (/^\d*\.\d+$/.test(text))
    return [['vm_memory_high_watermark.relative', text.replace(/^\./, '0.')]];
  return [['vm_memory_high_watermark.absolute', text]];
}

const isPath = (text: string): boolean => /[/\\]|\.json$/.test(text);

const truth = (text: string): string => (/^(false|no|0|)$/i.test(text) ? 'false' : 'true');

function tlsKey(prefix: string, name: string): string {
  return `${prefix === 'SSL' ? 'ssl_options' : 'management.ssl'}.${name.toLowerCase()}`;
}

/** The lines of a config file that the variables stand for, in an order in which later ones win. */
export function linesOfVariables(texts: Texts): readonly VariableLine[] {
  const found: VariableLine[] = [];
  const say = (variable: string, key: string, value: string): number =>
    found.push({ variable, key, value });
  for (const [variable, text] of texts) {
    for (const [key, value] of LINES.get(nameOf(variable))?.(text) ?? []) say(variable, key, value);
  }
  const named = (key: string): VariableLine | undefined => found.find((each) => each.key === key);
  const tls = named('ssl_options.certfile') ?? named('ssl_options.keyfile');
  if (tls !== undefined) {
    // As the images did: clients have to show a certificate, unless a variable says otherwise.
    say(tls.variable, 'listeners.ssl.default', TLS_PORT);
    if (named('ssl_options.verify') === undefined)
      say(tls.variable, 'ssl_options.verify', 'verify_peer');
    if (named('ssl_options.fail_if_no_peer_cert') === undefined)
      say(tls.variable, 'ssl_options.fail_if_no_peer_cert', 'true');
  }
  const tools = named('management.ssl.certfile') ?? named('management.ssl.keyfile') ?? tls;
  if (tools !== undefined) say(tools.variable, 'management.ssl.port', MANAGEMENT_TLS_PORT);
  return found;
}

/** The name of a variable without what all have in common, in the form of today. */
function nameOf(variable: string): string {
  const name = variable.slice(PREFIX.length);
  return RENAMED.get(name) ?? name;
}

const ERLANG = 'there is no Erlang here';
const CLUSTER = 'it is about clusters of RabbitMQ; for those of Leveret see cluster.log';
const PROGRAMS = 'it is about programs and folders of RabbitMQ';
const LOGS = 'the log goes to standard output alone';
const CLIENTS = 'it is for clients';
const LOG_LEVEL = 'it names no level for all lines';

const WITHOUT_EFFECT: readonly {
  readonly name: RegExp;
  /** With these values nothing is amiss, and nothing is said. */
  readonly soAnyway?: RegExp;
  readonly why: string;
}[] = [
  {
    name: /^(ERLANG_COOKIE|.*_ERL_ARGS|SERVER_START_ARGS|SERVER_CODE_PATH|BOOT_MODULE|IO_THREAD_POOL_SIZE|MAX_NUMBER_OF_(ATOMS|PROCESSES)|DISTRIBUTION_BUFFER_SIZE|SCHEDULER_.*|DEFAULT_ALLOC_ARGS|HIPE_COMPILE|ALLOW_INPUT|DBG|EPMD_.*)$/,
    why: ERLANG,
  },
  {
    name: /^(USE_LONGNAME|DIST_PORT|CTL_DIST_PORT_(MIN|MAX)|NODE_ONLY|NODENAME_TYPE|QUORUM_DIR|STREAM_DIR|FEATURE_FLAGS(_FILE)?|LOG_FF_REGISTRY|START_RABBIT|CLUSTER_.*|NODE_TYPE)$/,
    why: CLUSTER,
  },
  { name: /^LOGS$/, soAnyway: /^-$/, why: LOGS },
  { name: /^(LOG_BASE|SASL_LOGS|UPGRADE_LOG)$/, why: LOGS },
  { name: /^LOG$/, why: LOG_LEVEL },
  { name: /^LOAD_DEFINITIONS$/, why: 'it names no path' },
  {
    name: /^(HOME|BASE|SYS_PREFIX|DATA_DIR|SCRIPTS_DIR|PLUGINS_DIR|PLUGINS_EXPAND_DIR|PID_FILE|KEEP_PID_FILE_ON_EXIT|ENV_LOADED|IGNORE_SIGINT(_FLAG)?|VERSION|PGP_KEY_ID|SERVICE(NAME|_RESTART|_HOSTNAME)|MOTD_FILE|PRODUCT_(NAME|VERSION)|CONSOLE_LOG|GENERATED_CONFIG_DIR|SCHEMA_DIR|MANAGEMENT_ALLOW_WEB_ACCESS|DEFAULT_TOPOLOGY)$/,
    why: PROGRAMS,
  },
  { name: /^(URL|URI|HOST|HOSTNAME|SERVER|AMQP_.*|CONNECTION_.*|QUEUE|EXCHANGE)$/, why: CLIENTS },
];

/** Names that other images and programs have for what a variable sets. */
const MEANT: ReadonlyMap<string, string> = new Map([
  ['USER', 'RABBITMQ_DEFAULT_USER'],
  ['USERNAME', 'RABBITMQ_DEFAULT_USER'],
  ['PASS', 'RABBITMQ_DEFAULT_PASS'],
  ['PASSWORD', 'RABBITMQ_DEFAULT_PASS'],
  ['DEFAULT_PASSWORD', 'RABBITMQ_DEFAULT_PASS'],
  ['DEFAULT_USERNAME', 'RABBITMQ_DEFAULT_USER'],
  ['VHOST', 'RABBITMQ_DEFAULT_VHOST'],
  ['VHOSTS', 'RABBITMQ_DEFAULT_VHOST'],
  ['PORT', 'RABBITMQ_NODE_PORT'],
  ['NODE_PORT_NUMBER', 'RABBITMQ_NODE_PORT'],
  ['NODE_NAME', 'RABBITMQ_NODENAME'],
  ['DEFINITIONS_FILE', 'LEVERET_LOAD_DEFINITIONS'],
  ['MANAGEMENT_PORT', 'LEVERET_MANAGEMENT_TCP_PORT'],
  ['MANAGEMENT_PORT_NUMBER', 'LEVERET_MANAGEMENT_TCP_PORT'],
  ['MANAGEMENT_BIND_IP', 'LEVERET_MANAGEMENT_TCP_IP'],
  ['DISK_FREE_LIMIT', 'LEVERET_DISK_FREE_LIMIT_ABSOLUTE'],
]);

/** Variables that are read where files and users are looked for, not for their own sake. */
export const FILE_VARIABLES = [
  'RABBITMQ_CONFIG_FILE',
  'RABBITMQ_CONFIG_FILES',
  'RABBITMQ_ADVANCED_CONFIG_FILE',
  'RABBITMQ_CONF_ENV_FILE',
  'RABBITMQ_ENABLED_PLUGINS_FILE',
] as const;

/** One of them. */
export type FileVariable = (typeof FILE_VARIABLES)[number];

/** Variables whose file has the value of another one. */
export const VALUE_FILES = [
  'RABBITMQ_DEFAULT_USER_FILE',
  'RABBITMQ_DEFAULT_PASS_FILE',
  'RABBITMQ_DEFAULT_VHOST_FILE',
] as const;

/** Why a variable of RabbitMQ sets nothing; null: it does. `heard` are those that settings go by. */
export function whyUnheard(
  variable: string,
  text: string,
  heard: readonly string[],
): string | null {
  const name = nameOf(variable);
  const known = [...heard, ...FILE_VARIABLES, ...VALUE_FILES];
  if (known.includes(variable)) return null;
  if (LINES.has(name) && (LINES.get(name)?.(text).length ?? 0) > 0) return null;
  const row = WITHOUT_EFFECT.find((each) => each.name.test(name));
  if (row !== undefined) return row.soAnyway?.test(text) === true ? null : row.why;
  const names = [...known, ...[...LINES.keys()].map((each) => `${PREFIX}${each}`)];
  const others = names.filter((each) => each !== variable);
  const meant = MEANT.get(name) ?? suggest(variable, others);
  return meant === null ? 'not known' : `not known; did you mean ${meant}?`;
}

/** Whether a variable is one of RabbitMQ's. */
export const isOfRabbitmq = (variable: string): boolean => variable.startsWith(PREFIX);
