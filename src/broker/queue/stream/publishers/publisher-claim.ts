// Owns what the headers of a message say of its publisher: under which name and number it is to be stored, and only after
// which. Never knows which numbers there are.

import { AmqpError } from '../../../../amqp/errors.ts';
import { describeFieldType } from '../../../../amqp/field-equality.ts';
import { integerOf } from '../../../../amqp/field-integers.ts';
import type { Field } from '../../../../amqp/field-table.ts';
import { headerField } from '../../../../amqp/property-walk.ts';
import { isShort, SHORT_BYTES_MAX } from '../../../../util/limits.ts';
import { EXPECTED_ID_HEADER, PUBLISHER_HEADER, PUBLISHING_ID_HEADER } from '../stream-headers.ts';

const PUBLISHER_NAME = Buffer.from(PUBLISHER_HEADER);
const PUBLISHING_ID_NAME = Buffer.from(PUBLISHING_ID_HEADER);
const EXPECTED_ID_NAME = Buffer.from(EXPECTED_ID_HEADER);

/** The highest id; the one that is expected is lower, since the next follows it. */
const ID_MAX = Number.MAX_SAFE_INTEGER;

/** What a message asks for. */
export interface PublisherClaim {
  /** The name of the publisher: 1 to 255 bytes in UTF-8. */
  readonly name: string;
  /** The id that the message has among those of that name. */
  readonly id: number;
  /** What the last id has to be, 0 where there may be none; null: lower than `id`, else the message is a duplicate. */
  readonly expected: number | null;
}

/**
 * The claim of a message whose properties begin at `flagsAt`, and were checked; null: it makes none. Throws
 * PRECONDITION_FAILED for one that cannot be understood.
 */
export function claimAt(bytes: Buffer, flagsAt: number): PublisherClaim | null {
  const name = headerField(bytes, flagsAt, PUBLISHER_NAME);
  const publishing = headerField(bytes, flagsAt, PUBLISHING_ID_NAME);
  const expected = headerField(bytes, flagsAt, EXPECTED_ID_NAME);
  if (name === undefined) {
    if (publishing !== undefined) throw needsName(PUBLISHING_ID_HEADER);
    if (expected !== undefined) throw needsName(EXPECTED_ID_HEADER);
    return null;
  }
  if (publishing === undefined && expected === undefined) {
    throw invalid(
      PUBLISHER_HEADER,
      `it goes with '${PUBLISHING_ID_HEADER}' or '${EXPECTED_ID_HEADER}'`,
    );
  }
  const publisher = nameIn(name);
  const after = expected === undefined ? null : idIn(EXPECTED_ID_HEADER, expected, ID_MAX - 1);
  if (publishing === undefined)
    return { name: publisher, id: (after as number) + 1, expected: after };
  const id = idIn(PUBLISHING_ID_HEADER, publishing, ID_MAX);
  if (after !== null && id <= after) {
    throw invalid(PUBLISHING_ID_HEADER, `${id} is not above '${EXPECTED_ID_HEADER}', ${after}`);
  }
  return { name: publisher, id, expected: after };
}

function nameIn(field: Field): string {
  if (field.type !== 'S')
    throw invalid(PUBLISHER_HEADER, `a text, not ${describeFieldType(field)}`);
  const { value } = field;
  if (typeof value !== 'string') throw invalid(PUBLISHER_HEADER, 'it is no valid UTF-8');
  if (value !== '' && isShort(value)) return value;
  throw invalid(PUBLISHER_HEADER, `a text of 1 to ${SHORT_BYTES_MAX} bytes`);
}

function idIn(header: string, field: Field, max: number): number {
  const id = integerOf(field);
  if (id === null) throw invalid(header, `an integer, not ${describeFieldType(field)}`);
  if (id >= 0 && id <= max) return Number(id);
  throw invalid(header, `an integer from 0 to ${max}, not ${id}`);
}

function needsName(header: string): AmqpError {
  return invalid(header, `it goes with '${PUBLISHER_HEADER}', a name`);
}

function invalid(header: string, why: string): AmqpError {
  return new AmqpError('PRECONDITION_FAILED', `invalid header '${header}': ${why}`);
}
