// Owns the one table of settings: `Settings`, `--help`, the docs page and the loader come from it.
// Never reads a file, a variable or a flag: that is load.ts.

import { CLUSTER_SETTINGS } from './cluster/cluster-settings.ts';
import { MANAGEMENT_SETTINGS } from './management-settings.ts';
import { listeners } from './map-setting.ts';
import { RESOURCE_SETTINGS } from './resource-settings.ts';
import {
  boolean,
  choice,
  integer,
  names,
  pattern,
  type Setting,
  type Spelling,
  text,
} from './setting.ts';
import { TLS_SETTINGS } from './tls-settings.ts';

/**
 * Every setting, by the field it fills in `Settings`. Each can be set by its key in a config file,
 * by the variable `LEVERET_<KEY>` (dots become underscores), and some by a flag.
 */
export const SETTINGS = {
  tcpListeners: listeners({
    key: 'listeners.tcp',
    about:
      'Where to listen for AMQP connections, as `listeners.tcp.<name>`; `none` for nowhere. ' +
      'A port alone keeps the host.',
    initial: new Map([['default', { host: 'localhost', port: 5672 }]]),
    halves: true,
    example: 'listeners.tcp.default = 127.0.0.1:5672',
  }),
  ...TLS_SETTINGS,
  ...MANAGEMENT_SETTINGS,
  dataDir: text({
    key: 'data_dir',
    flag: '--data-dir',
    argument: '<folder>',
    about: 'The folder for durable data. It is created when it does not exist.',
    initial: './data',
  }),
  memory: boolean({
    key: 'memory',
    flag: '--memory',
    about: 'Keep nothing on disk: every message and declaration ends with the process.',
    initial: false,
  }),
  ...CLUSTER_SETTINGS,
  inContainer: choice({
    key: 'in_container',
    argument: '<when>',
    about:
      'Whether a port alone listens on every interface, as in a container; `auto` where Docker, Podman or ' +
      'Kubernetes run it. Users of `loopback_users` still log in from the same network namespace only.',
    initial: 'auto',
    words: { auto: 'auto', true: 'true', false: 'false' } as const,
  }),
  logLevel: choice({
    key: 'log.level',
    flag: '--log-level',
    about: 'The least severe log lines to write.',
    initial: 'info',
    words: {
      trace: 'trace',
      debug: 'debug',
      info: 'info',
      notice: 'info',
      warning: 'warn',
      warn: 'warn',
      error: 'error',
      critical: 'fatal',
      alert: 'fatal',
      emergency: 'fatal',
      fatal: 'fatal',
      none: 'silent',
      silent: 'silent',
    } as const,
  }),
  logConsole: boolean({
    key: 'log.console',
    about: 'Whether to log; to standard output, which is the only place.',
    initial: true,
  }),
  logFormatter: choice({
    key: 'log.console.formatter',
    flag: '--log-format',
    argument: '<format>',
    about:
      'The form of log lines: `json` for programs, `pretty` for people. `auto` is `pretty` on a terminal and ' +
      '`json` otherwise.',
    initial: 'auto',
    words: { auto: 'auto', json: 'json', pretty: 'pretty', plaintext: 'pretty' } as const,
  }),
  defaultUser: text({
    key: 'default_user',
    foreignVariable: 'RABBITMQ_DEFAULT_USER',
    argument: '<name>',
    about: 'The user made at the very first start, when the data folder is empty.',
    initial: 'guest',
    short: true,
  }),
  defaultPass: text({
    key: 'default_pass',
    foreignVariable: 'RABBITMQ_DEFAULT_PASS',
    argument: '<password>',
    about: 'The password of that user.',
    initial: 'guest',
  }),
  defaultVhost: text({
    key: 'default_vhost',
    foreignVariable: 'RABBITMQ_DEFAULT_VHOST',
    argument: '<name>',
    about: 'The vhost made at the very first start.',
    initial: '/',
    short: true,
  }),
  defaultUserTags: names({
    key: 'default_user_tags',
    short: true,
    about:
      'The tags of that user. `default_user_tags.<tag> = true` adds one, `false` takes it away.',
    initial: ['administrator'],
  }),
  defaultConfigure: pattern({
    key: 'default_permissions.configure',
    about: 'What that user may configure in that vhost: a regular expression.',
    initial: '.*',
  }),
  defaultWrite: pattern({
    key: 'default_permissions.write',
    about: 'What it may write to.',
    initial: '.*',
  }),
  defaultRead: pattern({
    key: 'default_permissions.read',
    about: 'What it may read from.',
    initial: '.*',
  }),
  defaultQueueType: choice({
    key: 'default_queue_type',
    argument: '<type>',
    about: 'The type of queues whose declaration and whose vhost name none.',
    initial: 'classic',
    words: {
      classic: 'classic',
      quorum: 'quorum',
      stream: 'stream',
      rabbit_classic_queue: 'classic',
      rabbit_quorum_queue: 'quorum',
      rabbit_stream_queue: 'stream',
    } as const,
  }),
  loadDefinitions: names({
    key: 'load_definitions',
    about:
      'Files of definitions (JSON, as RabbitMQ exports them) to import at each start, before ' +
      'clients can connect: paths, patterns, or a folder for its `*.json`.',
    initial: [],
  }),
  skipUnchangedDefinitions: boolean({
    key: 'definitions.skip_if_unchanged',
    about: 'Import those files only if one of them has changed since the last time.',
    initial: false,
  }),
  skipUnsupportedDefinitions: boolean({
    key: 'definitions.skip_unsupported',
    about:
      'Take those files without what Leveret cannot take, such as exchanges of an unknown type, and log what was ' +
      'left out; else such a file stops the start.',
    initial: false,
  }),
  loopbackUsers: names({
    key: 'loopback_users',
    short: true,
    about:
      'Users who may connect from this machine only. ' +
      '`loopback_users.<name> = false` removes one from the list; `none` empties it.',
    initial: ['guest'],
  }),
  heartbeatSeconds: integer({
    key: 'heartbeat',
    about: 'The heartbeat interval offered to a connection; 0 offers none.',
    initial: 60,
    min: 0,
    max: 65535,
    unit: 'seconds',
  }),
  frameMaxBytes: integer({
    key: 'frame_max',
    about: 'The largest frame offered to a connection.',
    initial: 131072,
    min: 4096,
    max: 2 ** 27,
    unit: 'bytes',
  }),
  initialFrameMaxBytes: integer({
    key: 'initial_frame_max',
    about: 'The largest frame taken before the connection is tuned; big tokens need more.',
    initial: 8192,
    min: 4096,
    max: 2 ** 27,
    unit: 'bytes',
  }),
  channelMax: integer({
    key: 'channel_max',
    about: 'How many channels a connection may have open at a time; 0 sets no limit.',
    initial: 2047,
    min: 0,
    max: 65535,
  }),
  connectionMax: integer({
    key: 'connection_max',
    about: 'How many connections may be open at a time. More are refused when they log in.',
    initial: Number.POSITIVE_INFINITY,
    min: 0,
    max: 2 ** 31 - 1,
    infinite: true,
  }),
  channelMaxPerNode: integer({
    key: 'channel_max_per_node',
    about: 'How many channels all connections together may have open at a time.',
    initial: Number.POSITIVE_INFINITY,
    min: 1,
    max: 2 ** 31 - 1,
    infinite: true,
  }),
  consumerMaxPerChannel: integer({
    key: 'consumer_max_per_channel',
    about: 'How many consumers one channel may have.',
    initial: Number.POSITIVE_INFINITY,
    min: 1,
    max: 2 ** 31 - 1,
    infinite: true,
  }),
  unackedMaxPerChannel: integer({
    key: 'unacked_max_per_channel',
    about:
      'How many unacked deliveries the consumers of one channel may have together, whatever `basic.qos` says.',
    initial: Number.POSITIVE_INFINITY,
    min: 1,
    max: 2 ** 31 - 1,
    infinite: true,
  }),
  consumerTimeoutMs: integer({
    key: 'consumer_timeout',
    about:
      'How long a delivery may stay unacked. The argument `x-consumer-timeout` of a queue or consumer goes first.',
    initial: 1_800_000,
    min: 1,
    max: 2 ** 31 - 1,
    unit: 'milliseconds',
    infinite: true,
  }),
  consumerTimeoutAction: choice({
    key: 'consumer_timeout_action',
    about:
      'What happens then: the channel is closed, as in RabbitMQ, or its consumer alone is cancelled, or only that ' +
      'message returns to its queue. The argument `x-consumer-timeout-action` of a queue or consumer goes first.',
    initial: 'close_channel',
    words: { close_channel: 'close_channel', cancel: 'cancel', requeue: 'requeue' },
  }),
  handshakeTimeoutMs: integer({
    key: 'handshake_timeout',
    about: 'How long a connection may take to log in and open its vhost.',
    initial: 10_000,
    min: 1,
    max: 3_600_000,
    unit: 'milliseconds',
  }),
  maxMessageBytes: integer({
    key: 'max_message_size',
    about: 'The largest message body taken; a larger one closes its channel.',
    initial: 134_217_728,
    min: 1,
    max: 536_870_912,
    unit: 'bytes',
  }),
  tableDepthMax: integer({
    key: 'field_table_max_depth',
    about:
      'How deep field tables (headers, arguments) may nest. A deeper one closes the connection.',
    initial: 32,
    min: 1,
    max: 250,
  }),
  tableEntriesMax: integer({
    key: 'field_table_max_entries',
    about:
      'How many entries a field table may have, all levels together. A larger one closes the connection.',
    initial: 4096,
    min: 1,
    max: 2 ** 20,
  }),
  maxTransactionBytes: integer({
    key: 'max_transaction_size',
    about: 'The most that one transaction may publish; a larger one closes its channel.',
    initial: 268_435_456,
    min: 1,
    max: 2 ** 40,
    unit: 'bytes',
  }),
  unfinishedMaxBytes: integer({
    key: 'unfinished_max_per_connection',
    about:
      'The most memory that one connection may use, over all its channels, for messages that are not complete or ' +
      'not committed. More closes it. At least twice `max_message_size` is allowed.',
    initial: 268_435_456,
    min: 1,
    max: 2 ** 40,
    unit: 'bytes',
  }),
  unfinishedTimeoutMs: integer({
    key: 'unfinished_timeout',
    about:
      'A connection that began a message or a frame is closed when nothing more of it has come for this long.',
    initial: 120_000,
    min: 1000,
    max: 2 ** 31 - 1,
    unit: 'milliseconds',
    infinite: true,
  }),
  outboxHighWatermarkBytes: integer({
    key: 'outbox_high_watermark',
    about: 'Deliveries to a connection pause while this much waits for its socket.',
    initial: 2 ** 20,
    min: 4096,
    max: 2 ** 30,
    unit: 'bytes',
  }),
  ...RESOURCE_SETTINGS,
  commitTimeoutMs: integer({
    key: 'commit_timeout',
    about: 'The broker stops when the disk has not finished a commit after this long.',
    initial: 30_000,
    min: 1,
    max: 3_600_000,
    unit: 'milliseconds',
  }),
  shutdownTimeoutMs: integer({
    key: 'shutdown_timeout',
    about: 'How long a stop may take before the process gives up on it.',
    initial: 10_000,
    min: 1,
    max: 3_600_000,
    unit: 'milliseconds',
  }),
  tcpBacklog: integer({
    key: 'tcp_listen_options.backlog',
    about: 'How many connections the system may hold before the broker accepts them.',
    initial: 1024,
    min: 1,
    max: 65535,
  }),
  sendTimeoutMs: integer({
    key: 'tcp_listen_options.send_timeout',
    about: 'A connection is closed when its peer has taken nothing of a write for this long.',
    initial: 30_000,
    min: 1000,
    max: 2 ** 31 - 1,
    unit: 'milliseconds',
    infinite: true,
    example: 'tcp_listen_options.send_timeout = 60000',
  }),
  tcpKeepalive: boolean({
    key: 'tcp_listen_options.keepalive',
    about: 'Have the system ask peers that are silent whether they are there (SO_KEEPALIVE).',
    initial: false,
  }),
  tcpNodelay: boolean({
    key: 'tcp_listen_options.nodelay',
    about: 'Send small packets at once (TCP_NODELAY).',
    initial: true,
  }),
};

type Table = typeof SETTINGS;

/** What the broker runs with: one field a row of the table. No limit is `Infinity`. */
export type Settings = {
  readonly [Field in keyof Table]: Table[Field] extends Setting<infer T> ? T : never;
};

/** The settings when nothing sets any. */
export function defaultSettings(): Settings {
  const fields = Object.entries(SETTINGS).map(([field, row]) => [field, row.initial]);
  return Object.fromEntries(fields) as Settings;
}

/** All flags of `leveret start` that the table gives. */
export const FLAGS: readonly Spelling<unknown>[] = Object.values(SETTINGS).flatMap(
  (row: Setting<unknown>) => row.flags,
);
