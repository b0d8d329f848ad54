// Owns RabbitMQ's global counters: messages since the start, by protocol, type of queue and what became of dead ones.
// Never counts.

import type { DeadLetterStrategy, DeathReason, MessageCounts } from '../../broker/stats/counts.ts';
import type { BrokerMetric, Labels, Sample } from './family.ts';

const PROTOCOL: Labels = { protocol: 'amqp091' };

/** RabbitMQ's words for the types of queues. */
const TYPE_LABELS: Readonly<Record<string, string>> = {
  classic: 'rabbit_classic_queue',
  quorum: 'rabbit_quorum_queue',
  stream: 'rabbit_stream_queue',
};

/** A count of publishes. */
function published(
  name: string,
  help: string,
  read: (counts: MessageCounts) => number,
): BrokerMetric {
  return {
    name: `global_messages_${name}_total`,
    type: 'counter',
    help,
    read: ({ counts }) => [[PROTOCOL, read(counts)]],
  };
}

/** A count of deliveries and acks, by the type of the queue. */
function ofQueues(
  name: string,
  help: string,
  read: (counts: MessageCounts) => number,
): BrokerMetric {
  return {
    name: `global_messages_${name}_total`,
    type: 'counter',
    help,
    read: ({ countsByType }) =>
      Object.entries(TYPE_LABELS).map(([type, label]): Sample => {
        const counts = countsByType.get(type);
        return [{ ...PROTOCOL, queue_type: label }, counts === undefined ? 0 : read(counts)];
      }),
  };
}

/** What queues of a type may do with dead messages, as RabbitMQ shows it: classic queues are at most once. */
const STRATEGIES: readonly (readonly [type: string, strategy: DeadLetterStrategy])[] = [
  ['classic', 'at_most_once'],
  ['classic', 'disabled'],
  ['quorum', 'at_most_once'],
  ['quorum', 'disabled'],
  ['quorum', 'at_least_once'],
];

/** Messages that died: handed on, or gone where the queue has no exchange for them. */
function deadLettered(reason: DeathReason, help: string): BrokerMetric {
  return {
    name: `global_messages_dead_lettered_${reason}_total`,
    type: 'counter',
    help: `Messages that ${help}, with what became of them`,
    read: ({ context }) => {
      const { deaths } = context.view.snapshots;
      // Such queues refuse what is too much.
      const shown = STRATEGIES.filter(([, how]) => reason !== 'maxlen' || how !== 'at_least_once');
      return shown.map(([type, strategy]): Sample => {
        const labels = { queue_type: TYPE_LABELS[type] ?? type, dead_letter_strategy: strategy };
        return [labels, deaths.ofType(type).of(strategy, reason)];
      });
    },
  };
}

export const GLOBAL_COUNTERS: readonly BrokerMetric[] = [
  {
    name: 'global_publishers',
    type: 'gauge',
    help: 'Channels that have published',
    read: ({ publishers }) => [[PROTOCOL, publishers]],
  },
  {
    name: 'global_consumers',
    type: 'gauge',
    help: 'Consumers',
    read: ({ totals }) => [[PROTOCOL, totals.consumers]],
  },
  published('received', 'Messages published', (c) => c.published),
  published('received_confirm', 'Messages that were confirmed or refused', (c) => c.confirmed),
  published('confirmed', 'Messages confirmed', (c) => c.confirmed),
  published('routed', 'Messages that some queue took', (c) => c.published - c.returned - c.dropped),
  published('unroutable_dropped', 'Messages that no queue took: dropped', (c) => c.dropped),
  published('unroutable_returned', 'Messages that no queue took: returned', (c) => c.returned),
  ofQueues(
    'delivered',
    'Messages delivered, any way',
    (c) => c.delivered + c.deliveredNoAck + c.got + c.gotNoAck,
  ),
  ofQueues('delivered_consume_manual_ack', 'To consumers that ack', (c) => c.delivered),
  ofQueues('delivered_consume_auto_ack', 'To consumers that do not', (c) => c.deliveredNoAck),
  ofQueues('delivered_get_manual_ack', 'By basic.get, to be acked', (c) => c.got),
  ofQueues('delivered_get_auto_ack', 'By basic.get, without ack', (c) => c.gotNoAck),
  ofQueues('get_empty', 'basic.get that found nothing', (c) => c.getEmpty),
  ofQueues('redelivered', 'Messages delivered again', (c) => c.redelivered),
  ofQueues('acknowledged', 'Messages acked', (c) => c.acked),
  deadLettered('rejected', 'consumers rejected'),
  deadLettered('expired', 'expired'),
  deadLettered('maxlen', 'were too many'),
  deadLettered('delivery_limit', 'came back too often'),
  {
    name: 'global_messages_dead_lettered_confirmed_total',
    type: 'counter',
    help: 'Dead letters of the strategy at-least-once that are in another queue',
    read: ({ context }) => {
      const labels = { queue_type: 'rabbit_quorum_queue', dead_letter_strategy: 'at_least_once' };
      return [[labels, context.view.snapshots.deaths.ofType('quorum').confirmed]];
    },
  },
];
