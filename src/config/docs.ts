// Owns what people read about the settings: their groups, docs/configuration.md and the list in `--help`. Never
// holds a fact about a setting itself: the table does.

import type { Setting } from './setting.ts';
import { SETTINGS } from './settings.ts';

const ROWS: readonly Setting<unknown>[] = Object.values(SETTINGS);

/** The list of config file keys that ends `leveret start --help`. */
export function renderHelp(): string {
  const lines = grouped().flatMap(({ group, rows }) => [
    '',
    `${group.title}:`,
    ...rows.flatMap((row) => [
      `  ${row.key} = ${row.show(row.initial)}`,
      `      ${row.about.replaceAll('`', '')}`,
      `      Expects ${row.expects}.`,
    ]),
  ]);
  return [
    '',
    'Config file keys with their defaults; each may also come from the environment as',
    'LEVERET_<KEY>, in capitals and with underscores for dots (LEVERET_LOG_LEVEL):',
    ...lines,
  ].join('\n');
}

/** The whole of docs/configuration.md. */
export function renderPage(): string {
  const sections = grouped().map(
    ({ group, rows }) =>
      `### ${group.title}\n\n${group.about}\n\n${TABLE_HEAD}\n${rows.map(tableRow).join('\n')}\n`,
  );
  return `${HEAD}\n${sections.join('\n')}${TAIL}`;
}

/** The settings by group, in the order of the groups and within one in that of the table. */
function grouped() {
  return GROUPS.map((group) => ({
    group,
    rows: ROWS.filter((row) => groupOf(row.key) === group),
  }));
}

