// Owns how durable exchanges, queues and bindings lie in the store. Never decides what is durable:
// vhost.ts does.

import { createHash } from 'node:crypto';
import { encodeTable } from '../../amqp/encode-table.ts';
import { decodeTable, type FieldTable } from '../../amqp/field-table.ts';
import { STORED_LIMITS } from '../../amqp/table-limits.ts';
import type { Store } from '../../store/port.ts';
import {
  encodeRow,
  type Json,
  NOT_ASIDE,
  type RowsAside,
  readRows,
  requireTexts,
  rowKey,
  rowsBehind,
} from '../../store/row.ts';
import { TABLE_DEFINITIONS } from '../../store/tables.ts';
import type { ExchangeDeclaration } from '../exchange/exchange.ts';
import { ChangeLine } from '../turn/change-line.ts';
import type { Steps } from '../turn/slices.ts';

/*
 * One row of the table of definitions; names are UTF-8, each with a u16 of its length before it:
 *
 *   key    'x' vhost exchange
 *          'q' vhost queue
 *          'b' vhost source hash          SHA-256 of the binding's identity, see exchange.ts
 *   value  JSON as below (arguments: a field table as on the wire, base64) | u32 CRC32 of it
 */

/** So many rows are removed between two moments at which others may have their turn. */
const PER_STEP = 32;

/** A durable queue as it is stored. */
export interface StoredQueue {
  readonly id: number;
  readonly name: string;
  readonly autoDelete: boolean;
  readonly arguments: FieldTable;
  /** Whether an operator holds it. */
  readonly paused: boolean;
}

/** A durable exchange as it is stored. */
export interface StoredExchange extends ExchangeDeclaration {
  /** Where the keys are of messages that it has seen; 0: nowhere. */
  readonly keysId: number;
}

/** A durable binding as it is stored. */
export interface StoredBinding {
  readonly source: string;
  readonly destination: string;
  readonly toExchange: boolean;
  readonly bindingKey: string;
  readonly arguments: FieldTable;
}

/** Reads and writes the definitions of one store. */
export class DefinitionRows {
  private readonly store: Store;
  private readonly aside: RowsAside;
  private readonly line: ChangeLine;

  constructor(store: Store, aside: RowsAside = NOT_ASIDE, line = new ChangeLine()) {
    this.store = store;
    this.aside = aside;
    this.line = line;
  }

  /** `keysId`: where the keys are of messages that it has seen; a row says so only where it is not 0. */
  putExchange(vhost: string, exchange: ExchangeDeclaration, keysId = 0): void {
    const { name, type, autoDelete, internal } = exchange;
    this.put(rowKey('x', vhost, name), {
      name,
      type,
      autoDelete,
      internal,
      arguments: tableText(exchange.arguments),
      ...(keysId === 0 ? {} : { keysId }),
    });
  }

  removeExchange(vhost: string, name: string): void {
    this.store.remove(TABLE_DEFINITIONS, rowKey('x', vhost, name));
  }

  /** The durable exchanges of a vhost, in order of their names. */
  exchanges(vhost: string): Keyed<StoredExchange>[] {
    return this.read('x', vhost, (row) => ({
      name: textOf(row, 'name'),
      type: textOf(row, 'type'),
      durable: true,
      autoDelete: row['autoDelete'] === true,
      internal: row['internal'] === true,
      arguments: tableOf(row),
      keysId: row['keysId'] === undefined ? 0 : numberOf(row['keysId']),
    }));
  }

  /** `paused`: an operator holds it; a row says so only then. */
  putQueue(vhost: string, queue: Omit<StoredQueue, 'paused'>, paused = false): void {
    const { id, name, autoDelete } = queue;
    this.put(rowKey('q', vhost, name), {
      id,
      name,
      autoDelete,
      arguments: tableText(queue.arguments),
      ...(paused ? { paused } : {}),
    });
  }

  removeQueue(vhost: string, name: string): void {
    this.store.remove(TABLE_DEFINITIONS, rowKey('q', vhost, name));
  }

  /** The durable queues of a vhost, in order of their names. */
  queues(vhost: string): Keyed<StoredQueue>[] {
    return this.read('q', vhost, (row) => ({
      id: numberOf(row['id']),
      name: textOf(row, 'name'),
      autoDelete: row['autoDelete'] === true,
      arguments: tableOf(row),
      paused: row['paused'] === true,
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
  bindings(vhost: string): Keyed<StoredBinding>[] {
    return this.read('b', vhost, (row) => ({
      source: textOf(row, 'source'),
      destination: textOf(row, 'destination'),
      toExchange: row['toExchange'] === true,
      bindingKey: textOf(row, 'bindingKey'),
      arguments: tableOf(row),
    }));
  }

  /** The names of all vhosts that anything is stored of. */
  vhosts(): string[] {
    const names = new Set<string>();
    for (const key of this.store.keys(TABLE_DEFINITIONS, Buffer.alloc(0), Buffer.of(0xff))) {
      names.add(key.toString('utf8', 3, 3 + key.readUInt16BE(1)));
    }
    return [...names];
  }

  /** Removes all that is stored of a vhost. */
  removeVhost(vhost: string): void {
    for (const kind of ['x', 'q', 'b']) {
      const from = rowKey(kind, vhost);
      this.store.removeRange(TABLE_DEFINITIONS, from, rowsBehind(from));
    }
  }

  /** Removes the durable rows of one kind of a vhost, step by step: `b` bindings, `x` exchanges. */
  *removing(kind: 'b' | 'x', vhost: string): Steps {
    const from = rowKey(kind, vhost);
    let count = 0;
    for (const key of this.store.keys(TABLE_DEFINITIONS, from, rowsBehind(from))) {
      this.store.remove(TABLE_DEFINITIONS, key);
      count += 1;
      if (count % PER_STEP === 0) yield;
    }
  }

  /** A row that cannot be written is refused before the line. */
  private put(key: Buffer, json: Json): void {
    const value = encodeRow(json);
    this.line.change(() => {
      this.store.put(TABLE_DEFINITIONS, key, value);
      this.aside.replaced(TABLE_DEFINITIONS, key);
    });
  }

  private read<T>(kind: string, vhost: string, make: (row: Json) => T): Keyed<T>[] {
    const from = rowKey(kind, vhost);
    const range = [from, rowsBehind(from)] as const;
    return readRows(this.store, TABLE_DEFINITIONS, range, make, this.aside);
  }
}

/** A row with its key. */
interface Keyed<T> {
  readonly key: Buffer;
  readonly value: T;
}

function textOf(row: Json, name: string): string {
  requireTexts(row, name);
  return row[name] as string;
}

/** A queue's number goes into keys as four bytes, and so does that of an exchange that keeps keys of messages. */
export function numberOf(value: unknown): number {
  const id = Number(value);
  if (!Number.isInteger(id) || id < 1 || id >= 2 ** 32) throw new RangeError('its id is no number');
  return id;
}

/** An identity may be longer than a key of the store can be; its hash is as good. */
function bindingKeyOf(vhost: string, source: string, identity: string): Buffer {
  return rowKey('b', vhost, source, createHash('sha256').update(identity).digest());
}

function tableText(table: FieldTable): string {
  return encodeTable(table).toString('base64');
}

/** The arguments that a row of a definition has. */
export function tableOf(row: Json): FieldTable {
  const bytes = Buffer.from(textOf(row, 'arguments'), 'base64');
  return decodeTable(bytes, 0, bytes.length, STORED_LIMITS).table;
}
