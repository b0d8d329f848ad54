// Owns publishing the message of a schedule, as a client would: its route and its record. Never decides when.

import type { FieldTable } from '../../amqp/field-table.ts';
import { PROPERTY_FLAGS_OFFSET, replaceHeaders } from '../../amqp/property-walk.ts';
import { Chunk } from '../../message/chunk.ts';
import { readChunk } from '../../message/read-message.ts';
import { buildRecord, FLAG_PERSISTENT, NO_EXPIRY, writeRecordHead } from '../../message/record.ts';
import type { BrokerCore } from '../core/core.ts';
import { ENQUEUED_STORED, enqueue, enqueueWide, refusalsIn, WIDE_ROUTE } from '../core/enqueue.ts';
import { DELAYED_TYPE } from '../exchange/registry.ts';
import { exchangeIn, queueIn } from '../names-in-texts.ts';
import { DELAY_MAX_MS, delayOf, withDelayNegated } from '../queue/delay/delay-headers.ts';
import {
  PUSH_DELAYED,
  PUSH_EXPIRES,
  PUSH_PRIORITY,
  PUSH_PRIORITY_SHIFT,
  PUSH_STREAM_HEADERS,
} from '../queue/push-flags.ts';
import { MessageProperties } from '../routing/message-properties.ts';
import type { Route } from '../routing/route.ts';
import { copyKeys } from '../routing/sender-selected.ts';
import type { Steps } from '../turn/slices.ts';
import type { Schedule, ScheduleDefinition, ScheduledVhost } from './schedule.ts';

/** A message that is whole, and in no queue yet. */
interface Prepared {
  readonly chunk: Chunk;
  readonly route: Route;
  readonly bodyBytes: number;
  readonly flags: number;
}

/**
 * Publishes a message, and calls `done` within the same batch: with why it reached no queue or not each of them, or
 * with null. Before this returns, unless the queues are very many.
 */
export function publishScheduled(
  core: BrokerCore,
  schedule: Schedule,
  done: (error: string | null) => void,
): void {
  const { vhost, definition } = schedule;
  const prepared = prepare(core, schedule);
  if ('error' in prepared) {
    core.line.change(() => done(prepared.error));
    return;
  }
  const { chunk, route, bodyBytes, flags } = prepared;
  const { queues, keep } = route;
  trace(core, schedule, prepared);
  if (queues.length >= WIDE_ROUTE) {
    core.slices.whole(toMany(core, vhost, prepared, done), () => {});
    return;
  }
  core.line.begin();
  count(core, vhost, route);
  const end = chunk.bytes.length;
  const outcome =
    queues.length === 0 ? 0 : enqueue(core, chunk, 0, end, bodyBytes, queues, keep, flags);
  route.keys?.count();
  if (refusalsIn(outcome) === 0) route.keys?.take((outcome & ENQUEUED_STORED) !== 0);
  done(errorOf(vhost, definition, route, refusalsIn(outcome) > 0));
  core.line.end();
}

function prepare(
  core: BrokerCore,
  { vhost, definition, asked }: Schedule,
): Prepared | { readonly error: string } {
  const { exchange, routingKey, headerPayload, body } = definition;
  const { headers, persistent, priority, expiryMs } = asked;
  const properties = new MessageProperties().read(headerPayload, PROPERTY_FLAGS_OFFSET);
  const keys = [routingKey, ...copyKeys(headers)];
  const route = vhost.router.routeAll(exchange, keys, properties);
  if (route === null) return { error: `no ${exchangeIn(vhost.name, exchange)}` };
  if (route.exchange.internal) {
    return { error: `cannot publish to internal ${exchangeIn(vhost.name, exchange)}` };
  }
  const delayMs = delayOf(headers, core.time.wallOf(core.nowMs)) ?? 0;
  if (delayMs > DELAY_MAX_MS) return { error: `a message may wait for ${DELAY_MAX_MS} ms at most` };
  let payload = headerPayload;
  const shown: FieldTable = new Map(headers);
  if (shown.delete('BCC')) payload = replaceHeaders(payload, shown, false);
  if (delayMs > 0 && route.exchange.type === DELAYED_TYPE) {
    payload = withDelayNegated(payload, shown);
  }
  const chunk = new Chunk();
  chunk.loadRecord(buildRecord(exchange, routingKey, payload, body), null);
  const kept = persistent ? FLAG_PERSISTENT : 0;
  writeRecordHead(chunk.view, 0, kept, priority ?? 0, core.nowMs, expiryMs);
  let flags = PUSH_STREAM_HEADERS;
  if (priority !== null) flags |= PUSH_PRIORITY | (priority << PUSH_PRIORITY_SHIFT);
  if (expiryMs !== NO_EXPIRY) flags |= PUSH_EXPIRES;
  if (delayMs > 0) flags |= PUSH_DELAYED;
  return { chunk, route, bodyBytes: body.length, flags };
}

function trace(core: BrokerCore, { vhost, name }: Schedule, { chunk, route }: Prepared): void {
  if (vhost.firehose === null) return;
  const by = { number: 0, connectionName: `schedule ${name}`, userName: core.nodeName };
  vhost.firehose.published(by, readChunk(chunk, 0), route.queues);
}

/** Publishes belong to no channel: they count as those of channels that are closed. */
function count({ counts }: BrokerCore, { closed }: ScheduledVhost, route: Route): void {
  const { exchange, queues } = route;
  exchange.publishedIn += 1;
  exchange.publishedOut += queues.length;
  for (const { messages } of [counts.closed, closed]) {
    messages.published += 1;
    if (route.unroutable) messages.dropped += 1;
  }
}

function* toMany(
  core: BrokerCore,
  vhost: ScheduledVhost,
  { chunk, route, bodyBytes, flags }: Prepared,
  done: (error: string | null) => void,
): Steps {
  const outcome = { stored: false, refused: false };
  const { queues, keep } = route;
  const end = chunk.bytes.length;
  core.line.begin();
  count(core, vhost, route);
  const steps = enqueueWide(core, chunk, 0, end, bodyBytes, queues, keep, flags, outcome);
  route.keys?.takeAhead(outcome.stored);
  core.line.end();
  yield* steps;
  core.line.change(() => {
    if (outcome.refused) route.keys?.undo();
    done(outcome.refused ? SOME_FULL : null);
  });
}

const SOME_FULL = 'a queue is full and refused the message';

function errorOf(
  vhost: ScheduledVhost,
  { exchange, routingKey }: ScheduleDefinition,
  { unroutable }: Route,
  refused: boolean,
): string | null {
  if (refused) return SOME_FULL;
  if (!unroutable) return null;
  if (exchange === '') return `no ${queueIn(vhost.name, routingKey)}`;
  return `no queue is bound to ${exchangeIn(vhost.name, exchange)} with routing key '${routingKey}'`;
}
