// Owns which kinds the Go programs that talk to RabbitMQ decode its answers into: rabbit-hole (the client of the
// Terraform provider and of the Kubernetes operators) and the input `rabbitmq` of Telegraf. Never decodes one.

import type { GoFields, GoKind } from './go-decoder.ts';

const list = (kind: GoKind): GoKind => ({ list: kind });
const map = (kind: GoKind): GoKind => ({ map: kind });
const object = (fields: GoFields): GoKind => ({ fields });

/** The same kind for several names, divided by blanks. */
function each(names: string, kind: GoKind): GoFields {
  return Object.fromEntries(names.split(/\s+/).map((name) => [name, kind]));
}

/** Counters of a kind, each with its rate in NAME_details. */
function counted(names: string, kind: GoKind, details: GoKind): GoFields {
  const rates = names.split(/\s+/).map((name) => `${name}_details`);
  return { ...each(names, kind), ...each(rates.join(' '), details) };
}

const RATE = object({ rate: 'float', samples: list(object(each('sample timestamp', 'int64'))) });
/** RabbitMQ gives samples of a mean with a fraction: rabbit-hole, which has whole numbers there, never asks for them. */
const MEAN = object({
  rate: 'float',
  samples: list(object({ sample: 'float', timestamp: 'int64' })),
});
const RATE_ALONE = object({ rate: 'float' });
const ARGUMENTS = map('any');
const NAMED = each('name vhost', 'string');
const PEER: GoFields = { name: 'string', peer_port: 'port', peer_host: 'string' };

const LENGTHS = counted('messages messages_ready messages_unacknowledged', 'int', RATE);
const OCTETS: GoFields = {
  ...each('recv_oct send_oct recv_cnt send_cnt send_pend', 'uint'),
  ...each('recv_oct_details send_oct_details', RATE),
};
const MESSAGE_STATS = object(
  counted(
    'publish deliver deliver_noack deliver_get redeliver get get_no_ack ack return_unroutable drop_unroutable',
    'int64',
    RATE,
  ),
);
const FLOW = object(counted('publish_in publish_out', 'int', RATE));
const CHANNEL_DETAILS: GoFields = {
  ...each('connection_name name node peer_host user', 'string'),
  ...each('number peer_port', 'uint'),
};
const CONSUMER: GoFields = {
  arguments: ARGUMENTS,
  ...each('ack_required active exclusive', 'bool'),
  ...each('active_status consumer_tag', 'string'),
  prefetch_count: 'uint',
  channel_details: object(CHANNEL_DETAILS),
  queue: object(NAMED),
};

const QUEUE: GoFields = {
  ...each('name type vhost node state leader exclusive_consumer_tag policy', 'string'),
  ...each('durable exclusive', 'bool'),
  auto_delete: 'flag',
  arguments: ARGUMENTS,
  ...each('members online', list('string')),
  ...each('memory active_consumers', 'int64'),
  consumers: 'int',
  consumer_utilisation: 'float',
  consumer_details: list(object(CONSUMER)),
  garbage_collection: object(
    each('fullsweep_after max_heap_size min_bin_vheap_size min_heap_size minor_gcs', 'int'),
  ),
  ...each('message_bytes message_bytes_persistent message_bytes_ram', 'int64'),
  ...each('message_bytes_ready message_bytes_unacknowledged', 'int64'),
  ...each('messages_persistent messages_ram', 'int'),
  ...LENGTHS,
  message_stats: MESSAGE_STATS,
  owner_pid_details: object(PEER),
  backing_queue_status: object({
    ...each('q1 q2 q3 q4', 'int'),
    ...each('len pending_acks ram_msg_count ram_ack_count persistent_count', 'int64'),
    ...each('avg_ingress_rate avg_egress_rate avg_ack_ingress_rate avg_ack_egress_rate', 'float'),
  }),
};
const EXCHANGE: GoFields = {
  ...each('name vhost type', 'string'),
  ...each('durable internal', 'bool'),
  auto_delete: 'flag',
  arguments: ARGUMENTS,
  message_stats: FLOW,
};
const EXCHANGE_DETAILS: GoFields = {
  ...EXCHANGE,
  incoming: list(
    object({
      stats: MESSAGE_STATS,
      channel_details: object({ ...PEER, number: 'int', connection_name: 'string' }),
    }),
  ),
  outgoing: list(object({ stats: MESSAGE_STATS, queue: object(NAMED) })),
};
const BINDING: GoFields = {
  ...each('source vhost destination destination_type routing_key properties_key', 'string'),
  arguments: ARGUMENTS,
};
const VHOST: GoFields = {
  ...each('name description', 'string'),
  tags: list('string'),
  tracing: 'bool',
  ...LENGTHS,
  ...OCTETS,
  cluster_state: map('string'),
};
const USER: GoFields = {
  ...each('name password_hash hashing_algorithm', 'string'),
  tags: 'tags',
};
const PERMISSION = each('user vhost configure write read', 'string');
const TOPIC_PERMISSION = each('user vhost exchange write read', 'string');
const PARAMETER: GoFields = { ...each('name vhost component', 'string'), value: 'any' };
const GLOBAL_PARAMETER: GoFields = { name: 'string', value: 'any' };
const POLICY: GoFields = {
  ...each('vhost pattern apply-to name', 'string'),
  priority: 'int',
  definition: map('any'),
};
const CONNECTION: GoFields = {
  ...each('name node state type host peer_host last_blocked_by last_blocked_age', 'string'),
  ...each('peer_cert_subject peer_cert_validity peer_cert_issuer', 'string'),
  ...each('ssl_protocol ssl_key_exchange ssl_cipher ssl_hash protocol user vhost', 'string'),
  ...each('channels timeout frame_max', 'int'),
  ...each('port peer_port', 'port'),
  ssl: 'bool',
  client_properties: map('any'),
  ...OCTETS,
  connected_at: 'uint',
};
const CHANNEL: GoFields = {
  ...each('number prefetch_count consumer_count messages_unacknowledged', 'int'),
  ...each('messages_unconfirmed messages_uncommitted acks_uncommitted', 'int'),
  ...each('idle_since name user vhost node', 'string'),
  ...each('confirm transactional client_flow_blocked', 'bool'),
  connection_details: object(PEER),
};

