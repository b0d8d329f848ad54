// Owns the tables of a node of the model: the list of batches that they have had, of which a crash leaves what was durable.
// Never keeps rows.

import type { Store } from '../../../src/store/port.ts';
import { TABLE_LOG } from '../../../src/store/tables.ts';

/** The table that the model's batches change; each puts one row. */
export const MODEL_TABLE = 7;

/** What a batch of this id makes of a state. */
export function stateAfter(state: number, id: number): number {
  return (Math.imul(state ^ id, 0x9e3779b1) + id) >>> 0;
}

/** The value of a batch's row: the state that its leader made it for, and its id. */
export function rowOf(state: number, id: number): Buffer {
  const value = Buffer.alloc(8);
  value.writeUInt32LE(state);
  value.writeUInt32LE(id, 4);
  return value;
}

interface Durable {
  readonly length: number;
  readonly state: number;
  readonly place: Buffer | null;
}

const NEW: Durable = { length: 0, state: 0, place: null };

/** The part of a store that nodes of the model need. */
export class ModelTables {
  readonly ids: number[];
  /** Of all that was put. */
  state: number;
  /** A batch was put on another state than that it was made for; '' if none was. */
  wrong = '';
  batch = 1;
  private place: Buffer | null;
  private durable: Durable;
  private readonly sealed: Durable[] = [];
  private told = 0;
  private listener: (batch: number) => void = () => {};

  /** What a crash has left of others; without them they are new. */
  constructor(left?: ModelTables) {
    this.durable = left?.durable ?? NEW;
    this.ids = left?.ids.slice(0, this.durable.length) ?? [];
    this.state = this.durable.state;
    this.place = this.durable.place;
  }

  get asStore(): Store {
    return this as unknown as Store;
  }

  get(): Buffer | null {
    return this.durable.place;
  }

  put(table: number, _key: Buffer, value: Buffer): void {
    if (table === TABLE_LOG) this.place = value;
    // What else is put says in which format they are.
    if (table !== MODEL_TABLE) return;
    const made = value.readUInt32LE();
    const id = value.readUInt32LE(4);
    if (made !== this.state && this.wrong === '') {
      this.wrong = `batch ${id} was made for the state ${made}, and put on ${this.state}`;
    }
    this.ids.push(id);
    this.state = stateAfter(this.state, id);
  }

  seal(): number {
    this.sealed.push({ length: this.ids.length, state: this.state, place: this.place });
    return this.batch++;
  }

  onDurable(listener: (batch: number) => void): void {
    this.listener = listener;
  }

  onFailure(): void {
    // They do not fail.
  }

  /** Makes all durable that is sealed; returns how many batches that were. */
  sync(): number {
    const last = this.sealed.at(-1);
    if (last === undefined) return 0;
    const { length } = this.sealed;
    this.durable = last;
    this.told += length;
    this.sealed.length = 0;
    this.listener(this.told);
    return length;
  }
}
