// Owns the rows of what can be said of streams alone. Never acts on it: stream/stream-rules.ts merges what has an effect.

import { onlyFor } from './argument-values.ts';
import { anAge, anIntegerFrom, anIntegerWithin, OPERATOR } from './policy-values.ts';
import { NO_EFFECT, row, STREAMS } from './queue-setting.ts';
import {
  age,
  FILTER_SIZE_MAX,
  FILTER_SIZE_MIN,
  filterSize,
  SEGMENT_SIZE_MAX,
  segmentSize,
} from './stream-values.ts';

export const STREAM_SETTINGS = [
  row(
    'max-age',
    onlyFor(age, 'stream'),
    anAge('is not a valid max age', { ...OPERATOR, ...STREAMS }),
    'How old a message of a stream may be; older ones go, page by page, as time passes.',
  ),
  // What RabbitMQ 3.9 calls the next.
  row(
    'max-segment-size-bytes',
    null,
    anIntegerFrom(0, 'is not a valid segment size', STREAMS),
    NO_EFFECT,
  ),
  row(
    'stream-max-segment-size-bytes',
    onlyFor(segmentSize, 'stream'),
    anIntegerWithin(0, SEGMENT_SIZE_MAX, 'is not a valid segment size', STREAMS),
    NO_EFFECT,
  ),
  row(
    'stream-filter-size-bytes',
    onlyFor(filterSize, 'stream'),
    anIntegerWithin(FILTER_SIZE_MIN, FILTER_SIZE_MAX, 'is not a valid filter size', STREAMS),
    NO_EFFECT,
  ),
] as const;