const DESCRIBED = each('name description', 'string');
const CONTEXT: GoFields = {
  ...each('node description path', 'string'),
  port: 'port',
  ignore_in_use: 'bool',
};
const NODE: GoFields = {
  ...each('name type os_pid', 'string'),
  ...each('running mem_alarm disk_free_alarm', 'bool'),
  ...counted('fd_used proc_used sockets_used mem_used disk_free', 'int', RATE),
  ...each('fd_total proc_total sockets_total mem_limit disk_free_limit', 'int'),
  ...counted(
    'gc_num gc_bytes_reclaimed context_switches connection_created connection_closed channel_created ' +
      'channel_closed queue_declared queue_created queue_deleted io_read_count io_write_count io_write_bytes ' +
      'io_sync_count io_seek_count io_reopen_count io_file_handle_open_attempt_count mnesia_ram_tx_count ' +
      'mnesia_disk_tx_count msg_store_read_count msg_store_write_count queue_index_journal_write_count ' +
      'queue_index_write_count queue_index_read_count',
    'uint',
    RATE,
  ),
  ...counted('io_read_avg_time io_write_avg_time io_sync_avg_time io_seek_avg_time', 'float', MEAN),
  ...each('run_queue processors', 'uint32'),
  uptime: 'uint',
  ...each(
    'exchange_types auth_mechanisms',
    list(object({ ...DESCRIBED, enabled: 'bool', version: 'string' })),
  ),
  applications: list(object({ ...DESCRIBED, version: 'string' })),
  contexts: list(object(CONTEXT)),
  partitions: list('string'),
  cluster_links: list(object({ stats: object(OCTETS), ...each('send_bytes recv_bytes', 'uint') })),
  metrics_gc_queue_length: object(
    each(
      'connection_closed channel_closed consumer_deleted exchange_deleted queue_deleted vhost_deleted ' +
        'node_node_deleted channel_consumer_deleted',
      'int',
    ),
  ),
};
const OVERVIEW: GoFields = {
  ...each('management_version statistics_level rabbitmq_version erlang_version', 'string'),
  ...each('erlang_full_version node statistics_db_node', 'string'),
  exchange_types: list(object({ ...DESCRIBED, enabled: 'bool' })),
  message_stats: MESSAGE_STATS,
  queue_totals: object(LENGTHS),
  object_totals: object(each('consumers queues exchanges connections channels', 'int')),
  listeners: list(object({ ...each('node protocol ip_address', 'string'), port: 'port' })),
  contexts: list(object(CONTEXT)),
};
const DEFINITIONS: GoFields = {
  ...each('rabbit_version rabbitmq_version product_name product_version', 'string'),
  users: list(object(USER)),
  vhosts: list(object(VHOST)),
  permissions: list(object(PERMISSION)),
  topic_permissions: list(object(TOPIC_PERMISSION)),
  parameters: list(object(PARAMETER)),
  global_parameters: list(object(GLOBAL_PARAMETER)),
  policies: list(map('any')),
  queues: list(object(QUEUE)),
  exchanges: list(object(EXCHANGE)),
  bindings: list(object(BINDING)),
};
const LIMITS: GoFields = { ...each('user vhost', 'string'), value: map('int') };
const FLAG = each('name desc doc_url state stability provided_by', 'string');
const PAGE: GoFields = {
  ...each('page page_count page_size filtered_count item_count total_count', 'int'),
  items: list(object(QUEUE)),
};
const CHECK: GoFields = {
  ...each('status reason', 'string'),
  ...each('port missing', 'uint'),
  ports: list('uint'),
  protocols: list('string'),
  alarms: list(object(each('node resource', 'string'))),
};