function tableRow(row: Setting<unknown>): string {
  const flags = row.flags.map(({ name, argument }) => code(`${name} ${argument}`.trim()));
  const variables = row.variables.map(({ name }) => code(name));
  const ways = [...variables.reverse(), ...flags].join(', ');
  const cells = [code(row.key), code(row.show(row.initial)), capital(row.expects), ways, row.about];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

const TABLE_HEAD = `| key | default | value | environment, flag | what it does |
|---|---|---|---|---|`;

const HEAD = `<!-- Made from src/config/settings.ts. Renew it with: npx vitest run test/config/docs.test.ts -u -->

# Configuration

Leveret runs without any configuration. Settings are read in this order; a later one wins over an
earlier one:

1. the defaults below;
2. config files: those given with \`--config\`, in order of name, or those [found on the machine](#files-without---config);
3. environment variables;
4. flags of \`leveret start\`.

A mistake in any of them ends the start. Each mistake is one line that names the file, the line and the key.

## Settings
`;

const TAIL = `
## Config files

The format is that of \`rabbitmq.conf\`, and a setting that RabbitMQ has too goes by the same key:

\`\`\`ini
# A line that starts with # is a comment.
listeners.tcp.default = 0.0.0.0:5672
heartbeat = 30             # so is the rest of this line
default_pass = 'pa#s word' # quotes keep the # and the space
loopback_users.guest = false
\`\`\`

- \`--config\` accepts paths and patterns: \`leveret start --config /etc/leveret/*.conf\`. A path or a
  pattern that finds no file is an error.
- One start reports all wrong lines of all files, each with its file and line and, for a mistyped key,
  with the nearest key.
- A value may take a part from the environment: \`default_pass = $(MQ_PASS)\`, or from another key.
- A file of RabbitMQ may be taken as it is. Keys that change nothing here, such as \`cluster_formation.*\`, \`log.file.*\` or
  \`raft.*\`, are named in one warning at the start, with the reasons; nodes of Leveret form a cluster by \`cluster.*\`. Some stand for a setting of another name:
  \`log.console.level\` and \`log.default.level\` for \`log.level\`, \`management.load_definitions\` and \`definitions.local.path\`
  for \`load_definitions\`, \`management.listener.port\` and \`.ip\` for \`management.tcp.port\` and \`.ip\`. Keys that must not be
  ignored, since what is safe or served hangs on them, are refused with the reason: other backends of users, other
  protocols, \`proxy_protocol\`, \`credential_validator.*\`, and some about TLS.
- When a key is set twice, the last one wins, across files too.
- Files are UTF-8, of at most 1 MiB. Control characters other than tabs are refused, with the line.
- \`listeners.tcp\` and \`listeners.ssl\` may have several members: \`listeners.tcp.local = 127.0.0.1:5673\`.
  The first that is set takes the place of the default. \`--port\` and \`--host\`, and their variables,
  are for \`listeners.tcp.default\`.
- Lists have numbered members (\`auth_mechanisms.1 = PLAIN\`); here too, the first that is set takes the
  place of the default.
- Two keys differ a little from RabbitMQ's. A port alone in \`listeners.tcp.default\` keeps the host,
  which is \`localhost\` (127.0.0.1 and ::1) until you set another, where RabbitMQ would listen on every interface; in a
  container (\`in_container\`) it is \`*\`, every interface. And
  \`loopback_users.<name> = true\` adds to the list, so \`guest\` stays on it until it is taken off.

## Environment

Every key has a variable: \`LEVERET_\` and the key in capitals, with underscores for dots. An empty
variable counts as not set. \`RABBITMQ_DEFAULT_USER\`, \`RABBITMQ_DEFAULT_PASS\` and
\`RABBITMQ_DEFAULT_VHOST\` work as they do for RabbitMQ's container image; the \`LEVERET_\` variable
wins over them. An unknown \`LEVERET_\` variable is logged as a warning.

These variables of RabbitMQ and its images are read too:

| variable | what it sets |
|---|---|
| \`RABBITMQ_NODE_PORT\`, \`RABBITMQ_NODE_IP_ADDRESS\` | port and address of \`listeners.tcp.default\` |
| \`RABBITMQ_NODENAME\` | \`node.name\` |
| \`RABBITMQ_DEFAULT_USER_FILE\`, \`..._PASS_FILE\`, \`..._VHOST_FILE\` | files that have the value, as Docker's secrets |
| \`RABBITMQ_MNESIA_DIR\`, \`RABBITMQ_MNESIA_BASE\` | \`data_dir\`: a folder \`leveret\` in it |
| \`RABBITMQ_LOG\` | \`log.level\` |
| \`RABBITMQ_VM_MEMORY_HIGH_WATERMARK\` | \`vm_memory_high_watermark.relative\` or \`.absolute\` |
| \`RABBITMQ_LOAD_DEFINITIONS\` | \`load_definitions\`, where it is a path |
| \`RABBITMQ_SSL_*\`, \`RABBITMQ_MANAGEMENT_SSL_*\` | \`ssl_options.*\`, \`management.ssl.*\` and ports 5671 and 15671, as old images did |
| \`RABBITMQ_CONFIG_FILE\`, \`RABBITMQ_CONFIG_FILES\` | which config files are read without \`--config\` |
| \`RABBITMQ_CONF_ENV_FILE\`, \`RABBITMQ_ADVANCED_CONFIG_FILE\`, \`RABBITMQ_ENABLED_PLUGINS_FILE\` | where these files lie |

All other variables that begin with \`RABBITMQ_\` are named in one warning at the start, with the reason.

## Files without \`--config\`

When no \`--config\` is given, \`LEVERET_CONFIG\` may name the files, with commas between them. Else they are looked for:

1. \`/etc/leveret/leveret.conf\` and \`/etc/leveret/conf.d/*.conf\`. Where one of them exists, nothing of RabbitMQ is read.
2. \`/etc/rabbitmq/rabbitmq.conf\`, then \`/etc/rabbitmq/conf.d/*.conf\`, which win over it.

Beside RabbitMQ's files, plain assignments of \`/etc/rabbitmq/rabbitmq-env.conf\` count as variables, and
\`/etc/rabbitmq/enabled_plugins\` is compared with what is built in. \`/etc/rabbitmq/definitions.json\` is loaded only where
there is no config file, as RabbitMQ's older images did; otherwise name it in \`load_definitions\`. A file in Erlang terms
(\`rabbitmq.config\`, also beside a \`rabbitmq.conf\`, and \`advanced.config\`) stops the start; \`leveret config check FILE\`
prints its settings as lines. A variable that names a file which is not there, or which is not read since \`--config\`,
\`LEVERET_CONFIG\` or a file of Leveret takes its place, is a warning.

\`leveret start --explain-config\` prints every line, variable and flag with what it means here, and every setting with
where it comes from, and starts nothing. \`leveret config check FILE...\` does the same for files alone; \`--json\` is for
scripts, and exit code 1 says that something is wrong. It also reads the certificates, keys and definitions that the files
name; whether definitions fit what a broker has already is found by a start alone.

The first line of the log names the files that were read. \`LEVERET_CONFIG_ROOT\` names another root than \`/\` for the config
files above: with \`/srv/next\` they are looked for in \`/srv/next/etc\`, and with a folder that is not there, such as \`/none\`,
none is read. It changes nothing else: files that settings name, the data folder, and whether this is a container.
A start with \`--stop-with-stdin\`, as tests make it, looks for no file: only what \`--config\`, \`LEVERET_CONFIG\` or
\`LEVERET_CONFIG_ROOT\` names is read.
`;

function code(text: string): string {
  return `\`${text}\``;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Settings that are read together. */
export interface Group {
  /** The heading, as people see it. */
  readonly title: string;
  /** One or two sentences under the heading: when to look here, and which page has more. */
  readonly about: string;
  /** Whole keys, or beginnings of keys that end with a dot. */
  readonly keys: readonly string[];
}

/** All groups, in the order of the page. A key is in the group that has most of its beginning. */
export const GROUPS: readonly Group[] = [
  {
    title: 'Listeners and sockets',
    about: 'Where clients connect, and how their sockets behave.',
    keys: ['listeners.', 'tcp_listen_options.', 'handshake_timeout', 'node.', 'in_container'],
  },
  {
    title: 'TLS and ways to log in',
    about:
      'Encryption for AMQP clients, client certificates and SASL mechanisms. See [tls.md](tls.md).',
    keys: [
      'listeners.ssl',
      'ssl_options.',
      'ssl_',
      'auth_mechanisms',
      'anonymous_login_user',
      'loopback_users',
    ],
  },
  {
    title: 'HTTP API and web UI',
    about:
      'The port of the management API, the web UI and AMQP over WebSocket. See [http-api.md](http-api.md) and [web-ui.md](web-ui.md).',
    keys: ['management.', 'collect_statistics_interval'],
  },
  {
    title: 'Metrics',
    about: 'The port that Prometheus scrapes. See [metrics.md](metrics.md).',
    keys: ['prometheus.'],
  },
  {
    title: 'Data and stopping',
    about:
      'Where messages and definitions are kept, and how long a write or a stop may take. See [storage.md](storage.md).',
    keys: ['data_dir', 'memory', 'commit_timeout', 'shutdown_timeout'],
  },
  {
    title: 'Logging',
    about: 'What is logged, and in which form. See [logging.md](logging.md).',
    keys: ['log.'],
  },
  {
    title: 'The first start: user, vhost, definitions',
    about:
      'The default user and vhost are made once, when the data folder is empty. See [managing.md](managing.md).',
    keys: ['default_', 'load_definitions', 'definitions.'],
  },
  {
    title: 'Limits for clients',
    about: 'What one connection, channel, consumer or message may take.',
    keys: [
      'heartbeat',
      'frame_max',
      'initial_frame_max',
      'channel_max',
      'connection_max',
      'channel_max_per_node',
      'consumer_',
      'unacked_max_per_channel',
      'max_message_size',
      'max_transaction_size',
      'field_table_',
      'unfinished_',
      'outbox_high_watermark',
    ],
  },
  {
    title: 'Memory, disk and flow control',
    about: 'When publishers are held back. See [alarms.md](alarms.md).',
    keys: [
      'vm_memory_',
      'total_memory_available_override_value',
      'memory_monitor_interval',
      'disk_free_limit.',
      'flow.',
    ],
  },
  {
    title: 'Several nodes',
    about:
      'One broker on several machines, over a replicated log: one node leads, the others follow and take its place. ' +
      'All of it is read at a start.',
    keys: ['cluster.'],
  },
];

/**
 * The group of a setting.
 *
 * @param key the setting's key in config files
 * @returns its group, or undefined for a key that is in none (a test demands that there is none)
 */
export function groupOf(key: string): Group | undefined {
  let best: Group | undefined;
  let length = 0;
  for (const group of GROUPS) {
    for (const start of group.keys) {
      const fits = /[._]$/.test(start) ? key.startsWith(start) : key === start;
      if (fits && start.length > length) {
        best = group;
        length = start.length;
      }
    }
  }
  return best;
}
