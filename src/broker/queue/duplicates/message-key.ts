// Owns what the key of a message is: a fingerprint of the value of one of its headers. Never keeps one.

import { encodeTable } from '../../../amqp/encode-table.ts';
import { isIntegerField } from '../../../amqp/field-integers.ts';
import { type Field, readField } from '../../../amqp/field-table.ts';
import { Chaskey } from './chaskey.ts';

/** The octet before a long string in a table. */
const TYPE_TEXT = 0x53;
const INTEGER = 1;
const FLOAT = 2;
const BOOLEAN = 3;
const VOID = 4;
const TYPED_BYTES = 9;

/**
 * A key: 96 bits of a hash that no peer can foresee without the seed. As in RabbitMQ's plugin values are compared, not
 * their types: 42 is the same as an integer of any width, and not the same as '42' or 42.0.
 */
export class MessageKey {
  a = 0;
  b = 0;
  c = 0;
  private readonly texts: Chaskey;
  /** All but texts are hashed with another key, behind an octet that says what they are. */
  private readonly others: Chaskey;
  private readonly typed = Buffer.alloc(TYPED_BYTES);

  constructor(seed: Buffer) {
    this.texts = new Chaskey(seed);
    this.texts.hash(seed, 0, seed.length);
    this.others = new Chaskey(Buffer.from(this.texts.words.buffer.slice(0)));
  }

  /** Takes on the key that is the field whose type octet stands at `at`. */
  readAt(bytes: Buffer, at: number): void {
    if (bytes[at] !== TYPE_TEXT) return this.read(readField(bytes, at));
    this.hash(this.texts, bytes, at + 5, at + 5 + bytes.readUInt32BE(at + 1));
  }

  /** Takes on the key that is a field. */
  read(field: Field): void {
    if (field.type === 'S' || field.type === 'x') {
      const text = typeof field.value === 'string' ? Buffer.from(field.value) : field.value;
      return this.hash(this.texts, text, 0, text.length);
    }
    const bytes = this.bytesOf(field);
    this.hash(this.others, bytes, 0, bytes.length);
  }

  private hash(by: Chaskey, bytes: Buffer, start: number, end: number): void {
    by.hash(bytes, start, end);
    const { words } = by;
    this.a = words[0] as number;
    this.b = words[1] as number;
    this.c = words[2] as number;
  }

  private bytesOf(field: Exclude<Field, { readonly type: 'S' | 'x' }>): Buffer {
    const { typed } = this;
    typed.fill(0);
    if (isIntegerField(field) || field.type === 'T') {
      typed[0] = INTEGER;
      typed.writeBigUInt64BE(BigInt.asUintN(64, BigInt(field.value)), 1);
    } else if (field.type === 'f' || field.type === 'd') {
      typed[0] = FLOAT;
      typed.writeDoubleBE(field.value, 1);
    } else if (field.type === 't') {
      typed[0] = BOOLEAN;
      typed[1] = field.value ? 1 : 0;
    } else if (field.type === 'V') {
      typed[0] = VOID;
    } else {
      // It begins with its length, and so with another octet than the others.
      return encodeTable(new Map([['', field]]));
    }
    return typed;
  }
}
