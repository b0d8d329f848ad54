// Owns the one table of metrics: their names are RabbitMQ's, so that dashboards and alerts made for it
// work as they are. Never writes them out: exposition.ts does.

import type { MessageCounts } from '../broker/stats/counts.ts';
import type { ChannelView, ConnectionView } from '../broker/view/host.ts';
import type { Totals } from '../broker/view/look.ts';
import type { QueueRow } from '../broker/view/statistics.ts';
import type { Context } from '../management/context.ts';
import { droppedLines } from '../util/log/dropped-lines.ts';

/** Labels of one value. */
export type Labels = Readonly<Record<string, string>>;

/** A value with its labels. */
export type Sample = readonly [labels: Labels, value: number];

/** One metric of the broker as a whole. */
export interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  read(facts: Facts): readonly Sample[];
}

/** One metric of each queue, channel or connection, which `/metrics` adds up. */
export interface ObjectFamily<T> {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  read(row: T): number;
}

/** What the metrics are read from, taken once for a scrape. */
export interface Facts {
  readonly context: Context;
  readonly counts: MessageCounts;
  /** Channels that have published. */
  readonly publishers: number;
  readonly totals: Totals;
  readonly openFiles: number;
}

const PROTOCOL = { protocol: 'amqp091' };
const CLASSIC = { ...PROTOCOL, queue_type: 'rabbit_classic_queue' };

const one = (value: number): readonly Sample[] => [[{}, value]];
const finite = (value: number): number =>
  Number.isFinite(value) ? value : Number.MAX_SAFE_INTEGER;

function gauge(name: string, help: string, read: (facts: Facts) => number): Family {
  return { name: `rabbitmq_${name}`, type: 'gauge', help, read: (facts) => one(read(facts)) };
}

function counter(name: string, help: string, read: (facts: Facts) => number): Family {
  return { name: `rabbitmq_${name}`, type: 'counter', help, read: (facts) => one(read(facts)) };
}

/** A count of messages, which RabbitMQ labels with the protocol, and some with the type of queue. */
function messages(
  name: string,
  help: string,
  labels: Labels,
  read: (counts: MessageCounts) => number,
): Family {
  return {
    name: `rabbitmq_global_messages_${name}_total`,
    type: 'counter',
    help,
    read: ({ counts }) => [[labels, read(counts)]],
  };
}

function deadLettered(reason: string, name: string): Family {
  return {
    name: `rabbitmq_global_messages_dead_lettered_${name}_total`,
    type: 'counter',
    help: `Messages dead-lettered: ${reason}`,
    read: ({ context }) => [
      [
        { queue_type: 'rabbit_classic_queue', dead_letter_strategy: 'at_least_once' },
        context.view.look.deadLettered()[reason] ?? 0,
      ],
    ],
  };
}

const totals = (facts: Facts) => facts.totals;
const churn = ({ context }: Facts) => context.view.look.churn();
const resources = ({ context }: Facts) => context.view.resources();

