// Owns the keys of rabbitmq.conf that are taken and change nothing, with the reasons: nothing that is safe or served
// hangs on them here. Never holds a key that no release of RabbitMQ knows.

const CLUSTER = 'it is about clusters of RabbitMQ; for those of Leveret see cluster.log';
const STORE = 'the store is another one';
const LOGS = 'the log goes to standard output alone, with one level for all lines (log.level)';
const ERLANG = 'there is no Erlang here';
const HTTP = 'the HTTP server has bounds of its own';
const HEADERS = 'the HTTP API sends strict headers of its own, and keeps no sessions';
const RATES = 'rates are sampled in one way';
const SYSTEM = 'Node.js leaves this to the system, or does it always';
const PROTOCOL = 'this protocol is not spoken here';
const PLUGIN = 'this plugin is not here';
const BACKENDS = 'no other backend is asked for users';
const PEERS = 'no file is fetched from elsewhere';

const FORMATTER =
  'formatter(\\.(time_format|level_format|single_line|plaintext\\.format|json\\.(field_map|verbosity_map)))?';
const ROTATION = 'rotation\\.(date|size|count|compress)';
/** What follows `log.`: keys for all, categories, and sinks. Words are listed, so that a mistyped one is found. */
const LOG_KEYS = [
  'dir',
  'summarize_process_state',
  'error_logger_format_depth',
  `(channel|connection|default|federation|feature_flags|ldap|mirroring|prelaunch|queue|ra|shovel|upgrade|user)\\.(level|file|${ROTATION})`,
  `(console|exchange|file|syslog)(\\.(level|${FORMATTER}))?`,
  'console\\.(stdio|use_colors|color_esc_seqs\\.(alert|critical|debug|emergency|error|info|notice|warning))',
  `file\\.${ROTATION}`,
  'journald(\\.(level|fields))?',
  'syslog\\.(identity|facility|multiline_mode|ip|host|port|transport|protocol|ssl_options\\.[a-z_]+(\\.[^.]+)?)',
];

interface WithoutEffect {
  readonly key: RegExp;
  /** With these values alone; left out: with all. */
  readonly value?: RegExp;
  readonly why: string;
}

/** Values of our own settings that RabbitMQ takes too, and that change nothing. */
export const VALUES_WITHOUT_EFFECT: readonly WithoutEffect[] = [
  {
    key: /^ssl_options\.versions\.[^.]+$/,
    value: /^(tlsv1(\.[01])?|sslv[23])$/,
    why: 'no version of TLS before 1.2 is spoken',
  },
  {
    key: /^ssl_options\.secure_renegotiate$/,
    value: /^false$/,
    why: 'renegotiation is always that of RFC 5746',
  },
];

