// Owns what tools see of queues, exchanges and consumers: what they were declared with, counts, rates, ages and
// latencies. Never computes what no request asks for.

import { peekedArrivedMs, peekedTimestamp } from '../../message/read-message.ts';
import { CorruptRecordError } from '../../store/errors.ts';
import { HISTOGRAM_BOUNDS_MS, type Histogram } from '../../util/histogram.ts';
import type { JsonObject } from '../../util/json/json.ts';
import type { Rows } from '../../util/rows.ts';
import type { Broker } from '../broker.ts';
import { argumentsOf } from '../definitions/arguments-json.ts';
import type { Exchange } from '../exchange/exchange.ts';
import type { ChannelDetails, Consumer } from '../queue/consumer.ts';
import type { QueueLatency } from '../queue/latency.ts';
import type { Queue } from '../queue/queue.ts';
import type { Stream } from '../queue/stream/stream.ts';
import type { AnyQueue } from '../queue/types/create-queue.ts';
import type { DeathsView, MessageCounts } from '../stats/counts.ts';
import type { CountsView, Rates, RateView } from '../stats/rates.ts';
import type { Vhost } from '../vhost/vhost.ts';
import { paceWords } from './delayed/pace-words.ts';
import { retryWords } from './delayed/retry-words.ts';
import { mergeDefinitions } from './policies.ts';
import type { StreamFields } from './queues/stream-fields.ts';

/** How long something takes: RabbitMQ has nothing like it. */
export interface LatencyView {
  readonly count: number;
  readonly sum_ms: number;
  /** Cumulative, as in Prometheus; the last bound stands for all above it. */
  readonly buckets: readonly { readonly le_ms: number | null; readonly count: number }[];
}

/** The latencies of a queue, or of all. */
export interface LatenciesView {
  readonly enqueue_to_deliver: LatencyView;
  readonly deliver_to_ack: LatencyView;
}

/** The connection that a queue belongs to. */
export interface OwnerView {
  readonly name: string;
  readonly peer_host: string;
  readonly peer_port: number;
}

/** A queue with its statistics. */
export interface QueueRow extends Partial<QuorumPlaces>, Partial<StreamFields> {
  readonly name: string;
  readonly vhost: string;
  readonly type: string;
  readonly durable: boolean;
  readonly auto_delete: boolean;
  readonly exclusive: boolean;
  readonly arguments: JsonObject;
  readonly state: 'running' | 'paused' | 'set_aside';
  readonly messages: number;
  readonly messages_ready: number;
  readonly messages_unacknowledged: number;
  /** Those that wait for their time; `messages` is without them. */
  readonly messages_delayed: number;
  /** When the first of them is due, ms since the Unix epoch; null: none waits. */
  readonly next_delayed_at: number | null;
  readonly message_bytes_ready: number;
  readonly consumers: number;
  /** Null where none applies, as RabbitMQ's API has it. */
  readonly policy: string | null;
  readonly operator_policy: string | null;
  readonly effective_policy_definition: JsonObject;
  readonly node: string;
  readonly message_bytes: number;
  readonly message_bytes_unacknowledged: number;
  readonly message_bytes_persistent: number;
  readonly message_bytes_ram: number;
  readonly message_bytes_paged_out: number;
  readonly messages_persistent: number;
  readonly messages_ram: number;
  readonly messages_ready_ram: number;
  readonly messages_unacknowledged_ram: number;
  readonly messages_paged_out: number;
  readonly messages_details: RateView;
  readonly messages_ready_details: RateView;
  readonly messages_unacknowledged_details: RateView;
  readonly consumer_capacity: number;
  readonly consumer_utilisation: number;
  readonly exclusive_consumer_tag: string | null;
  readonly single_active_consumer_tag: string | null;
  readonly memory: number;
  /** Left out while it is busy, or until it has been looked at twice. */
  readonly idle_since?: string;
  /** Left out until something has happened. */
  readonly message_stats: CountsView | undefined;
  /** How its messages died since the start; left out until one has. */
  readonly deaths?: DeathsView;
  /** The connection that declared it exclusive, where it is. */
  readonly owner_pid_details?: OwnerView;
}

/** Where the copies of a quorum queue are: there is one node. */
interface QuorumPlaces {
  readonly leader: string;
  readonly members: readonly string[];
  readonly online: readonly string[];
}

/** There is one node. */
function alone(node: string): QuorumPlaces {
  return { leader: node, members: [node], online: [node] };
}

/** What is shown of a queue that is looked at by itself, or of few. */
export interface QueueDetail extends QueueRow {
  /** How long the message that goes out next has been in the broker, ms; null: there is none. */
  readonly oldest_message_age_ms: number | null;
  /** What its publisher says of that message in the property `timestamp`; null: nothing, or there is none. */
  readonly head_message_timestamp: number | bigint | null;
  readonly latency: LatenciesView | null;
  /** What becomes of messages that come back, in words. */
  readonly retry_rule: string;
  /** How fast and in which order messages go out, in words; empty: in order, and as fast as consumers take them. */
  readonly delivery_rule: string;
  /** How many groups have messages; null: the queue has no groups. */
  readonly message_groups: number | null;
}

