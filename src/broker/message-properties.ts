// Owns what routing may ask about a message, read from its content header at the first question.
// Never checks the properties: checkProperties has done so when the message came in.

import { decodeTable, type FieldTable } from '../amqp/field-table.ts';
import {
  BIT_HEADERS,
  BIT_TIMESTAMP,
  hasProperty,
  propertyStart,
  shortProperty,
} from '../amqp/property-walk.ts';
import type { RoutedMessage } from './exchange/router.ts';

const NO_BYTES = Buffer.alloc(0);

/**
 * The properties of one message after another: `read` points it at the next. So a message that
 * nobody asks about costs nothing, and one that many bindings ask about is decoded once.
 */
export class MessageProperties implements RoutedMessage {
  private bytes: Buffer = NO_BYTES;
  private flagsAt = 0;
  private table: FieldTable | null = null;
  private decoded = false;

  /** Goes on to the message whose property flags are at `flagsAt`. */
  read(bytes: Buffer, flagsAt: number): this {
    this.bytes = bytes;
    this.flagsAt = flagsAt;
    this.table = null;
    this.decoded = false;
    return this;
  }

  /** Lets other headers stand for those of the message, as those that a dead letter gets. */
  withHeaders(headers: FieldTable): this {
    this.table = headers;
    this.decoded = true;
    return this;
  }

  headers(): FieldTable | null {
    if (!this.decoded) this.decode();
    return this.table;
  }

  property(bit: number): string | null {
    const { bytes, flagsAt } = this;
    if (bit !== BIT_TIMESTAMP) return shortProperty(bytes, flagsAt, bit);
    if (!hasProperty(bytes, flagsAt, bit)) return null;
    return String(bytes.readBigUInt64BE(propertyStart(bytes, flagsAt, bit)));
  }

  private decode(): void {
    const { bytes, flagsAt } = this;
    this.decoded = true;
    if (!hasProperty(bytes, flagsAt, BIT_HEADERS)) return;
    this.table = decodeTable(bytes, propertyStart(bytes, flagsAt, BIT_HEADERS), bytes.length).table;
  }
}
