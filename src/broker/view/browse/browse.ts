// Owns looking into a queue or a stream without disturbing it: nothing is delivered, marked or moved. Never does
// more at a time than the event loop can bear.

import type { FieldTable } from '../../../amqp/field-table.ts';
import type { MessageLog } from '../../../message/log/log.ts';
import { arrivedMsAt, type ReadMessage } from '../../../message/read-message.ts';
import type { Clock } from '../../../util/clock.ts';
import { Refusal } from '../../errors.ts';
import type { AnyQueue } from '../../queue/types/create-queue.ts';
import { lastDeathOf } from '../../republish/deaths.ts';
import type { BrokerTime } from '../../turn/broker-time.ts';
import { type MessageView, type PayloadEncoding, viewMessage } from '../message-json.ts';
import { QueueWalk } from './queue-walk.ts';
import { type StreamPart, StreamWalk } from './stream-walk.ts';
import type { MessageWalk } from './walk.ts';

/** Which messages are wanted: all that fit what is given. */
export interface MessageFilter {
  /** The routing key; `*` stands for any characters. Null: any. */
  readonly routingKey: string | null;
  /** A header that has to be there, and the text of its value; null: any value. */
  readonly header: { readonly name: string; readonly value: string | null } | null;
}

/** A part of what is in a queue. */
export interface BrowsePage {
  readonly messages: readonly BrowsedMessage[];
  /** Where to go on; null: that was the end. */
  readonly next_cursor: string | null;
  /** How many were looked at. */
  readonly scanned: number;
}

/** A message with what its queue knows of it. */
export interface BrowsedMessage extends MessageView {
  /** Its place in the queue. */
  readonly seq: number;
  /** The same, where the queue is a stream. */
  readonly offset?: number;
  readonly state: 'ready' | 'unacked';
  /** When it came into the broker, ms since the Unix epoch. */
  readonly arrived_at: number;
  readonly truncated: boolean;
  /** For a dead letter, where and why it died last, and its address then; null for what `x-death` does not say. */
  readonly last_death: LastDeathView | null;
}

/** The newest entry of `x-death`. */
interface LastDeathView {
  readonly reason: string | null;
  readonly queue: string | null;
  readonly exchange: string | null;
  readonly routing_key: string | null;
  readonly count: number;
}

/** Whether a message is wanted. */
export function matches(filter: MessageFilter, { routingKey, headers }: ReadMessage): boolean {
  if (filter.routingKey !== null && !fitsPattern(filter.routingKey, routingKey)) return false;
  return filter.header === null || hasHeader(headers, filter.header);
}

function hasHeader(
  headers: FieldTable,
  { name, value }: NonNullable<MessageFilter['header']>,
): boolean {
  const field = headers.get(name);
  if (field === undefined) return false;
  return value === null || String(field.value) === value;
}

/** Without a regular expression: any user may send a pattern, and it must not take long. */
export function fitsPattern(pattern: string, text: string): boolean {
  const parts = pattern.split('*');
  if (parts.length === 1) return text === pattern;
  const first = parts[0] as string;
  const last = parts[parts.length - 1] as string;
  if (text.length < first.length + last.length) return false;
  if (!text.startsWith(first) || !text.endsWith(last)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= text.length - last.length;
}

/** All of a stream. */
export const WHOLE_STREAM: StreamPart = { start: null, values: [] };

/**
 * A walk over a queue, or over a part of a stream; `cursor` is '' for the beginning. Throws a Refusal for a cursor that is none,
 * and for a part of what is no stream.
 */
export function walkOver(
  queue: AnyQueue,
  log: MessageLog,
  clock: Clock,
  cursor: string,
  part: StreamPart,
): MessageWalk {
  if (queue.isStream) return new StreamWalk(queue, log, clock, cursor, part);
  if (part.start !== null || part.values.length > 0) {
    throw new Refusal(
      'invalid',
      `offset, time and filter are for streams: '${queue.name}' is none`,
    );
  }
  return new QueueWalk(queue, log, clock, cursor);
}

/** Looks at up to `count` messages of a queue that fit, from a cursor on. */
export function browse(
  queue: AnyQueue,
  log: MessageLog,
  clock: Clock,
  time: BrokerTime,
  { cursor, count, part = WHOLE_STREAM, filter, encoding, truncate }: BrowseRequest,
): BrowsePage {
  const walk = walkOver(queue, log, clock, cursor, part);
  const messages: BrowsedMessage[] = [];
  walk.run((entry, message) => {
    if (matches(filter, message)) {
      messages.push({
        ...viewMessage(message, false, encoding, truncate),
        seq: entry.seq,
        ...(queue.isStream ? { offset: entry.seq } : {}),
        state: entry.ready ? 'ready' : 'unacked',
        arrived_at: time.wallOf(arrivedMsAt(log, entry.position)),
        truncated: message.body.length > truncate,
        last_death: viewLastDeath(message.headers),
      });
    }
    return messages.length < count;
  });
  return { messages, next_cursor: walk.cursor, scanned: walk.scanned };
}

function viewLastDeath(headers: FieldTable): LastDeathView | null {
  const death = lastDeathOf(headers);
  if (death === null) return null;
  const { reason, queue, exchange, routingKey, count } = death;
  return {
    reason,
    queue,
    exchange: exchange?.toString() ?? null,
    routing_key: routingKey?.toString() ?? null,
    count,
  };
}

/** What to look for. */
export interface BrowseRequest {
  readonly cursor: string;
  readonly count: number;
  /** What of a stream; all of it unless given. */
  readonly part?: StreamPart;
  readonly filter: MessageFilter;
  readonly encoding: PayloadEncoding;
  /** Bytes of each payload to show. */
  readonly truncate: number;
}
