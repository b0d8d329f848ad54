// Owns the list of feature flags: those of RabbitMQ whose behaviour holds here, all enabled. Never enables one.

/**
 * What tools and scripts ask for before they upgrade, with RabbitMQ's own words. Those of the stream
 * protocol are not among them.
 */
const FLAGS: Readonly<Record<string, string>> = {
  classic_queue_type_delivery_support: 'Bug fix for classic queue deliveries using mixed versions',
  direct_exchange_routing_v2: 'v2 direct exchange routing implementation',
  drop_unroutable_metric: 'Count unroutable publishes to be dropped in stats',
  empty_basic_get_metric: 'Count AMQP `basic.get` on empty queues in stats',
  feature_flags_v2: 'Feature flags subsystem V2',
  implicit_default_bindings:
    'Default bindings are now implicit, instead of being stored in the database',
  listener_records_in_ets: 'Store listener records in ETS instead of Mnesia',
  maintenance_mode_status: 'Maintenance mode status',
  message_containers: 'Message containers.',
  quorum_queue: 'Support queues of type `quorum`',
  stream_queue: 'Support queues of type `stream`',
  tracking_records_in_ets: 'Store tracking records in ETS instead of Mnesia',
  user_limits: 'Configure connection and channel limits for a user',
  virtual_host_metadata: 'Virtual host metadata (description, tags, etc)',
};

/** The flags as RabbitMQ's API shows them. */
export function featureFlags(): { readonly name: string; readonly state: string }[] {
  return Object.entries(FLAGS).map(([name, desc]) => ({
    name,
    desc,
    doc_url: '',
    stability: 'stable',
    provided_by: 'rabbit',
    state: 'enabled',
  }));
}
