// Owns the kinds of values that arguments take which streams alone know, and what is said of a wrong one: RabbitMQ's
// words where it knows the argument. Never knows which argument is of which kind.

import { describeTypedField } from '../../../amqp/field-equality.ts';
import type { Field, FieldTable } from '../../../amqp/field-table.ts';
import { SHORT_BYTES_MAX } from '../../../util/limits.ts';
import { AGE_FORMS, readAge } from '../stream/age.ts';
import { FILTER_VALUES_MAX, readStart, readUntil } from '../stream/reading/reading-spec.ts';
import { count, kind, shortText, text } from './argument-values.ts';
import { A_STRING, ANYTHING, integerShape } from './value-shape.ts';

export const SEGMENT_SIZE_MAX = 3_000_000_000;
/** How many bytes the filter of a chunk has in RabbitMQ. */
export const FILTER_SIZE_MIN = 16;
export const FILTER_SIZE_MAX = 255;

export const age = kind(
  AGE_FORMS,
  A_STRING,
  (field, args) =>
    text.check(field, args) ?? (readAge(String(field.value)) === null ? 'invalid_max_age' : null),
);

/** Both are sizes whose bounds `wrongStreamSize` tells, as RabbitMQ looks at them last. */
export const segmentSize = sizeWithin(0, SEGMENT_SIZE_MAX);
export const filterSize = sizeWithin(FILTER_SIZE_MIN, FILTER_SIZE_MAX);

function sizeWithin(min: number, max: number): typeof count {
  return kind(`an integer from ${min} to ${max}`, integerShape(min, max), count.check);
}

/** What is wrong with the sizes in the arguments of a stream, which are integers; null: nothing. */
export function wrongStreamSize(args: FieldTable): string | null {
  const segment = sizeOf(args.get('x-stream-max-segment-size-bytes'));
  if (segment !== null && segment > SEGMENT_SIZE_MAX) {
    return 'Exceeded max value for x-stream-max-segment-size-bytes';
  }
  const filter = sizeOf(args.get('x-stream-filter-size-bytes'));
  if (filter !== null && (filter < FILTER_SIZE_MIN || filter > FILTER_SIZE_MAX)) {
    return 'Invalid value for x-stream-filter-size-bytes';
  }
  return null;
}

function sizeOf(field: Field | undefined): number | null {
  return field === undefined ? null : Number(field.value);
}

export const streamOffset = kind(
  '`first`, `last`, `next`, an offset, a negative number -N for the last N, a timestamp, a time ago as in `1h` (`Y`, `M`, `D`, `h`, `m`, `s`), or no value (void)',
  ANYTHING,
  (field) =>
    readStart(field) === null ? `{invalid_stream_offset_arg,${describeTypedField(field)}}` : null,
);

export const streamUntil = kind('`end`, an offset or a timestamp', ANYTHING, (field) =>
  readUntil(field) === null ? `{invalid_stream_until_arg,${describeTypedField(field)}}` : null,
);

export const streamGroup = kind(
  `a string of 1 to ${SHORT_BYTES_MAX} bytes`,
  A_STRING,
  (field, args) => {
    const wrong = shortText.check(field, args);
    if (wrong !== null) return wrong;
    if (typeof field.value !== 'string') return '"not valid UTF-8"';
    return field.value === '' ? 'empty_stream_group' : null;
  },
);

export const streamFilter = kind(
  `a string of at most ${SHORT_BYTES_MAX} bytes, or an array of 1 to ${FILTER_VALUES_MAX} such strings`,
  ANYTHING,
  (field, args) => {
    if (field.type !== 'A') return shortText.check(field, args);
    const { length } = field.value;
    if (length === 0) return 'empty_stream_filter';
    if (length > FILTER_VALUES_MAX) return `{max_value_exceeded,${length}}`;
    for (const each of field.value) {
      const wrong = shortText.check(each, args);
      if (wrong !== null) return wrong;
    }
    return null;
  },
);
