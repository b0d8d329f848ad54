// Owns what tools see of streams: the same rows as of queues, with what streams alone have. Never computes what no request
// asks for.

import type { Broker } from '../../broker.ts';
import { argumentsOf } from '../../definitions/arguments-json.ts';
import { spanOf } from '../../queue/stream/entries/span.ts';
import type { Stream } from '../../queue/stream/stream.ts';
import type { StreamRules } from '../../queue/stream/stream-rules.ts';
import type { Rates } from '../../stats/rates.ts';
import type { Vhost } from '../../vhost/vhost.ts';
import { mergeDefinitions } from '../policies.ts';
import { idleSince, type QueueDetail, type QueueRow, shownStats } from '../rows.ts';
import type { StreamLimitsView } from './stream-fields.ts';

/** What a stream's objects take in memory, about. */
const STREAM_BYTES = 8192;

/** The row of a stream. */
export function rowOfStream(vhost: Vhost, stream: Stream, rates: Rates): QueueRow {
  const { entries, counts, consumers, readings, unackedCount } = stream;
  const { count, bodyBytes, first, tail, durableTail } = entries;
  const { policy, operator } = vhost.policies.of(stream);
  const willing = !stream.paused && consumers.some((consumer) => consumer.ready);
  return {
    name: stream.name,
    vhost: vhost.name,
    type: stream.type.name,
    durable: true,
    auto_delete: false,
    exclusive: false,
    arguments: argumentsOf(stream),
    state: stream.paused ? 'paused' : 'running',
    messages: count,
    messages_ready: count,
    messages_unacknowledged: unackedCount,
    messages_delayed: 0,
    next_delayed_at: null,
    message_bytes_ready: bodyBytes,
    consumers: consumers.length,
    policy: policy?.name ?? null,
    operator_policy: operator?.name ?? null,
    effective_policy_definition: mergeDefinitions({ policy, operator }),
    node: vhost.nodeName,
    message_bytes: bodyBytes,
    message_bytes_unacknowledged: 0,
    message_bytes_persistent: bodyBytes,
    message_bytes_ram: 0,
    message_bytes_paged_out: bodyBytes,
    messages_persistent: count,
    messages_ram: 0,
    messages_ready_ram: 0,
    messages_unacknowledged_ram: 0,
    messages_paged_out: count,
    messages_details: rates.of(entries, 0),
    messages_ready_details: rates.of(entries, 1),
    messages_unacknowledged_details: rates.of(entries, 2),
    consumer_capacity: willing ? 1 : 0,
    consumer_utilisation: willing ? 1 : 0,
    exclusive_consumer_tag: null,
    single_active_consumer_tag: null,
    memory: STREAM_BYTES,
    message_stats: shownStats(rates.view(counts, counts, 'queues')),
    ...idleSince(rates, counts),
    leader: vhost.nodeName,
    members: [vhost.nodeName],
    online: [vhost.nodeName],
    readers: { [vhost.nodeName]: readings.size },
    first_offset: first,
    last_offset: count === 0 ? null : tail - 1,
    next_offset: tail,
    committed_offset: durableTail === 0 ? null : durableTail - 1,
    segments: count === 0 ? 0 : spanOf(tail - 1) - spanOf(first) + 1,
    groups: stream.places.all.size,
    limits: viewLimits(stream.limits),
  };
}

function viewLimits({ maxAgeMs, lengthMax, lengthBytesMax }: StreamRules): StreamLimitsView {
  const shown = (limit: number): number | null => (limit === Infinity ? null : limit);
  return {
    max_age_ms: shown(maxAgeMs),
    max_length: shown(lengthMax),
    max_length_bytes: shown(lengthBytesMax),
  };
}

/** The same, of a stream that is looked at by itself. */
export function detailOfStream(broker: Broker, vhost: Vhost, stream: Stream): QueueDetail {
  return {
    ...rowOfStream(vhost, stream, broker.rates),
    oldest_message_age_ms: oldestInStreamMs(broker, stream),
    head_message_timestamp: null,
    latency: null,
    retry_rule: '',
    delivery_rule: '',
    message_groups: null,
  };
}

/** How old the first message is that is kept, ms, as far as its page tells; null: there is none. */
export function oldestInStreamMs(broker: Broker, { entries }: Stream): number | null {
  const { headFirstMs } = entries;
  return headFirstMs === Infinity ? null : Math.max(0, broker.core.time.now() - headFirstMs);
}
