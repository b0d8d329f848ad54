// Owns looking into a queue without disturbing it: nothing is delivered, marked or moved. Never does
// more at a time than the event loop can bear.

import type { FieldTable } from '../../amqp/field-table.ts';
import type { MessageLog } from '../../message/log/log.ts';
import { arrivedMsAt, type ReadMessage, readMessage } from '../../message/read-message.ts';
import type { Clock } from '../../util/clock.ts';
import { Refusal } from '../errors.ts';
import { LANES_MAX } from '../queue/messages/lane.ts';
import { LANE_PAGES } from '../queue/messages/queue-rows.ts';
import { type BrowsedEntry, browsePage } from '../queue/messages/visiting.ts';
import type { Queue } from '../queue/queue.ts';
import { lastDeathOf } from '../republish/deaths.ts';
import type { BrokerTime } from '../turn/broker-time.ts';
import { type MessageView, type PayloadEncoding, viewMessage } from './message-json.ts';

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

/** What is done in one turn at most: a caller that wants more goes on in a later one, from the cursor. */
const SCAN_MAX = 2000;
const SCAN_MS_MAX = 10;
const SCAN_BYTES_MAX = 4 * 2 ** 20;

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

/** A walk over the messages of a queue, in pieces. */
export class Walk {
  scanned = 0;
  private readonly queue: Queue;
  private readonly log: MessageLog;
  private readonly clock: Clock;
  private readonly endMs: number;
  private page: number;
  /** The first slot of the page that was not looked at yet. */
  private slot: number;
  private bytes = 0;

  /** `cursor` is '' for the beginning. Throws a Refusal for one that is none. */
  constructor(queue: Queue, log: MessageLog, clock: Clock, cursor: string) {
    this.queue = queue;
    this.log = log;
    this.clock = clock;
    this.endMs = clock.monotonicMs() + SCAN_MS_MAX;
    [this.page, this.slot] = parseCursor(cursor);
  }

  /** Where to go on; null: at the end. */
  get cursor(): string | null {
    return this.page < 0 ? null : `${this.page}.${this.slot}`;
  }

  /**
   * Visits messages until `visit` wants no more, which it says by returning false, or enough has been
   * done at a time.
   */
  run(visit: (entry: BrowsedEntry, message: ReadMessage) => boolean): void {
    while (this.page >= 0) {
      const entries: BrowsedEntry[] = [];
      const next = browsePage(this.queue.messages.lanes, this.page, (entry) => entries.push(entry));
      // Pages that are gone were passed over: the slot counts only in the page it was of.
      const found = next < 0 ? -1 : next - 1;
      const from = found === this.page ? this.slot : 0;
      for (const entry of entries) {
        const slot = entry.inner % 256;
        if (slot < from) continue;
        if (this.exhausted()) {
          this.page = found;
          this.slot = slot;
          return;
        }
        this.scanned += 1;
        this.bytes += entry.bodyBytes;
        const look = (): boolean => visit(entry, readMessage(this.log, entry.position));
        if (!this.queue.endings.lookAt(entry, 'browse', look)) {
          this.page = found;
          this.slot = slot + 1;
          return;
        }
      }
      this.page = next;
      this.slot = 0;
    }
  }

  private exhausted(): boolean {
    if (this.scanned === 0) return false;
    return (
      this.scanned >= SCAN_MAX ||
      this.bytes >= SCAN_BYTES_MAX ||
      this.clock.monotonicMs() >= this.endMs
    );
  }
}

/** Looks at up to `count` messages of a queue that fit, from a cursor on. */
export function browse(
  queue: Queue,
  log: MessageLog,
  clock: Clock,
  time: BrokerTime,
  { cursor, count, filter, encoding, truncate }: BrowseRequest,
): BrowsePage {
  const walk = new Walk(queue, log, clock, cursor);
  const messages: BrowsedMessage[] = [];
  walk.run((entry, message) => {
    if (matches(filter, message)) {
      messages.push({
        ...viewMessage(message, false, encoding, truncate),
        seq: entry.seq,
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
  readonly filter: MessageFilter;
  readonly encoding: PayloadEncoding;
  /** Bytes of each payload to show. */
  readonly truncate: number;
}

function parseCursor(cursor: string): [page: number, slot: number] {
  if (cursor === '') return [0, 0];
  const match = /^(\d{1,15})\.(\d{1,3})$/.exec(cursor);
  if (match === null || Number(match[1]) >= LANE_PAGES * LANES_MAX) {
    throw new Refusal('invalid', `'${cursor}' is no cursor: use next_cursor of the answer before`);
  }
  return [Number(match[1]), Number(match[2])];
}
