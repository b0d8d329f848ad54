// Owns the metrics of each queue, channel, connection, exchange and vhost, under RabbitMQ's names. Never writes them out,
// and never adds them up.

import { DEATH_REASONS } from '../../broker/stats/counts.ts';
import type { ExchangeRow, QueueRow } from '../../broker/view/rows.ts';
import type { ChannelView, ConnectionView } from '../../broker/view/server-port.ts';
import type { Context } from '../../management/context.ts';
import type { Rows } from '../../util/rows.ts';
import type { Labels, ObjectGroup, ObjectMetric } from './family.ts';

/** An exchange with the number of its bindings. */
export interface ExchangeLine extends ExchangeRow {
  readonly bindings: number;
}

/** What is read of one kind of objects. */
export interface Kind<T> {
  readonly groups: readonly ObjectGroup<T>[];
  /** Those in vhosts of these names; null: in all. */
  rows(context: Context, vhosts: ReadonlySet<string> | null): Rows<T>;
  labels(row: T): Labels;
}

/** So many metrics share a way to be read. */
function level<T>(name: string, help: string, read: ObjectMetric<T>['read']): ObjectMetric<T> {
  return { name, type: 'gauge', help, read };
}

function count<T extends { readonly message_stats: object | undefined }>(
  name: string,
  help: string,
  key: string,
): ObjectMetric<T> {
  const read = ({ message_stats: stats }: T): number =>
    Number((stats as Readonly<Record<string, unknown>> | undefined)?.[key] ?? 0);
  return { name: `${name}_total`, type: 'counter', help, read };
}

const ofQueue = (name: string, help: string, read: ObjectMetric<QueueRow>['read']) =>
  level<QueueRow>(`queue_${name}`, help, read);
const queueCount = (name: string, help: string, key: string) =>
  count<QueueRow>(`queue_${name}`, help, key);

/** What all queues lost is a metric of the broker, which counts those that are deleted as well. */
const lost = (name: string, help: string, key: string): ObjectMetric<QueueRow> => ({
  ...queueCount(name, help, key),
  alone: true,
});

/** Messages that died for one reason. */
function died(becameOf: 'dropped' | 'dead_lettered', help: string): ObjectMetric<QueueRow>[] {
  return DEATH_REASONS.map((reason) => ({
    name: `queue_messages_${becameOf}_${reason}_total`,
    type: 'counter',
    help: `${help}, for the reason ${reason}`,
    alone: true,
    rare: true,
    read: ({ deaths }) => deaths?.[reason][becameOf] ?? 0,
  }));
}

const CONSUMERS = ofQueue('consumers', 'Consumers', (q) => q.consumers);

