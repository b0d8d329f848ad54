// Owns what a traced vhost tells of its messages: a copy of each that is published or delivered, sent
// to amq.rabbitmq.trace with headers that say what became of it. Never looks at one that is not traced.

import { isDeeper } from '../../amqp/field-depth.ts';
import { type Field, type FieldTable, textField } from '../../amqp/field-table.ts';
import {
  decodeProperties,
  encodeContentHeaderPayload,
  type Properties,
  propertyBit,
} from '../../amqp/properties.ts';
import { PROPERTY_FLAGS_OFFSET, propertyStart, replaceHeaders } from '../../amqp/property-walk.ts';
import { FIELD_DEPTH_MAX } from '../../amqp/table-limits.ts';
import { Chunk } from '../../message/chunk.ts';
import type { ReadMessage } from '../../message/read-message.ts';
import { buildRecord, NO_EXPIRY, writeRecordHead } from '../../message/record.ts';
import { exactText } from '../../util/bytes.ts';
import type { BrokerCore } from '../core/core.ts';
import { enqueue, KEEP_ALL, KEEP_NONE } from '../core/enqueue.ts';
import { MessageProperties } from '../routing/message-properties.ts';
import { copyKeyFields } from '../routing/sender-selected.ts';
import type { RoutedVhost } from './dead-letter.ts';

const TRACE_EXCHANGE = 'amq.rabbitmq.trace';
const NO_HEADERS: FieldTable = new Map();

/** The channel by which a message came, or to which it went. */
export interface TracedChannel {
  readonly number: number;
  readonly connectionName: string;
  readonly userName: string;
}

const integer = (value: number): Field => ({ type: 'I', value });
const list = (value: readonly Field[]): Field => ({ type: 'A', value });

interface Named {
  readonly name: string;
}

/** The tracing of one vhost, while it is on. */
export class Firehose {
  private readonly core: BrokerCore;
  private readonly vhost: RoutedVhost;

  constructor(core: BrokerCore, vhost: RoutedVhost) {
    this.core = core;
    this.vhost = vhost;
  }

  /** A message was published, and goes to these queues. */
  published(by: TracedChannel, message: ReadMessage, queues: readonly Named[]): void {
    const routed = list(queues.map((queue) => textField(queue.name)));
    this.tell(by, message, `publish.${message.exchange}`, [], [['routed_queues', routed]]);
  }

  /** A message is delivered, or given to basic.get. */
  delivered(by: TracedChannel, message: ReadMessage, queue: Named, redelivered: boolean): void {
    const flag = integer(redelivered ? 1 : 0);
    this.tell(by, message, `deliver.${queue.name}`, [['redelivered', flag]], []);
  }

  private tell(
    by: TracedChannel,
    message: ReadMessage,
    key: string,
    before: [string, Field][],
    after: [string, Field][],
  ): void {
    const exchange = this.vhost.exchanges.get(TRACE_EXCHANGE);
    // What traces say is not traced itself, or there would be no end of it.
    if (exchange === undefined || exchange.bindings.size === 0) return;
    if (message.exchange === TRACE_EXCHANGE) return;
    const { exchange: name, routingKey } = message.address;
    const headers: FieldTable = new Map([
      ['exchange_name', textField(name)],
      ['routing_keys', list([textField(routingKey), ...copyKeyFields(message.headers)])],
      ['properties', { type: 'F', value: propertiesOf(message) }],
      ['node', textField(this.core.nodeName)],
      ...before,
      ['vhost', textField(this.vhost.name)],
      ['connection', textField(by.connectionName)],
      ['channel', integer(by.number)],
      ['user', textField(by.userName)],
      ...after,
    ]);
    this.publish(key, headers, message.body);
  }

  /** The key may be longer than a short string; the record has as much of it as fits. */
  private publish(key: string, headers: FieldTable, body: Buffer): void {
    const { core } = this;
    const payload = encodeContentHeaderPayload(body.length, { headers });
    const asked = new MessageProperties().read(payload, PROPERTY_FLAGS_OFFSET).withHeaders(headers);
    const queues = this.vhost.router.route(TRACE_EXCHANGE, key, asked)?.queues ?? [];
    if (queues.length === 0) return;
    const chunk = new Chunk();
    chunk.loadRecord(buildRecord(TRACE_EXCHANGE, key, payload, body), null);
    writeRecordHead(chunk.view, 0, 0, 0, core.nowMs, NO_EXPIRY);
    // A copy need not last; a stream keeps it all the same.
    const keep = queues.some((queue) => queue.keepsAll) ? KEEP_ALL : KEEP_NONE;
    core.line.begin();
    enqueue(core, chunk, 0, chunk.bytes.length, body.length, queues, keep, 0);
    core.line.end();
  }
}

/** The properties under RabbitMQ's names, as a table. */
function propertiesOf(message: ReadMessage): FieldTable {
  // The headers are decoded already.
  const payload = replaceHeaders(message.headerPayload, NO_HEADERS, false);
  const decoded = decodeProperties(payload, PROPERTY_FLAGS_OFFSET, payload.length);
  const table: FieldTable = new Map();
  for (const [name, value] of Object.entries(decoded) as [keyof Properties, unknown][]) {
    const field =
      name === 'headers' ? headersField(message.headers) : fieldOf(payload, name, value);
    if (field === null) continue;
    table.set(
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      field,
    );
  }
  return table;
}

/** Null for headers that the message does not have, and for those of traces within traces. */
function headersField(headers: FieldTable): Field | null {
  if (headers.size === 0 || isDeeper(headers, FIELD_DEPTH_MAX)) return null;
  return { type: 'F', value: headers };
}

function fieldOf(payload: Buffer, name: keyof Properties, value: unknown): Field {
  if (typeof value === 'bigint') return { type: 'T', value };
  if (typeof value === 'number') return value < 2 ** 31 ? integer(value) : { type: 'l', value };
  // What was decoded has U+FFFD where bytes are no text.
  const at = propertyStart(payload, PROPERTY_FLAGS_OFFSET, propertyBit(name));
  return textField(exactText(payload, at + 1, at + 1 + (payload[at] as number)));
}