export const FAMILIES: readonly Family[] = [
  {
    name: 'rabbitmq_build_info',
    type: 'gauge',
    help: 'Versions',
    read: ({ context }) => [
      [
        {
          rabbitmq_version: '3.13.7',
          prometheus_plugin_version: '3.13.7',
          prometheus_client_version: '',
          erlang_version: '',
          product_name: 'Leveret',
          product_version: context.view.version,
        },
        1,
      ],
    ],
  },
  {
    name: 'rabbitmq_identity_info',
    type: 'gauge',
    help: 'The node',
    read: ({ context }) => {
      const { node } = context.view.look;
      const names = { rabbitmq_node: node, rabbitmq_cluster: node };
      return [[{ ...names, rabbitmq_cluster_permanent_id: node }, 1]];
    },
  },
  counter('connections_opened_total', 'Connections opened', (f) => churn(f).connection_created),
  counter('connections_closed_total', 'Connections closed', (f) => churn(f).connection_closed),
  counter('channels_opened_total', 'Channels opened', (f) => churn(f).channel_created),
  counter('channels_closed_total', 'Channels closed', (f) => churn(f).channel_closed),
  counter('queues_declared_total', 'Queues declared', (f) => churn(f).queue_declared),
  counter('queues_created_total', 'Queues created', (f) => churn(f).queue_created),
  counter('queues_deleted_total', 'Queues deleted', (f) => churn(f).queue_deleted),
  gauge('connections', 'Connections open', (f) => totals(f).connections),
  gauge('channels', 'Channels open', (f) => totals(f).channels),
  gauge('consumers', 'Consumers', (f) => totals(f).consumers),
  gauge('queues', 'Queues', (f) => totals(f).queues),
  gauge('process_open_fds', 'Open file descriptors', ({ openFiles }) => openFiles),
  gauge('process_max_fds', 'File descriptors allowed', ({ context }) =>
    finite(context.facts.socketMax),
  ),
  gauge('process_open_tcp_sockets', 'Open sockets', (f) => totals(f).connections),
  gauge('process_max_tcp_sockets', 'Sockets allowed', ({ context }) =>
    finite(context.facts.socketMax),
  ),
  gauge('process_resident_memory_bytes', 'Resident memory', ({ context }) =>
    context.facts.residentBytes(),
  ),
  gauge('resident_memory_limit_bytes', 'Memory watermark', (f) => finite(resources(f).mem_limit)),
  gauge('disk_space_available_bytes', 'Free disk space', (f) => finite(resources(f).disk_free)),
  gauge('disk_space_available_limit_bytes', 'Disk watermark', (f) => resources(f).disk_free_limit),
  gauge('alarms_memory_used_watermark', 'Whether the memory alarm is on', (f) =>
    Number(resources(f).mem_alarm),
  ),
  gauge('alarms_free_disk_space_watermark', 'Whether the disk alarm is on', (f) =>
    Number(resources(f).disk_free_alarm),
  ),
  {
    name: 'leveret_caught_exceptions_total',
    type: 'counter',
    help: 'Bugs that a peer came upon, and that ended that peer alone',
    read: ({ context }) => one(context.guard.caught),
  },
  {
    name: 'leveret_log_lines_dropped_total',
    type: 'counter',
    help: 'Lines of the log that could not be written',
    read: () => one(droppedLines.count),
  },
  gauge('alarms_file_descriptor_limit', 'Whether descriptors are short: never', () => 0),
  {
    name: 'rabbitmq_global_publishers',
    type: 'gauge',
    help: 'Channels that have published',
    read: ({ publishers }) => [[PROTOCOL, publishers]],
  },
  {
    name: 'rabbitmq_global_consumers',
    type: 'gauge',
    help: 'Consumers',
    read: (facts) => [[PROTOCOL, totals(facts).consumers]],
  },
  messages('received', 'Messages published', PROTOCOL, (c) => c.published),
  messages(
    'received_confirm',
    'Messages that were confirmed or refused',
    PROTOCOL,
    (c) => c.confirmed,
  ),
  messages('confirmed', 'Messages confirmed', PROTOCOL, (c) => c.confirmed),
  messages(
    'routed',
    'Messages that some queue took',
    PROTOCOL,
    (c) => c.published - c.returned - c.dropped,
  ),
  messages(
    'unroutable_dropped',
    'Messages that no queue took: dropped',
    PROTOCOL,
    (c) => c.dropped,
  ),
  messages(
    'unroutable_returned',
    'Messages that no queue took: returned',
    PROTOCOL,
    (c) => c.returned,
  ),
  messages(
    'delivered',
    'Messages delivered, any way',
    CLASSIC,
    (c) => c.delivered + c.deliveredNoAck + c.got + c.gotNoAck,
  ),
  messages('delivered_consume_manual_ack', 'To consumers that ack', CLASSIC, (c) => c.delivered),
  messages(
    'delivered_consume_auto_ack',
    'To consumers that do not',
    CLASSIC,
    (c) => c.deliveredNoAck,
  ),
  messages('delivered_get_manual_ack', 'By basic.get, to be acked', CLASSIC, (c) => c.got),
  messages('delivered_get_auto_ack', 'By basic.get, without ack', CLASSIC, (c) => c.gotNoAck),
  messages('get_empty', 'basic.get that found nothing', CLASSIC, (c) => c.getEmpty),
  messages('redelivered', 'Messages delivered again', CLASSIC, (c) => c.redelivered),
  messages('acknowledged', 'Messages acked', CLASSIC, (c) => c.acked),
  deadLettered('rejected', 'rejected'),
  deadLettered('expired', 'expired'),
  deadLettered('maxlen', 'maxlen'),
  deadLettered('delivery_limit', 'delivery_limit'),
  {
    name: 'leveret_messages_set_aside_total',
    type: 'counter',
    help: 'Messages set aside since the start, since looking at them failed',
    read: ({ context }) => one(context.view.look.setAside().total),
  },
  {
    name: 'leveret_messages_set_aside',
    type: 'gauge',
    help: 'Messages that are set aside now',
    read: ({ context }) => one(context.view.look.setAside().messages),
  },
  {
    name: 'leveret_definitions_set_aside',
    type: 'gauge',
    help: 'Queues, vhosts and other rows that could not be read at the start',
    read: ({ context }) => one(context.view.look.setAside().definitions),
  },
];

type Ready = ObjectFamily<QueueRow>;

const ofQueue = (name: string, help: string, read: Ready['read']): Ready => ({
  name: `rabbitmq_queue_${name}`,
  type: 'gauge',
  help,
  read,
});