/** What rabbit-hole decodes into. */
export const RABBIT_HOLE = {
  overview: object(OVERVIEW),
  node: object(NODE),
  connection: object(CONNECTION),
  channel: object(CHANNEL),
  consumer: object(CONSUMER),
  exchange: object(EXCHANGE),
  exchangeDetails: object(EXCHANGE_DETAILS),
  queue: object(QUEUE),
  queuePage: object(PAGE),
  binding: object(BINDING),
  vhost: object(VHOST),
  user: object(USER),
  whoami: object({ ...each('name auth_backend', 'string'), tags: 'tags' }),
  permission: object(PERMISSION),
  topicPermission: object(TOPIC_PERMISSION),
  policy: object(POLICY),
  parameter: object(PARAMETER),
  globalParameter: object(GLOBAL_PARAMETER),
  limits: object(LIMITS),
  definitions: object(DEFINITIONS),
  featureFlag: object(FLAG),
  clusterName: object({ name: 'string' }),
  check: object(CHECK),
} as const;

const RATES_ALONE = object(
  counted(
    'ack deliver deliver_get publish redeliver publish_in publish_out return_unroutable',
    'int64',
    RATE_ALONE,
  ),
);
const TOTALS: GoFields = {
  ...each('messages messages_ready messages_unacknowledged message_bytes', 'int64'),
  ...each('message_bytes_ready message_bytes_unacknowledged message_bytes_ram', 'int64'),
  message_bytes_persistent: 'int64',
};
const MEMORY: GoFields = {
  ...each('connection_readers connection_writers connection_channels connection_other', 'int64'),
  ...each('queue_procs queue_slave_procs plugins other_proc metrics mgmt_db mnesia', 'int64'),
  ...each('other_ets binary msg_index code atom other_system allocated_unused', 'int64'),
  reserved_unallocated: 'int64',
  total: 'any',
};

/** What Telegraf decodes into. */
export const TELEGRAF = {
  overview: object({
    message_stats: { required: RATES_ALONE },
    object_totals: {
      required: object(each('channels connections consumers exchanges queues', 'int64')),
    },
    queue_totals: { required: object(TOTALS) },
    listeners: list(object({ protocol: 'string' })),
  }),
  queue: object({
    ...TOTALS,
    message_stats: RATES_ALONE,
    ...each('memory consumers head_message_timestamp', 'int64'),
    consumer_utilisation: 'float',
    ...each('name node vhost type idle_since', 'string'),
    ...each('durable auto_delete', 'bool'),
    ...each('slave_nodes synchronised_slave_nodes', list('string')),
  }),
  exchange: object({
    ...each('name type vhost', 'string'),
    ...each('internal durable auto_delete', 'bool'),
    message_stats: RATES_ALONE,
  }),
  node: object({
    name: 'string',
    ...each('disk_free_alarm mem_alarm running', 'bool'),
    ...each('disk_free disk_free_limit fd_total fd_used mem_limit mem_used proc_total', 'int64'),
    ...each('proc_used run_queue sockets_total sockets_used uptime', 'int64'),
    ...counted(
      'mnesia_disk_tx_count mnesia_ram_tx_count gc_num gc_bytes_reclaimed io_read_bytes io_write_bytes',
      'int64',
      RATE_ALONE,
    ),
    ...counted('io_read_avg_time io_write_avg_time', 'float', RATE_ALONE),
  }),
  memory: object({ memory: { required: object(MEMORY) } }),
} as const;
