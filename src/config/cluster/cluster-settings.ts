// Owns the rows of the settings table that say who this node is and how several nodes share one log. Never connects:
// store/replicated/ and cluster/ do.

import { NODE_NAME } from '../../util/system/node-name.ts';
import { boolean, choice, duration, integer, optionalText, text } from '../setting.ts';
import {
  addresses,
  groupName,
  listenAddress,
  optionalAddress,
  optionalName,
  optionalSecret,
} from './kinds.ts';

/** A part of the one table in settings.ts. */
export const CLUSTER_SETTINGS = {
  nodeName: text({
    key: 'node.name',
    foreignVariable: 'RABBITMQ_NODENAME',
    argument: '<name>',
    about:
      'The name of this node, as the HTTP API, the metrics and traces show it. With `cluster.node` it is ' +
      '`leveret@<node>`, unless it is set.',
    initial: NODE_NAME,
    short: true,
  }),
  clusterLog: choice({
    key: 'cluster.log',
    argument: '<log>',
    about:
      'Where batches are kept for several nodes: `nats` for a stream of NATS JetStream; `none` for one node with its ' +
      'own disk.',
    initial: 'none',
    words: { none: 'none', nats: 'nats' } as const,
  }),
  clusterName: optionalName({
    key: 'cluster.name',
    about: 'The name of the cluster, the same on all its nodes: its streams in NATS begin with it.',
    example: 'cluster.name = shop',
  }),
  clusterNode: optionalName({
    key: 'cluster.node',
    about: 'The name of this node in its cluster, which no other node there may have.',
    example: 'cluster.node = n1',
  }),
  clusterGroup: groupName({
    key: 'cluster.group',
    about: 'Which group of vhosts this process carries. Each group has a log of its own.',
    initial: 'main',
  }),
  clusterNatsServers: addresses({
    key: 'cluster.nats.servers',
    about: 'The servers of NATS. One that answers is enough to find the others.',
    example: 'cluster.nats.servers = 10.0.0.1:4222, 10.0.0.2:4222, 10.0.0.3:4222',
  }),
  clusterNatsCredentials: optionalText({
    key: 'cluster.nats.credentials',
    argument: '<file>',
    about:
      'The file of credentials (`.creds`, or the seed of an nkey) to log in to NATS with. It is read again for each ' +
      'connection.',
    example: 'cluster.nats.credentials = /etc/leveret/nats.creds',
  }),
  clusterNatsUser: optionalText({
    key: 'cluster.nats.user',
    argument: '<name>',
    about: 'The user to log in to NATS as, where its servers have users with passwords.',
    example: 'cluster.nats.user = leveret',
  }),
  clusterNatsPassword: optionalSecret({
    key: 'cluster.nats.password',
    about: 'The password of that user.',
    bytesMin: 1,
    example: 'cluster.nats.password = $(NATS_PASSWORD)',
  }),
  clusterNatsToken: optionalSecret({
    key: 'cluster.nats.token',
    about: 'The token to log in to NATS with, where its servers have one for all.',
    bytesMin: 1,
    example: 'cluster.nats.token = $(NATS_TOKEN)',
  }),
  clusterNatsTlsCa: optionalText({
    key: 'cluster.nats.tls.ca',
    argument: '<file>',
    about: 'The certificates (PEM) of the authorities that sign those of the servers of NATS.',
    example: 'cluster.nats.tls.ca = /etc/leveret/nats-ca.pem',
  }),
  clusterNatsTlsCert: optionalText({
    key: 'cluster.nats.tls.cert',
    argument: '<file>',
    about: 'The certificate (PEM) that this node shows to NATS, if NATS asks for one.',
    example: 'cluster.nats.tls.cert = /etc/leveret/nats.pem',
  }),
  clusterNatsTlsKey: optionalText({
    key: 'cluster.nats.tls.key',
    argument: '<file>',
    about: 'The private key (PEM) of that certificate.',
    example: 'cluster.nats.tls.key = /etc/leveret/nats.key',
  }),
  clusterNatsMonitor: addresses({
    key: 'cluster.nats.monitor',
    about:
      'The monitoring ports of the servers of NATS, which say whether they sync what they acknowledge ' +
      '(`cluster.require_sync`).',
    example: 'cluster.nats.monitor = 10.0.0.1:8222, 10.0.0.2:8222, 10.0.0.3:8222',
  }),
  clusterReplicas: integer({
    key: 'cluster.replicas',
    about: 'On how many servers of NATS the log is kept. A majority of them has to work.',
    initial: 3,
    min: 1,
    max: 5,
  }),
  clusterLeaseMs: duration({
    key: 'cluster.lease',
    about:
      'How long the leader may be silent before another node takes its place. A shorter one takes over ' +
      'sooner, also from a leader that only paused.',
    initialMs: 5000,
    minMs: 300,
    maxMs: 600_000,
  }),
  clusterRenewMs: duration({
    key: 'cluster.renew',
    about: 'How often the leader renews its lease: at least three times within one.',
    initialMs: 1000,
    minMs: 50,
    maxMs: 200_000,
  }),
  clusterFollower: choice({
    key: 'cluster.follower',
    argument: '<how>',
    about:
      'What AMQP clients meet at a node that does not lead: `refuse` closes the port, so that clients with a list of ' +
      'hosts go on to the next; `proxy` passes their bytes to the leader.',
    initial: 'refuse',
    words: { refuse: 'refuse', proxy: 'proxy' } as const,
  }),
  clusterAdvertise: optionalAddress({
    key: 'cluster.advertise',
    about: 'Where AMQP clients reach this node, as the other nodes tell it.',
    example: 'cluster.advertise = mq1.example.com:5672',
  }),
  clusterListen: listenAddress({
    key: 'cluster.listen',
    about:
      'Where to listen for the other nodes, which fetch snapshots and pass connections on. Nodes on other machines ' +
      'need an address that they reach.',
    initial: { host: '127.0.0.1', port: 0 },
    example: 'cluster.listen = 10.0.0.1:25672',
  }),
  clusterSecret: optionalSecret({
    key: 'cluster.secret',
    about:
      'What the nodes know one another by at those ports, the same on all. `none`: one that they make up and keep ' +
      'in the log.',
    // Less can be guessed by trying; what `openssl rand -hex 32` prints is longer.
    bytesMin: 16,
    example: 'cluster.secret = $(CLUSTER_SECRET)',
  }),
  clusterLogBytesMax: integer({
    key: 'cluster.log_bytes_max',
    about:
      'How large the log may be. It is trimmed behind snapshots; at 80 % an alarm blocks publishers until it is.',
    initial: 8 * 2 ** 30,
    min: 2 ** 20,
    max: 2 ** 50,
    unit: 'bytes',
    example: 'cluster.log_bytes_max = 8GiB',
  }),
  clusterSnapshotBytes: integer({
    key: 'cluster.snapshot.bytes',
    about:
      'A snapshot is made when the log has grown by this much since the last one. At most a third of ' +
      '`cluster.log_bytes_max`.',
    initial: 2 ** 30,
    min: 2 ** 16,
    max: 2 ** 50,
    unit: 'bytes',
    example: 'cluster.snapshot.bytes = 1GiB',
  }),
  clusterRequireSync: boolean({
    key: 'cluster.require_sync',
    about:
      'Start only where NATS syncs what it acknowledges (`sync_interval: always`): else a power cut of ' +
      'several machines loses confirmed messages.',
    initial: true,
  }),
};