/** Of each queue, with the labels `vhost` and `queue`. */
export const QUEUE_FAMILIES: readonly Ready[] = [
  ofQueue('messages_ready', 'Messages ready', (q) => q.messages_ready),
  ofQueue('messages_unacked', 'Messages unacked', (q) => q.messages_unacknowledged),
  ofQueue('messages', 'Messages ready or unacked', (q) => q.messages),
  ofQueue('consumers', 'Consumers', (q) => q.consumers),
  ofQueue('consumer_capacity', 'Whether consumers take messages', (q) => q.consumer_capacity),
  ofQueue('consumer_utilisation', 'The same', (q) => q.consumer_utilisation),
  ofQueue('process_memory_bytes', 'Memory, about', (q) => q.memory),
  ofQueue('messages_ram', 'Messages whose place is in memory', (q) => q.messages_ram),
  ofQueue('messages_ram_bytes', 'Their bodies', (q) => q.message_bytes_ram),
  ofQueue('messages_persistent', 'Persistent messages', (q) => q.messages_persistent),
  ofQueue('messages_persistent_bytes', 'Their bodies', (q) => q.message_bytes_persistent),
  ofQueue('messages_bytes', 'Bodies of all messages', (q) => q.message_bytes),
  ofQueue('messages_ready_bytes', 'Bodies of ready messages', (q) => q.message_bytes_ready),
  ofQueue(
    'messages_unacked_bytes',
    'Bodies of unacked ones',
    (q) => q.message_bytes_unacknowledged,
  ),
  ofQueue('messages_paged_out', 'Messages out of memory', (q) => q.messages_paged_out),
  ofQueue('messages_paged_out_bytes', 'Their bodies', (q) => q.message_bytes_paged_out),
  {
    name: 'rabbitmq_queue_messages_published_total',
    type: 'counter',
    help: 'Messages that came into queues',
    read: (q) => Number(q.message_stats['publish'] ?? 0),
  },
];

const ofChannel = (
  name: string,
  help: string,
  read: ObjectFamily<ChannelView>['read'],
): ObjectFamily<ChannelView> => ({ name: `rabbitmq_channel_${name}`, type: 'gauge', help, read });

const ofChannelCount = (name: string, help: string, key: string): ObjectFamily<ChannelView> => ({
  name: `rabbitmq_channel_${name}_total`,
  type: 'counter',
  help,
  read: (channel) => Number(channel.message_stats[key] ?? 0),
});

/** Of each channel, with the label `channel`. */
export const CHANNEL_FAMILIES: readonly ObjectFamily<ChannelView>[] = [
  ofChannel('consumers', 'Consumers', (c) => c.consumer_count),
  ofChannel('messages_unacked', 'Messages unacked', (c) => c.messages_unacknowledged),
  ofChannel('messages_unconfirmed', 'Publishes not confirmed yet', (c) => c.messages_unconfirmed),
  ofChannel('messages_uncommitted', 'Publishes in transactions', (c) => c.messages_uncommitted),
  ofChannel('acks_uncommitted', 'Acks in transactions', (c) => c.acks_uncommitted),
  ofChannel('prefetch', 'The prefetch of the channel', (c) => c.global_prefetch_count),
  ofChannelCount('messages_published', 'Messages published', 'publish'),
  ofChannelCount('messages_confirmed', 'Messages confirmed', 'confirm'),
  ofChannelCount('messages_unroutable_returned', 'Returned', 'return_unroutable'),
  ofChannelCount('messages_unroutable_dropped', 'Dropped', 'drop_unroutable'),
  ofChannelCount('messages_delivered_ack', 'Delivered, to be acked', 'deliver'),
  ofChannelCount('messages_delivered', 'Delivered, without ack', 'deliver_no_ack'),
  ofChannelCount('messages_redelivered', 'Delivered again', 'redeliver'),
  ofChannelCount('messages_acked', 'Acked', 'ack'),
  ofChannelCount('get_ack', 'By basic.get, to be acked', 'get'),
  ofChannelCount('get', 'By basic.get, without ack', 'get_no_ack'),
  ofChannelCount('get_empty', 'basic.get that found nothing', 'get_empty'),
];

/** Of each connection, with the label `connection`. */
export const CONNECTION_FAMILIES: readonly ObjectFamily<ConnectionView>[] = [
  {
    name: 'rabbitmq_connection_incoming_bytes_total',
    type: 'counter',
    help: 'Bytes received',
    read: (c) => c.recv_oct,
  },
  {
    name: 'rabbitmq_connection_outgoing_bytes_total',
    type: 'counter',
    help: 'Bytes sent',
    read: (c) => c.send_oct,
  },
  {
    name: 'rabbitmq_connection_channels',
    type: 'gauge',
    help: 'Channels',
    read: (c) => c.channels,
  },
];
