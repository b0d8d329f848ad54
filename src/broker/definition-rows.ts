// Owns how durable exchanges, queues and bindings lie in the store. Never decides what is durable:
// vhost.ts does.

import { createHash } from 'node:crypto';
import { decodeTable, encodeTable, type FieldTable } from '../amqp/field-table.ts';
import { verifyChecksum, withChecksum } from '../store/checksum.ts';
import type { Store } from '../store/port.ts';
import { TABLE_DEFINITIONS } from '../store/tables.ts';
import type { ExchangeTraits } from './exchange/exchange.ts';

/*
 * One row of the table of definitions; names are UTF-8, each with a u16 of its length before it:
 *
 *   key    'x' vhost exchange
 *          'q' vhost queue
 *          'b' vhost source hash          SHA-256 of the binding's identity, see exchange.ts
 *   value  JSON as below (arguments: a field table as on the wire, base64) | u32 CRC32 of it
 */

/** A durable queue as it is stored. */
export interface StoredQueue {
  readonly id: number;
  readonly name: string;
  readonly autoDelete: boolean;
  readonly arguments: FieldTable;
}

/** A durable binding as it is stored. */
export interface StoredBinding {
  readonly source: string;
  readonly destination: string;
  readonly toExchange: boolean;
  readonly bindingKey: string;
  readonly arguments: FieldTable;
}

/** Sorts behind the length of any name. */
const AFTER_ANY_LENGTH = Buffer.of(0xff, 0xff);

type Json = Record<string, string | number | boolean>;

/** Reads and writes the definitions of one store. */
export class DefinitionRows {
  private readonly store: Store;

  constructor(store: Store) {
    this.store = store;
  }

  putExchange(vhost: string, exchange: ExchangeTraits): void {
    const { name, type, autoDelete, internal } = exchange;
    this.put(key('x', vhost, name), {
      name,
      type,
      autoDelete,
      internal,
      arguments: tableText(exchange.arguments),
    });
  }

  removeExchange(vhost: string, name: string): void {
    this.store.remove(TABLE_DEFINITIONS, key('x', vhost, name));
  }

  /** The durable exchanges of a vhost, in order of their names. */
  exchanges(vhost: string): ExchangeTraits[] {
    return this.read('x', vhost, (row) => ({
      name: String(row['name']),
      type: String(row['type']),
      durable: true,
      autoDelete: row['autoDelete'] === true,
      internal: row['internal'] === true,
      arguments: tableOf(row),
    }));
  }

  putQueue(vhost: string, queue: StoredQueue): void {
    const { id, name, autoDelete } = queue;
    this.put(key('q', vhost, name), {
      id,
      name,
      autoDelete,
      arguments: tableText(queue.arguments),
    });
  }

  removeQueue(vhost: string, name: string): void {
    this.store.remove(TABLE_DEFINITIONS, key('q', vhost, name));
  }

  /** The durable queues of a vhost, in order of their names. */
  queues(vhost: string): StoredQueue[] {
    return this.read('q', vhost, (row) => ({
      id: Number(row['id']),
      name: String(row['name']),
      autoDelete: row['autoDelete'] === true,
      arguments: tableOf(row),
    }));
  }

  putBinding(vhost: string, identity: string, binding: StoredBinding): void {
    const { source, destination, toExchange, bindingKey } = binding;
    this.put(bindingKeyOf(vhost, source, identity), {
      source,
      destination,
      toExchange,
      bindingKey,
      arguments: tableText(binding.arguments),
    });
  }

  removeBinding(vhost: string, source: string, identity: string): void {
    this.store.remove(TABLE_DEFINITIONS, bindingKeyOf(vhost, source, identity));
  }

  /** The durable bindings of a vhost. */
  bindings(vhost: string): StoredBinding[] {
    return this.read('b', vhost, (row) => ({
      source: String(row['source']),
      destination: String(row['destination']),
      toExchange: row['toExchange'] === true,
      bindingKey: String(row['bindingKey']),
      arguments: tableOf(row),
    }));
  }

  /** The names of all vhosts that anything is stored of. */
  vhosts(): string[] {
    const names = new Set<string>();
    for (const rowKey of this.store.keys(TABLE_DEFINITIONS, Buffer.alloc(0), Buffer.of(0xff))) {
      names.add(rowKey.toString('utf8', 3, 3 + rowKey.readUInt16BE(1)));
    }
    return [...names];
  }

  private put(rowKey: Buffer, json: Json): void {
    this.store.put(TABLE_DEFINITIONS, rowKey, withChecksum(Buffer.from(JSON.stringify(json))));
  }

  private read<T>(kind: string, vhost: string, make: (row: Json) => T): T[] {
    const from = key(kind, vhost);
    const to = Buffer.concat([from, AFTER_ANY_LENGTH]);
    const found: T[] = [];
    for (const { key: rowKey, value } of this.store.range(TABLE_DEFINITIONS, from, to)) {
      found.push(make(parse(rowKey, value)));
    }
    return found;
  }
}

function parse(rowKey: Buffer, value: Buffer): Json {
  return JSON.parse(verifyChecksum(TABLE_DEFINITIONS, rowKey, value).toString()) as Json;
}

function key(kind: string, ...parts: readonly (string | Buffer)[]): Buffer {
  const pieces: Buffer[] = [Buffer.from(kind)];
  for (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part;
    const length = Buffer.alloc(2);
    length.writeUInt16BE(bytes.length);
    pieces.push(length, bytes);
  }
  return Buffer.concat(pieces);
}

/** An identity may be longer than a key of the store can be; its hash is as good. */
function bindingKeyOf(vhost: string, source: string, identity: string): Buffer {
  return key('b', vhost, source, createHash('sha256').update(identity).digest());
}

function tableText(table: FieldTable): string {
  return encodeTable(table).toString('base64');
}

function tableOf(row: Json): FieldTable {
  const bytes = Buffer.from(String(row['arguments']), 'base64');
  return decodeTable(bytes, 0, bytes.length).table;
}