/** An exchange with its statistics. */
export interface ExchangeRow {
  readonly name: string;
  readonly vhost: string;
  readonly type: string;
  readonly durable: boolean;
  readonly auto_delete: boolean;
  readonly internal: boolean;
  readonly arguments: JsonObject;
  /** Null where none applies. */
  readonly policy: string | null;
  readonly effective_policy_definition: JsonObject;
  /** Left out until something has happened. */
  readonly message_stats: object | undefined;
}

/** A consumer with where it is. */
export interface ConsumerRow {
  readonly consumer_tag: string;
  readonly ack_required: boolean;
  readonly exclusive: boolean;
  readonly prefetch_count: number;
  readonly arguments: JsonObject;
  readonly active: boolean;
  readonly activity_status: 'up' | 'waiting' | 'single_active';
  readonly queue: { readonly name: string; readonly vhost: string };
  readonly channel_details: ChannelDetails;
}

/** Which consumers are wanted, by their channels. */
export type ConsumerFilter = (at: ChannelDetails) => boolean;

/** What a queue's objects take in memory, about, and each message of it that is there. */
const QUEUE_BYTES = 2048;
const ENTRY_BYTES = 14;

export function rowOfQueue(vhost: Vhost, queue: Queue, rates: Rates): QueueRow {
  queue.catchUp();
  const { messages, consumers, subscribed } = queue;
  const { bytes, storedCount } = messages;
  const count = messages.readyCount + messages.unackedCount;
  const mean = count === 0 ? 0 : bytes / count;
  const willing = !queue.paused && consumers.some((consumer) => consumer.ready);
  const { policy, operator } = vhost.policies.of(queue);
  const tally = tallyOfQueue(queue);
  // Written out: an object of this many fields that is put together by spreading is a slow one.
  return {
    name: queue.name,
    vhost: vhost.name,
    type: queue.type.name,
    durable: queue.durable,
    auto_delete: queue.autoDelete,
    exclusive: queue.owner !== null,
    arguments: argumentsOf(queue),
    state: queue.unreadable !== null ? 'set_aside' : queue.paused ? 'paused' : 'running',
    messages: count,
    messages_ready: messages.readyCount,
    messages_unacknowledged: messages.unackedCount,
    messages_delayed: queue.delays.count,
    next_delayed_at: queue.delays.nextAt,
    message_bytes_ready: messages.readyBytes,
    consumers: consumers.length,
    policy: policy?.name ?? null,
    operator_policy: operator?.name ?? null,
    effective_policy_definition: mergeDefinitions({ policy, operator }),
    node: vhost.nodeName,
    message_bytes: bytes,
    message_bytes_unacknowledged: bytes - messages.readyBytes,
    message_bytes_persistent: Math.round(mean * storedCount),
    message_bytes_ram: bytes,
    message_bytes_paged_out: 0,
    messages_persistent: storedCount,
    messages_ram: count,
    messages_ready_ram: messages.readyCount,
    messages_unacknowledged_ram: messages.unackedCount,
    messages_paged_out: 0,
    messages_details: rates.of(messages, 0),
    messages_ready_details: rates.of(messages, 1),
    messages_unacknowledged_details: rates.of(messages, 2),
    consumer_capacity: willing ? 1 : 0,
    consumer_utilisation: willing ? 1 : 0,
    exclusive_consumer_tag: subscribed.exclusive?.tag ?? null,
    single_active_consumer_tag: subscribed.active?.tag ?? null,
    memory: QUEUE_BYTES + count * ENTRY_BYTES,
    message_stats: shownStats(rates.view(tally, tally, 'queues')),
    ...(queue.deaths.any ? { deaths: queue.deaths.view() } : {}),
    ...idleSince(rates, tally),
    ...(queue.type.hasMembers ? alone(vhost.nodeName) : {}),
  };
}

/** What happened, where something has: RabbitMQ leaves it out before. */
export function shownStats(stats: CountsView): CountsView | undefined {
  // Each of them counts deliveries.
  return stats['deliver_get'] === undefined ? undefined : stats;
}

/** What happened to the messages of a queue, as of now; always the same object. */
export function tallyOfQueue({ counts, messages, delays }: Queue): MessageCounts {
  counts.published = messages.pushedCount + delays.neverReady;
  return counts;
}

/** `idle_since` of a queue or a channel by its counts, where that is known. */
export function idleSince(rates: Rates, counts: MessageCounts): { readonly idle_since?: string } {
  const since = rates.idleSince(counts);
  return since === null ? {} : { idle_since: since };
}

export function detailOfQueue(broker: Broker, vhost: Vhost, queue: Queue): QueueDetail {
  const { latency } = queue;
  return {
    ...rowOfQueue(vhost, queue, broker.rates),
    oldest_message_age_ms: oldestMessageMs(broker, queue),
    head_message_timestamp: headTimestamp(broker, queue),
    latency: latency === null ? null : viewLatency(latency),
    retry_rule: retryWords(queue.rules),
    delivery_rule: paceWords(queue.rules, queue.durable),
    message_groups: queue.messages.grouped?.groups.count ?? null,
  };
}

