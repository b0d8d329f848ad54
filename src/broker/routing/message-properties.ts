// Owns what routing may ask about a message, read from its content header when it is asked for.
// Never checks the properties: checkProperties has done so when the message came in.

import { findField } from '../../amqp/field-search.ts';
import { decodeTable, type Field, type FieldTable } from '../../amqp/field-table.ts';
import {
  BIT_HEADERS,
  BIT_TIMESTAMP,
  hasProperty,
  propertyStart,
  shortProperty,
} from '../../amqp/property-walk.ts';
import { STORED_LIMITS } from '../../amqp/table-limits.ts';
import type { RoutedMessage } from '../exchange/exchange-router.ts';
import type { HeaderName } from '../exchange/types/header-name.ts';

const NO_BYTES = Buffer.alloc(0);
/** Where the headers of a message are not known yet, and where it has none. */
const UNKNOWN = -1;
const NONE = -2;

/** Counts the messages that any MessageProperties were pointed at. */
let messages = 0;

/**
 * The properties of one message after another: `read` points it at the next. So a message that
 * is not asked about costs nothing, and of any other message only what is asked for is decoded.
 */
export class MessageProperties implements RoutedMessage {
  private bytes: Buffer = NO_BYTES;
  private flagsAt = 0;
  private headersAt = UNKNOWN;
  /** All headers, once they were asked for or others were put in their place. */
  private table: FieldTable | null = null;
  private number = ++messages;

  /** Goes on to the message whose property flags are at `flagsAt`. */
  read(bytes: Buffer, flagsAt: number): this {
    this.bytes = bytes;
    this.flagsAt = flagsAt;
    this.headersAt = UNKNOWN;
    this.table = null;
    this.number = ++messages;
    return this;
  }

  /** Lets other headers stand for those of the message, as those that a dead letter gets. */
  withHeaders(headers: FieldTable): this {
    this.table = headers;
    this.number = ++messages;
    return this;
  }

  /** All headers, or null when the message has none. To look at one or two, ask for these. */
  headers(): FieldTable | null {
    if (this.table === null && this.locate() !== NONE) {
      this.table = decodeTable(this.bytes, this.headersAt, this.bytes.length, STORED_LIMITS).table;
    }
    return this.table;
  }

  header(name: HeaderName): Field | null {
    if (name.foundIn !== this.number) {
      name.foundIn = this.number;
      name.field = this.find(name);
    }
    return name.field;
  }

  property(bit: number): string | null {
    const { bytes, flagsAt } = this;
    if (bit !== BIT_TIMESTAMP) return shortProperty(bytes, flagsAt, bit);
    if (!hasProperty(bytes, flagsAt, bit)) return null;
    return String(bytes.readBigUInt64BE(propertyStart(bytes, flagsAt, bit)));
  }

  private find(name: HeaderName): Field | null {
    if (this.table !== null) return this.table.get(name.text) ?? null;
    if (this.locate() === NONE) return null;
    return findField(this.bytes, this.headersAt, name.bytes);
  }

  private locate(): number {
    const { bytes, flagsAt } = this;
    if (this.headersAt === UNKNOWN) {
      const there = hasProperty(bytes, flagsAt, BIT_HEADERS);
      this.headersAt = there ? propertyStart(bytes, flagsAt, BIT_HEADERS) : NONE;
    }
    return this.headersAt;
  }
}
