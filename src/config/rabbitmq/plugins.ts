// Owns what became of each plugin that RabbitMQ ships, from 3.8 to 4.2: built in, needless, or not here. Never loads
// anything.

/** What a plugin is here. */
export type Plugin =
  /** `E`: RabbitMQ has to be told to enable it; `e`: it comes along with another. */
  | { readonly is: 'built in'; readonly mark: 'E' | 'e' }
  /** It has nothing to do here, so an operator that enables it misses nothing. */
  | { readonly is: 'needless'; readonly why: string }
  /** `but` says what there is of it all the same. */
  | { readonly is: 'not here'; readonly but?: string };

const E: Plugin = { is: 'built in', mark: 'E' };
const IMPLICIT: Plugin = { is: 'built in', mark: 'e' };
const NOT_HERE: Plugin = { is: 'not here' };
const CLUSTERS: Plugin = {
  is: 'needless',
  why: 'nodes find one another by cluster.nats.servers',
};

const ROWS: Readonly<Record<string, Plugin>> = {
  rabbitmq_amqp1_0: NOT_HERE,
  rabbitmq_auth_backend_cache: NOT_HERE,
  rabbitmq_auth_backend_http: NOT_HERE,
  rabbitmq_auth_backend_internal_loopback: NOT_HERE,
  rabbitmq_auth_backend_ldap: NOT_HERE,
  rabbitmq_auth_backend_oauth2: NOT_HERE,
  rabbitmq_auth_mechanism_ssl: E,
  rabbitmq_consistent_hash_exchange: E,
  rabbitmq_event_exchange: NOT_HERE,
  rabbitmq_exchange_federation: NOT_HERE,
  rabbitmq_federation: NOT_HERE,
  rabbitmq_federation_management: NOT_HERE,
  rabbitmq_federation_prometheus: NOT_HERE,
  rabbitmq_jms_topic_exchange: NOT_HERE,
  rabbitmq_management: E,
  rabbitmq_management_agent: IMPLICIT,
  rabbitmq_mqtt: NOT_HERE,
  rabbitmq_peer_discovery_aws: CLUSTERS,
  rabbitmq_peer_discovery_common: CLUSTERS,
  rabbitmq_peer_discovery_consul: CLUSTERS,
  rabbitmq_peer_discovery_etcd: CLUSTERS,
  rabbitmq_peer_discovery_k8s: CLUSTERS,
  rabbitmq_prometheus: E,
  rabbitmq_queue_federation: NOT_HERE,
  rabbitmq_random_exchange: E,
  rabbitmq_recent_history_exchange: NOT_HERE,
  rabbitmq_sharding: {
    is: 'not here',
    but: 'the exchange type x-modulus-hash is built in, but no policy makes queues for it',
  },
  rabbitmq_shovel: NOT_HERE,
  rabbitmq_shovel_management: NOT_HERE,
  rabbitmq_shovel_prometheus: NOT_HERE,
  rabbitmq_stomp: NOT_HERE,
  rabbitmq_stream: NOT_HERE,
  rabbitmq_stream_common: NOT_HERE,
  rabbitmq_stream_management: NOT_HERE,
  rabbitmq_top: { is: 'needless', why: 'there are no Erlang processes to look at' },
  rabbitmq_tracing: {
    is: 'not here',
    but: 'the trace itself is built in (rabbitmqctl trace_on), but no file is written of it',
  },
  rabbitmq_trust_store: NOT_HERE,
  rabbitmq_web_dispatch: IMPLICIT,
  rabbitmq_web_mqtt: NOT_HERE,
  rabbitmq_web_mqtt_examples: NOT_HERE,
  rabbitmq_web_stomp: NOT_HERE,
  rabbitmq_web_stomp_examples: NOT_HERE,
};

/** All plugins by their names, in the order of these. */
export const PLUGINS: ReadonlyMap<string, Plugin> = new Map(Object.entries(ROWS));

/** The names of a file of enabled plugins, `[rabbitmq_management,rabbitmq_top].`, that are not here: of others, too. */
export function pluginsNotHere(text: string): readonly string[] {
  const names = text.replaceAll(/%.*$/gm, '').match(/\b[a-z][a-z0-9_]*\b/g) ?? [];
  return [...new Set(names)].filter((name) => (PLUGINS.get(name) ?? NOT_HERE).is === 'not here');
}