export const QUEUES: Kind<QueueRow> = {
  rows: ({ view: { snapshots } }, vhosts) => snapshots.queues(vhosts ?? snapshots.vhostNames),
  labels: ({ vhost, name }) => ({ vhost, queue: name }),
  groups: [
    {
      name: 'queue_coarse_metrics',
      metrics: [
        ofQueue('messages_ready', 'Messages ready', (q) => q.messages_ready),
        ofQueue('messages_unacked', 'Messages unacked', (q) => q.messages_unacknowledged),
        ofQueue('messages', 'Messages ready or unacked', (q) => q.messages),
      ],
    },
    { name: 'queue_consumer_count', metrics: [CONSUMERS] },
    {
      name: 'queue_metrics',
      metrics: [
        CONSUMERS,
        ofQueue('paused', 'Whether an operator paused it', (q) => Number(q.state === 'paused')),
        ofQueue('consumer_capacity', 'Whether consumers take messages', (q) => q.consumer_capacity),
        ofQueue('consumer_utilisation', 'The same', (q) => q.consumer_utilisation),
        ofQueue('process_memory_bytes', 'Memory, about', (q) => q.memory),
        ofQueue('messages_ram', 'Messages whose place is in memory', (q) => q.messages_ram),
        ofQueue('messages_ram_bytes', 'Their bodies', (q) => q.message_bytes_ram),
        ofQueue('messages_ready_ram', 'Ready ones of them', (q) => q.messages_ready_ram),
        ofQueue('messages_unacked_ram', 'Unacked ones', (q) => q.messages_unacknowledged_ram),
        ofQueue('messages_delayed', 'Messages that wait for their time', (q) => q.messages_delayed),
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
          ...ofQueue(
            'head_message_timestamp',
            "The publisher's timestamp of the message that goes out next",
            headTimestamp,
          ),
          alone: true,
        },
      ],
    },
    {
      name: 'queue_delivery_metrics',
      metrics: [
        queueCount('get_ack', 'By basic.get, to be acked', 'get'),
        queueCount('get', 'By basic.get, without ack', 'get_no_ack'),
        queueCount('messages_delivered_ack', 'Delivered, to be acked', 'deliver'),
        queueCount('messages_delivered', 'Delivered, without ack', 'deliver_no_ack'),
        queueCount('messages_redelivered', 'Delivered again', 'redeliver'),
        queueCount('messages_acked', 'Acked', 'ack'),
        queueCount('get_empty', 'basic.get that found nothing', 'get_empty'),
        queueCount('leases_expired', 'Deliveries unacked for too long', 'leases_expired'),
        queueCount('late_acks', 'Acks of those that were taken back', 'late_acks'),
        queueCount('messages_deduplicated', 'Duplicates that were dropped', 'dedup'),
      ],
    },
    {
      name: 'queue_loss_metrics',
      metrics: [
        lost('messages_dropped', 'Messages that died, and are gone', 'dropped'),
        lost('messages_dead_lettered', 'Messages that died, and went on', 'dead_lettered'),
        lost('messages_refused', 'Messages that a full queue refused', 'refused'),
        ...died('dropped', 'Messages that are gone'),
        ...died('dead_lettered', 'Messages that went on to another queue'),
      ],
    },
    {
      name: 'channel_queue_exchange_metrics',
      labels: ({ vhost, name }) => ({ vhost, queue: name, queue_vhost: vhost }),
      metrics: [queueCount('messages_published', 'Messages that came into queues', 'publish')],
    },
  ],
};

/** In seconds. What is on the disk alone is not read: a scrape looks at the heads of all queues, time and again. */
function headTimestamp({ vhost, name, messages_ready }: QueueRow, { view }: Context): number {
  if (messages_ready === 0) return NaN;
  const seconds = view.snapshots.headTimestamp(vhost, name, 'memory');
  return seconds === null ? NaN : Number(seconds);
}

const ofChannel = (name: string, help: string, read: ObjectMetric<ChannelView>['read']) =>
  level<ChannelView>(`channel_${name}`, help, read);
const channelCount = (name: string, help: string, key: string) =>
  count<ChannelView>(`channel_${name}`, help, key);

