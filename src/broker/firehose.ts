// Owns what a traced vhost tells of its messages: a copy of each that is published or delivered, sent
// to amq.rabbitmq.trace with headers that say what became of it. Never looks at one that is not traced.

import type { Field, FieldTable } from '../amqp/field-table.ts';
import {
  decodeProperties,
  encodeContentHeaderPayload,
  type Properties,
} from '../amqp/properties.ts';
import { PROPERTY_FLAGS_OFFSET, replaceHeaders } from '../amqp/property-walk.ts';
import type { ReadMessage } from '../message/read-message.ts';
import { buildRecord, NO_EXPIRY, writeRecordHead } from '../message/record.ts';
import { viewOf } from '../util/bytes.ts';
import type { Broker } from './broker.ts';
import { copyKeys } from './copy-keys.ts';
import { MessageProperties } from './message-properties.ts';
import { NODE_NAME } from './node-name.ts';
import type { Queue } from './queue/queue.ts';
import type { Vhost } from './vhost.ts';

const TRACE_EXCHANGE = 'amq.rabbitmq.trace';
/** A routing key is a short string. */
const KEY_BYTES_MAX = 255;
const NO_HEADERS: FieldTable = new Map();

/** By whom a message came, or to whom it went. */
export interface TracedChannel {
  readonly number: number;
  readonly connectionName: string;
  readonly userName: string;
}

const text = (value: string): Field => ({ type: 'S', value });
const integer = (value: number): Field => ({ type: 'I', value });
const list = (values: string[]): Field => ({ type: 'A', value: values.map(text) });

/** The tracing of one vhost, while it is on. */
export class Firehose {
  private readonly broker: Broker;
  private readonly vhost: Vhost;

  constructor(broker: Broker, vhost: Vhost) {
    this.broker = broker;
    this.vhost = vhost;
  }

  /** A message was published, and goes to these queues. */
  published(by: TracedChannel, message: ReadMessage, queues: readonly Queue[]): void {
    const routed = list(queues.map((queue) => queue.name));
    this.tell(by, message, `publish.${message.exchange}`, [], [['routed_queues', routed]]);
  }

  /** A message is delivered, or given to basic.get. */
  delivered(by: TracedChannel, message: ReadMessage, queue: Queue, redelivered: boolean): void {
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
    const headers: FieldTable = new Map([
      ['exchange_name', text(message.exchange)],
      ['routing_keys', list([message.routingKey, ...copyKeys(message.headers)])],
      ['properties', { type: 'F', value: propertiesOf(message) }],
      ['node', text(NODE_NAME)],
      ...before,
      ['vhost', text(this.vhost.name)],
      ['connection', text(by.connectionName)],
      ['channel', integer(by.number)],
      ['user', text(by.userName)],
      ...after,
    ]);
    this.publish(shortened(key), headers, message.body);
  }

  private publish(key: string, headers: FieldTable, body: Buffer): void {
    const { log, nowMs } = this.broker;
    const payload = encodeContentHeaderPayload(body.length, { headers });
    const asked = new MessageProperties().read(payload, PROPERTY_FLAGS_OFFSET).withHeaders(headers);
    const queues = this.vhost.router.route(TRACE_EXCHANGE, key, asked)?.queues ?? [];
    if (queues.length === 0) return;
    const record = buildRecord(TRACE_EXCHANGE, key, payload, body);
    const view = viewOf(record);
    writeRecordHead(view, 0, 0, 0, nowMs, NO_EXPIRY);
    const position = log.append(record, view, 0, record.length, false);
    log.placed.hold(queues.length, body.length);
    for (const queue of queues) queue.push(position, body.length, 0);
  }
}

/** The properties under RabbitMQ's names, as a table. */
function propertiesOf(message: ReadMessage): FieldTable {
  // The headers are decoded already.
  const payload = replaceHeaders(message.headerPayload, NO_HEADERS, false);
  const decoded = decodeProperties(payload, PROPERTY_FLAGS_OFFSET, payload.length);
  const table: FieldTable = new Map();
  for (const [name, value] of Object.entries(decoded) as [keyof Properties, unknown][]) {
    const field = fieldOf(name === 'headers' ? message.headers : value);
    if (field === null) continue;
    table.set(
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      field,
    );
  }
  return table;
}

/** Null for headers that the message does not have. */
function fieldOf(value: unknown): Field | null {
  if (typeof value === 'string') return text(value);
  if (typeof value === 'bigint') return { type: 'T', value };
  if (typeof value === 'number') return value < 2 ** 31 ? integer(value) : { type: 'l', value };
  const headers = value as FieldTable;
  return headers.size === 0 ? null : { type: 'F', value: headers };
}

function shortened(key: string): string {
  let short = key;
  while (Buffer.byteLength(short) > KEY_BYTES_MAX) short = short.slice(0, -1);
  return short;
}
