// Owns the metrics of streams and of the groups that read them. Never writes them out, and never adds them up.

import type { GroupView } from '../../broker/view/queues/stream-readers.ts';
import type { StreamOffsets } from '../../broker/view/queues/stream-snapshots.ts';
import type { Kind } from './objects.ts';

/** What streams have beside what all queues have. */
export const STREAMS: Kind<StreamOffsets> = {
  rows: ({ view: { snapshots } }, vhosts) =>
    snapshots.streams.offsets(vhosts ?? snapshots.vhostNames),
  labels: ({ vhost, name }) => ({ vhost, queue: name }),
  groups: [
    {
      name: 'stream_metrics',
      metrics: [
        {
          name: 'stream_first_offset',
          type: 'gauge',
          help: 'The offset of the first message that is kept',
          alone: true,
          read: (stream) => stream.first_offset,
        },
        {
          name: 'stream_next_offset',
          type: 'gauge',
          help: 'The offset that the next message gets',
          alone: true,
          read: (stream) => stream.next_offset,
        },
      ],
    },
    {
      name: 'stream_consumer_metrics',
      metrics: [
        {
          name: 'stream_consumer_max_offset_lag',
          type: 'gauge',
          help: 'Messages that the reader which is behind most has not got yet',
          alone: true,
          read: (stream) => stream.max_offset_lag,
        },
      ],
    },
  ],
};

/** Groups that have a place in a stream. */
export const STREAM_GROUPS: Kind<GroupView> = {
  rows: ({ view: { snapshots } }, vhosts) =>
    snapshots.streams.groups(vhosts ?? snapshots.vhostNames),
  labels: ({ vhost, queue, name }) => ({ vhost, queue, group: name }),
  groups: [
    {
      name: 'stream_group_metrics',
      metrics: [
        {
          name: 'stream_group_lag_messages',
          type: 'gauge',
          help: 'Messages at the place of the group and behind it',
          read: (group) => group.lag_messages,
        },
        {
          name: 'stream_group_lag_seconds',
          type: 'gauge',
          help: 'How long ago the message at the place of the group came',
          alone: true,
          read: (group) => group.lag_seconds ?? NaN,
        },
        {
          name: 'stream_group_offset',
          type: 'gauge',
          help: 'The place of the group',
          alone: true,
          read: (group) => group.offset,
        },
        {
          name: 'stream_group_consumers',
          type: 'gauge',
          help: 'Consumers in the group',
          read: (group) => group.consumers,
        },
      ],
    },
  ],
};
