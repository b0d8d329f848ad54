// Owns the columns of RabbitMQ's lists: which there are, and what each is among the fields of the API. Never asks for
// rows.

import { suggest } from '../../../config/suggest.ts';
import { EXIT_USAGE } from '../../exit-codes.ts';
import type { Listing } from '../../output.ts';
import { CtlError } from '../ctl-verb.ts';

/** A row of the API. */
export type Row = Readonly<Record<string, unknown>>;

/** What a column shows of a row: the field of that name, or what is said here. */
type Show = (row: Row) => unknown;

/** The columns of one list; those without a function are fields of the API. */
export interface Columns {
  readonly usual: readonly string[];
  readonly fields: readonly string[];
  readonly others: Readonly<Record<string, Show>>;
}

const at = (row: Row, name: string): Row => (row[name] ?? {}) as Row;
const none: Show = () => '';
const zero: Show = () => 0;

/** RabbitMQ's tools name processes; here the name stands for what it is of. */
export const QUEUE_COLUMNS: Columns = {
  usual: ['name', 'messages'],
  fields: [
    'name',
    'vhost',
    'durable',
    'auto_delete',
    'exclusive',
    'arguments',
    'policy',
    'operator_policy',
    'effective_policy_definition',
    'exclusive_consumer_tag',
    'messages_ready',
    'messages_unacknowledged',
    'messages_delayed',
    'messages',
    'messages_ready_ram',
    'messages_unacknowledged_ram',
    'messages_ram',
    'messages_persistent',
    'message_bytes',
    'message_bytes_ready',
    'message_bytes_unacknowledged',
    'message_bytes_ram',
    'message_bytes_persistent',
    'head_message_timestamp',
    'consumers',
    'consumer_utilisation',
    'consumer_capacity',
    'memory',
    'state',
    'type',
  ],
  others: {
    pid: (row) => `<${row['node']}.${row['vhost']}.${row['name']}>`,
    owner_pid: (row) => at(row, 'owner_pid_details')['name'] ?? '',
    exclusive_consumer_pid: none,
    disk_reads: zero,
    disk_writes: zero,
    open_files: zero,
    slave_pids: none,
    synchronised_slave_pids: none,
    recoverable_slaves: none,
    mirror_pids: none,
    synchronised_mirror_pids: none,
    leader: (row) => row['node'],
    members: (row) => [row['node']],
    online: (row) => [row['node']],
    policy_name: (row) => row['policy'],
  },
};

export const EXCHANGE_COLUMNS: Columns = {
  usual: ['name', 'type'],
  fields: ['name', 'vhost', 'type', 'durable', 'auto_delete', 'internal', 'arguments', 'policy'],
  others: {},
};

export const BINDING_COLUMNS: Columns = {
  usual: [
    'source_name',
    'source_kind',
    'destination_name',
    'destination_kind',
    'routing_key',
    'arguments',
  ],
  fields: ['vhost', 'routing_key', 'arguments', 'source', 'destination', 'destination_type'],
  others: {
    source_name: (row) => row['source'],
    source_kind: () => 'exchange',
    destination_name: (row) => row['destination'],
    destination_kind: (row) => row['destination_type'],
  },
};

export const VHOST_COLUMNS: Columns = {
  usual: ['name'],
  fields: ['name', 'tracing', 'description', 'tags', 'default_queue_type', 'cluster_state'],
  others: { metadata: (row) => row['metadata'] },
};

export const CONNECTION_COLUMNS: Columns = {
  usual: ['user', 'peer_host', 'peer_port', 'state'],
  fields: [
    'name',
    'port',
    'host',
    'peer_port',
    'peer_host',
    'ssl',
    'ssl_protocol',
    'ssl_key_exchange',
    'ssl_cipher',
    'ssl_hash',
    'peer_cert_subject',
    'peer_cert_issuer',
    'peer_cert_validity',
    'state',
    'channels',
    'auth_mechanism',
    'user',
    'vhost',
    'timeout',
    'frame_max',
    'channel_max',
    'client_properties',
    'connected_at',
    'recv_oct',
    'send_oct',
    'send_pend',
    'node',
  ],
  others: {
    pid: (row) => `<${row['node']}.${row['name']}>`,
    protocol: (row) => (row['protocol'] === 'AMQP 0-9-1' ? '{0,9,1}' : row['protocol']),
    recv_cnt: zero,
    send_cnt: zero,
    user_provided_name: (row) => at(row, 'client_properties')['connection_name'] ?? '',
  },
};

export const CHANNEL_COLUMNS: Columns = {
  usual: ['pid', 'user', 'consumer_count', 'messages_unacknowledged'],
  fields: [
    'name',
    'number',
    'user',
    'vhost',
    'node',
    'state',
    'transactional',
    'confirm',
    'consumer_count',
    'messages_unacknowledged',
    'messages_uncommitted',
    'acks_uncommitted',
    'messages_unconfirmed',
    'prefetch_count',
    'global_prefetch_count',
  ],
  others: {
    pid: (row) => `<${row['node']}.${row['name']}>`,
    connection: (row) => `<${row['node']}.${at(row, 'connection_details')['name']}>`,
    interceptors: none,
  },
};

export const CONSUMER_COLUMNS: Columns = {
  usual: [
    'queue_name',
    'channel_pid',
    'consumer_tag',
    'ack_required',
    'prefetch_count',
    'active',
    'arguments',
  ],
  fields: [
    'consumer_tag',
    'ack_required',
    'prefetch_count',
    'active',
    'activity_status',
    'arguments',
    'exclusive',
  ],
  others: {
    queue_name: (row) => at(row, 'queue')['name'],
    channel_pid: ({ channel_details: channel }) =>
      `<${(channel as Row | undefined)?.['node']}.${(channel as Row | undefined)?.['name']}>`,
  },
};

/** The words behind a verb as names of columns, which may have commas between them. Throws a CtlError. */
export function chosenColumns(columns: Columns, words: readonly string[]): readonly string[] {
  const asked = words.flatMap((word) => word.split(/[\s,]+/)).filter((word) => word !== '');
  const known = [...new Set([...columns.fields, ...Object.keys(columns.others)])];
  const unknown = asked.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    const meant = suggest(unknown[0] as string, known);
    const hint = meant === null ? `choose from ${known.join(', ')}` : `did you mean ${meant}?`;
    throw new CtlError(
      EXIT_USAGE,
      `(argument validation) Info key(s) ${unknown.join(',')} are not supported: ${hint}`,
    );
  }
  return asked.length > 0 ? asked : columns.usual;
}

/** Rows of the API under the columns that were chosen. */
export function listingOf(
  columns: Columns,
  chosen: readonly string[],
  rows: readonly Row[],
): Listing {
  const shown = rows.map((row) =>
    Object.fromEntries(chosen.map((name) => [name, (columns.others[name] ?? field(name))(row)])),
  );
  return { columns: chosen, rows: shown };
}

const field =
  (name: string): Show =>
  (row) =>
    row[name];