/** How old the message is that goes out next, ms; null: there is none, or it is damaged. */
export function oldestMessageMs(broker: Broker, queue: Queue): number | null {
  const arrivedMs = peekHead(broker, queue, 'anywhere', peekedArrivedMs);
  return arrivedMs === null ? null : Math.max(0, broker.core.time.now() - arrivedMs);
}

/**
 * The publisher's `timestamp` of the message that goes out next; null: it has none, there is no message, it is damaged,
 * or it is not `within` what may be looked at.
 */
export function headTimestamp(
  broker: Broker,
  queue: Queue,
  within: Reach = 'anywhere',
): number | bigint | null {
  return peekHead(broker, queue, within, peekedTimestamp);
}

/** Where a look may go: to the disk as well, which reads a whole segment, or to memory alone. */
export type Reach = 'anywhere' | 'memory';

/** Reads something of the message that goes out next; null: there is none, it is away, or it is damaged. */
function peekHead<T>(
  { core: { log } }: Broker,
  queue: Queue,
  within: Reach,
  read: (bytes: Buffer, position: number) => T,
): T | null {
  const position = headPosition(queue);
  if (position === null) return null;
  try {
    const bytes = within === 'memory' ? log.peekResident(position) : log.peek(position);
    return bytes === null ? null : read(bytes, position);
  } catch (error) {
    // The queue sets it aside once it is its turn; a look at many queues goes on.
    if (error instanceof CorruptRecordError) return null;
    throw error;
  }
}

/** Where the message is that goes out next. */
function headPosition({ messages }: Queue): number | null {
  if (messages.readyCount === 0) return null;
  const lane = messages.laneSet.top;
  const head = lane.findHead();
  return head < 0 ? null : lane.entries.positionOf(head);
}

export function viewLatency(latency: QueueLatency): LatenciesView {
  return {
    enqueue_to_deliver: viewHistogram(latency.enqueueToDeliver),
    deliver_to_ack: viewHistogram(latency.deliverToAck),
  };
}

function viewHistogram({ count, sumMs, buckets }: Histogram): LatencyView {
  let sum = 0;
  const cumulative = [...buckets].map((each, i) => {
    sum += each;
    return { le_ms: HISTOGRAM_BOUNDS_MS[i] ?? null, count: sum };
  });
  return { count, sum_ms: sumMs, buckets: cumulative };
}

export function rowOfExchange(vhost: Vhost, exchange: Exchange, rates: Rates): ExchangeRow {
  const { publishedIn, publishedOut, duplicatesIn } = exchange;
  const stats =
    publishedIn === 0
      ? undefined
      : {
          publish_in: publishedIn,
          publish_in_details: rates.of(exchange, 0),
          publish_out: publishedOut,
          publish_out_details: rates.of(exchange, 1),
          dedup: duplicatesIn,
          dedup_details: rates.of(exchange, 2),
        };
  const effective = vhost.policies.of(exchange);
  return {
    name: exchange.name,
    vhost: vhost.name,
    type: exchange.type,
    durable: exchange.durable,
    auto_delete: exchange.autoDelete,
    internal: exchange.internal,
    arguments: argumentsOf(exchange),
    policy: effective.policy?.name ?? null,
    effective_policy_definition: mergeDefinitions(effective),
    message_stats: stats,
  };
}

/** The consumers of a queue, as they are when this begins; null for those that `wanted` refuses. */
export function* rowsOfConsumers(
  vhost: Vhost,
  queue: AnyQueue,
  wanted: ConsumerFilter,
): Rows<ConsumerRow> {
  yield null;
  const reading = queue.isStream ? ownersIn(queue) : null;
  // Consumers come and go while rows are made: so the list is a copy that only this code has.
  for (const consumer of queue.consumers.slice()) {
    const at = consumer.channel.details();
    const active = reading === null || reading.has(consumer);
    yield wanted(at) ? rowOfConsumer(vhost, queue, consumer, at, active) : null;
  }
}

/** The consumers of a stream that messages go to: others of their groups wait. */
function ownersIn(stream: Stream): ReadonlySet<Consumer | null> {
  const owners = new Set<Consumer | null>();
  for (const reading of stream.readings) owners.add(reading.cursorIn(stream)?.owner ?? null);
  return owners;
}

function rowOfConsumer(
  vhost: Vhost,
  queue: AnyQueue,
  consumer: Consumer,
  at: ChannelDetails,
  reading: boolean,
): ConsumerRow {
  const single = queue.rules.singleActiveConsumer;
  const active = queue.isStream ? reading : !single || queue.subscribed.active === consumer;
  return {
    consumer_tag: consumer.tag,
    ack_required: !consumer.noAck,
    exclusive: consumer.exclusive,
    prefetch_count: consumer.prefetch,
    arguments: argumentsOf(consumer),
    active,
    activity_status: !active ? 'waiting' : single ? 'single_active' : 'up',
    queue: { name: queue.name, vhost: vhost.name },
    channel_details: at,
  };
}
