// Owns the verbs of RabbitMQ's tools that Leveret has nothing to do for, and those that it refuses, each with its reason.
// Never does anything.

import { EXIT_SOFTWARE, EXIT_UNAVAILABLE, EXIT_USAGE } from '../exit-codes.ts';
import { CtlError, type CtlVerb } from './ctl-verb.ts';

const ONE_NODE = 'Leveret is one node, and joins no cluster';
const NO_ERLANG = 'Leveret runs on Node.js: there is no Erlang to evaluate it';
const NO_APP =
  'the broker is one process without an application inside: use stop, and start it with `leveret start` or its unit';
const NO_RESET = 'stop the broker, move its data folder away, and start it again';
const NO_MIRRORS = 'queues have no mirrors and no replicas: Leveret is one node';
const NO_STREAM_PROTOCOL =
  'Leveret does not speak the stream protocol: its streams are published to and read over AMQP 0-9-1';

/** Verbs that are refused, and why. Scripts must not take it for done. */
const REFUSED: Readonly<Record<string, string>> = {
  stop_app: NO_APP,
  start_app: NO_APP,
  reset: NO_RESET,
  force_reset: NO_RESET,
  force_boot: ONE_NODE,
  join_cluster: ONE_NODE,
  forget_cluster_node: ONE_NODE,
  rename_cluster_node: ONE_NODE,
  update_cluster_nodes: ONE_NODE,
  change_cluster_node_type: ONE_NODE,
  eval: NO_ERLANG,
  eval_file: NO_ERLANG,
  exec: NO_ERLANG,
  rotate_logs:
    'the log goes to standard output, or to the file that the process writes: see docs/logging.md',
  hipe_compile: NO_ERLANG,
  sync_queue: NO_MIRRORS,
  cancel_sync_queue: NO_MIRRORS,
  add_member: NO_MIRRORS,
  delete_member: NO_MIRRORS,
  grow: NO_MIRRORS,
  shrink: NO_MIRRORS,
  quorum_status: NO_MIRRORS,
  reclaim_quorum_memory: NO_MIRRORS,
  force_checkpoint: NO_MIRRORS,
  peek: 'use `leveret browse QUEUE`, which looks at messages without delivering them',
  stream_status: NO_MIRRORS,
  add_replica: NO_MIRRORS,
  delete_replica: NO_MIRRORS,
  set_stream_retention_policy:
    'use set_policy with max-age or max-length-bytes, and --apply-to streams',
  restart_stream: NO_MIRRORS,
  encode:
    'Leveret reads no encrypted values: keep secrets in a file that the broker’s user alone may read',
  decode:
    'Leveret reads no encrypted values: keep secrets in a file that the broker’s user alone may read',
  set_permissions_globally: 'set permissions for each vhost with set_permissions',
  observer: NO_ERLANG,
  remote_shell: NO_ERLANG,
  consume_event_stream: 'the log has what happens: see docs/logging.md',
  log_tail: 'read the log where the process writes it: see docs/logging.md',
  log_tail_stream: 'read the log where the process writes it: see docs/logging.md',
  federation_status: 'Leveret has no federation',
  shovel_status: 'Leveret has no shovels',
  delete_shovel: 'Leveret has no shovels',
  restart_shovel: 'Leveret has no shovels',
  list_stream_connections: NO_STREAM_PROTOCOL,
  list_stream_consumers: NO_STREAM_PROTOCOL,
  list_stream_publishers: NO_STREAM_PROTOCOL,
};

/** Verbs that are done by doing nothing, with what is said. */
const NOTHING_TO_DO: Readonly<Record<string, string>> = {
  force_gc: '',
  rebalance: 'There is one node: every queue is where it should be\n',
  post_upgrade: 'There is one node: nothing to do after an upgrade\n',
  list_node_auth_attempt_stats: '',
  discover_peers: '',
  check_if_any_deprecated_features_are_used: 'No deprecated features are used\n',
  list_deprecated_features: '',
  release_series: 'supported\n',
  reset_stats_db: '',
};

/** What RabbitMQ's own verb ends with there. */
const CODES: Readonly<Record<string, number>> = { eval: EXIT_SOFTWARE, exec: EXIT_SOFTWARE };

export const REFUSED_VERBS: readonly CtlVerb[] = [
  ...Object.entries(REFUSED).map(
    ([name, why]): CtlVerb => ({
      name,
      arguments: '[words...]',
      about: `Refused: ${why}.`,
      lenient: true,
      run: () => {
        throw new CtlError(CODES[name] ?? EXIT_UNAVAILABLE, `${name} is refused: ${why}`);
      },
    }),
  ),
  ...Object.entries(NOTHING_TO_DO).map(
    ([name, text]): CtlVerb => ({
      name,
      arguments: '[words...]',
      about: 'There is nothing to do for it.',
      lenient: true,
      // Asked all the same: without a broker it is not done.
      run: async ({ api }) => {
        await api.get('/whoami');
        return text;
      },
    }),
  ),
  {
    name: 'enable_feature_flag',
    arguments: '<flag>',
    about: 'Nothing to do: all that there are, are enabled.',
    lenient: true,
    namesNode: true,
    banner: ({ words: [flag] }) =>
      flag === 'all' ? 'Enabling all feature flags ...' : `Enabling feature flag "${flag}" ...`,
    run: async ({ api, node, words: [flag] }) => {
      const flags = await api.get<{ name: string }[]>('/feature-flags');
      if (flag === 'all' || flags.some(({ name }) => name === flag)) return undefined;
      throw new CtlError(EXIT_USAGE, `This feature flag is not supported by node ${node}: ${flag}`);
    },
  },
];
