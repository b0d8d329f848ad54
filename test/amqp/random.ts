// Owns seeded random values for the codec tests: texts, bytes, field tables, method arguments.
// Never used without withSeed, so that a failure can be played again.
import { Buffer } from 'node:buffer';
import type { Field, FieldTable, FieldType } from '../../src/amqp/field-table.ts';
import type { FieldDomain, MethodFields, MethodName } from '../../src/amqp/spec.ts';
import { METHODS } from '../../src/amqp/spec.ts';

/** Runs `body` with random values; a failure names the seed, SEED=... runs it again. */
export function withSeed(body: (random: Random) => void): void {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 0x100000000));
  try {
    body(new Random(seed));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`SEED=${seed}: ${reason}`, { cause });
  }
}

const TYPES: readonly FieldType[] = Array.from('tbBsuIilfdDSxATFV') as FieldType[];
const LETTERS = Array.from('abcdefgh.#*-_ 0123é日😀');

export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** A float in [0, 1), by mulberry32. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x100000000;
  }

  /** An integer in [0, below). */
  below(below: number): number {
    return Math.floor(this.next() * below);
  }

  bool(): boolean {
    return this.below(2) === 1;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  bytes(lengthMax: number): Buffer {
    const bytes = Buffer.alloc(this.below(lengthMax + 1));
    for (let i = 0; i < bytes.length; i += 1) bytes[i] = this.below(256);
    return bytes;
  }

  text(lettersMax: number): string {
    let text = '';
    for (let left = this.below(lettersMax + 1); left > 0; left -= 1) text += this.pick(LETTERS);
    return text;
  }

  table(depth = 3): FieldTable {
    const table: FieldTable = new Map();
    for (let left = this.below(6); left > 0; left -= 1) table.set(this.text(12), this.field(depth));
    return table;
  }

  field(depth: number): Field {
    const type = this.pick(TYPES);
    if (depth <= 1 && (type === 'A' || type === 'F')) return { type: 'V', value: null };
    return this.fieldOf(type, depth);
  }

  fieldOf(type: FieldType, depth: number): Field {
    switch (type) {
      case 't':
        return { type, value: this.bool() };
      case 'b':
        return { type, value: this.below(0x100) - 0x80 };
      case 'B':
        return { type, value: this.below(0x100) };
      case 's':
        return { type, value: this.below(0x10000) - 0x8000 };
      case 'u':
        return { type, value: this.below(0x10000) };
      case 'I':
        return { type, value: this.below(0x100000000) - 0x80000000 };
      case 'i':
        return { type, value: this.below(0x100000000) };
      case 'l':
        return { type, value: this.pick([0, -1, 2 ** 53 - 1, 2n ** 63n - 1n, -(2n ** 63n), 7]) };
      case 'T':
        return { type, value: this.pick([0, 1_700_000_000, 2 ** 53 - 1, 2n ** 64n - 1n]) };
      case 'f':
        return { type, value: Math.fround(this.next() * 1000 - 500) };
      case 'd':
        return { type, value: this.next() * 1e9 - 5e8 };
      case 'D':
        return { type, value: { places: this.below(256), digits: this.below(0x100000000) } };
      case 'S':
        return { type, value: this.bool() ? this.text(40) : Buffer.from([0xff, this.below(256)]) };
      case 'x':
        return { type, value: this.bytes(40) };
      case 'A':
        return { type, value: Array.from({ length: this.below(5) }, () => this.field(depth - 1)) };
      case 'F':
        return { type, value: this.table(depth - 1) };
      case 'V':
        return { type, value: null };
    }
  }

  methodFields<N extends MethodName>(name: N): MethodFields<N> {
    const fields: Record<string, unknown> = {};
    for (const [field, domain] of METHODS[name].fields) {
      if (!field.startsWith('reserved')) fields[field] = this.argument(domain);
    }
    return fields as MethodFields<N>;
  }

  private argument(domain: FieldDomain): unknown {
    switch (domain) {
      case 'bit':
        return this.bool();
      case 'octet':
        return this.below(0x100);
      case 'short':
        return this.below(0x10000);
      case 'long':
        return this.below(0x100000000);
      case 'longlong':
        return this.pick([0, 1, 0xffffffff, 0x100000000, 2 ** 53 - 1, this.below(1e9)]);
      case 'shortstr':
        return this.text(60);
      case 'longstr':
        return this.bytes(300);
      case 'table':
        return this.table();
    }
  }
}