export const WITHOUT_EFFECT: readonly WithoutEffect[] = [
  {
    key: /^cluster_name$/,
    why: 'rabbitmqctl set_cluster_name sets what tools show; cluster.name is another name',
  },
  {
    key: /^cluster_(formation|partition_handling|keepalive_interval)(\..*)?$/,
    why: 'nodes here form a cluster over a replicated log: see cluster.log, cluster.nats.servers and cluster.lease',
  },
  {
    key: /^(cluster_tags|net_ticktime|node_tags|distribution|mirroring_sync_(batch_size|max_throughput)|distributed_cookie)(\..*)?$/,
    why: CLUSTER,
  },
  {
    key: /^(queue_(master|leader)_locator|delegate_count|forced_feature_flags_on_init|prevent_startup_if_node_was_reset|consumer_disconnected_timeout)$/,
    why: CLUSTER,
  },
  {
    key: /^quorum_queue\.property_equivalence\.relaxed_checks_on_redeclaration$/,
    why: 'a queue that is declared again with another type is refused',
  },
  {
    key: /^(mnesia_table_loading_retry_.*|message_store_.*|msg_store_.*|queue_index_.*|(classic_queue|quorum_queue|raft|khepri|metadata_store|queue_types|exchange_types)\..*|vhost_restart_strategy|definitions\.hashing\.algorithm|password_hashing_module)$/,
    why: STORE,
  },
  { key: new RegExp(`^log\\.(${LOG_KEYS.join('|')})$`), why: LOGS },
  {
    key: /^(hipe_compile|background_gc_.*|erlang\..*|num_acceptors\..*|sysmon_handler\..*|socket_writer\..*|default_worker_pool_size|channel_operation_timeout|channel_tick_interval|ssl_allow_poodle_attack|ssl_options\.(bypass_pem_cache|log_alert|log_level)|ranch_connection_max)$/,
    why: ERLANG,
  },
  {
    key: /^(management|prometheus)\.(tcp|ssl|listener\.server)\.(idle_timeout|inactivity_timeout|max_keepalive|request_timeout|shutdown_timeout|backlog|linger_timeout|max_connections)$/,
    why: HTTP,
  },
  {
    key: /^(management|prometheus)\.(tcp|ssl|listener\.server)\.compress$/,
    why: 'an answer is compressed where the client asks for that',
  },
  {
    key: /^(management\.(csp\.policy|hsts\.policy|headers\..*|http_log_dir|login_session_timeout|db_cache_multiplier|delegate_count|credential_encryption_secret|definitions\..*|http\.hide_allow_header|require_auth_for_api_desc_page|extra_.*)|http_dispatch\..*|web_dispatch\..*)$/,
    why: HEADERS,
  },
  {
    key: /^management\.cors\.max_age$/,
    why: 'browsers are always told 1800 seconds, the default of RabbitMQ',
  },
  {
    key: /^management\.(oauth_.*|uaa_.*)$/,
    why: BACKENDS,
  },
  {
    key: /^(management\.(rates_mode|sample_retention_policies\..*|disable_stats|enable_queue_totals|process_stats_gc_timeout)|management_agent\..*|collect_statistics|prometheus\.filter_aggregated_queue_metrics_pattern)$/,
    why: RATES,
  },
  { key: /^tcp_listen_options\..*$/, why: SYSTEM },
  {
    key: /^(management|prometheus)\.(ssl|listener\.ssl_opts)\.(client_renegotiation|secure_renegotiate|reuse_sessions|honor_cipher_order|honor_ecc_order|log_alert|log_level|depth|dhfile)$/,
    why: SYSTEM,
  },
  {
    key: /^(management|prometheus)\.(ssl|listener\.ssl_opts)\.(versions|ciphers)\..*$/,
    why: 'what ssl_options says of versions and ciphers holds for the tools too',
  },
  {
    key: /^(tcp_listen_options|ssl_options|management\.listener\.ssl_opts)$/,
    why: 'it only says that there are none',
  },
  { key: /^management\.listener\.ssl$/, why: 'management.listener.port says where' },
  { key: /^ssl_options\.crl_sources\..*$/, why: 'revoked certificates are not looked up' },
  { key: /^reverse_dns_lookups$/, why: 'connections are named by addresses' },
  { key: /^(motd_file|product\.(name|version))$/, why: 'there is no banner' },
  { key: /^(deprecated_features|feature_flags)\..*$/, why: 'there are no flags of features' },
  { key: /^(definitions\.(tls|https)\..*)$/, why: PEERS },
  { key: /^(auth_(ldap|http|oauth2|cache|amqp)|ldap)(\..*)?$/, why: BACKENDS },
  { key: /^anonymous_login_pass$/, why: 'mechanism ANONYMOUS asks for no password' },
  { key: /^trust_store\..*$/, why: PLUGIN },
  {
    key: /^(mqtt|stomp|stream|web_mqtt|web_stomp|web_amqp|amqp1_0)\..*$/,
    why: PROTOCOL,
  },
  { key: /^(session_max_per_connection|link_max_per_session)$/, why: PROTOCOL },
  {
    key: /^(shovel|federation|event_exchange|aws|tracing|top|channel_interceptor|amqp_client|jms_topic_exchange|recent_history_exchange|delayed_message_exchange)(\..*)?$/,
    why: PLUGIN,
  },
  { key: /^runtime_parameters\.limits\..*$/, why: 'parameters are counted nowhere' },
  { key: /^config_entry_decoder\..*$/, why: 'encrypted values are not read' },
  { key: /^credential_validator\..*$/, why: PLUGIN },
];