export const CHANNELS: Kind<ChannelView> = {
  rows: ({ view }, vhosts) =>
    view.snapshots.host.channels(({ vhost }) => vhosts === null || vhosts.has(vhost)),
  // RabbitMQ has the exchange or the queue here; a channel counts for all of them together.
  labels: ({ name, vhost }) => ({ channel: name, vhost }),
  groups: [
    {
      name: 'channel_metrics',
      labels: ({ name }) => ({ channel: name }),
      metrics: [
        ofChannel('consumers', 'Consumers', (c) => c.consumer_count),
        ofChannel('messages_unacked', 'Messages unacked', (c) => c.messages_unacknowledged),
        ofChannel('messages_unconfirmed', 'Publishes unconfirmed', (c) => c.messages_unconfirmed),
        ofChannel(
          'messages_uncommitted',
          'Publishes in transactions',
          (c) => c.messages_uncommitted,
        ),
        ofChannel('acks_uncommitted', 'Acks in transactions', (c) => c.acks_uncommitted),
        level('consumer_prefetch', 'The prefetch of new consumers', (c) => c.prefetch_count),
        ofChannel('prefetch', 'The prefetch of the channel', (c) => c.global_prefetch_count),
      ],
    },
    {
      name: 'channel_exchange_metrics',
      metrics: [
        channelCount('messages_published', 'Messages published', 'publish'),
        channelCount('messages_confirmed', 'Messages confirmed', 'confirm'),
        channelCount('messages_unroutable_returned', 'Returned', 'return_unroutable'),
        channelCount('messages_unroutable_dropped', 'Dropped', 'drop_unroutable'),
      ],
    },
    {
      name: 'channel_queue_metrics',
      metrics: [
        channelCount('get_ack', 'By basic.get, to be acked', 'get'),
        channelCount('get', 'By basic.get, without ack', 'get_no_ack'),
        channelCount('messages_delivered_ack', 'Delivered, to be acked', 'deliver'),
        channelCount('messages_delivered', 'Delivered, without ack', 'deliver_no_ack'),
        channelCount('messages_redelivered', 'Delivered again', 'redeliver'),
        channelCount('messages_acked', 'Acked', 'ack'),
        channelCount('get_empty', 'basic.get that found nothing', 'get_empty'),
      ],
    },
  ],
};

export const CONNECTIONS: Kind<ConnectionView> = {
  rows: ({ view }, vhosts) =>
    view.snapshots.host.connections(({ vhost }) => vhosts === null || vhosts.has(vhost)),
  // RabbitMQ's word for it: a connection is the process there.
  labels: ({ name }) => ({ channel: name, connection: name }),
  groups: [
    {
      name: 'connection_coarse_metrics',
      metrics: [
        {
          name: 'connection_incoming_bytes_total',
          type: 'counter',
          help: 'Bytes received',
          read: (c) => c.recv_oct,
        },
        {
          name: 'connection_outgoing_bytes_total',
          type: 'counter',
          help: 'Bytes sent',
          read: (c) => c.send_oct,
        },
      ],
    },
    {
      name: 'connection_metrics',
      metrics: [level('connection_channels', 'Channels', (c) => c.channels)],
    },
  ],
};

export const EXCHANGES: Kind<ExchangeLine> = {
  rows: exchangeRows,
  labels: ({ vhost, name, type }) => ({ vhost, exchange: name, type }),
  groups: [
    {
      name: 'exchange_metrics',
      labels: ({ vhost, name }) => ({ vhost, exchange: name }),
      metrics: [
        count('exchange_messages_published', 'Messages published', 'publish_in'),
        count('exchange_messages_deduplicated', 'Duplicates that were dropped', 'dedup'),
      ],
    },
    { name: 'exchange_names', metrics: [level('exchange_name', 'That there is one', () => 1)] },
    {
      name: 'exchange_bindings',
      metrics: [
        level('exchange_bindings', 'Bindings of which it is the source', (e) => e.bindings),
      ],
    },
  ],
};

function* exchangeRows(
  { view: { snapshots } }: Context,
  vhosts: ReadonlySet<string> | null,
): Rows<ExchangeLine> {
  for (const row of snapshots.exchanges(vhosts ?? snapshots.vhostNames)) {
    if (row === null) yield null;
    else yield { ...row, bindings: snapshots.bindingCount(row.vhost, row.name) };
  }
}

export const VHOSTS: Kind<{ readonly name: string }> = {
  *rows({ view: { snapshots } }, vhosts) {
    for (const name of vhosts ?? snapshots.vhostNames) {
      yield name === null || !snapshots.hasVhost(name) ? null : { name };
    }
  },
  labels: ({ name }) => ({ vhost: name }),
  groups: [
    {
      name: 'vhost_status',
      metrics: [level('vhost_status', 'Whether a given vhost is running', () => 1)],
    },
  ],
};
