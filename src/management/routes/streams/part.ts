// Owns what of a stream a request wants to see: from where on, and with which filter values. Never looks into one.

import type { StreamPart } from '../../../broker/view/browse/stream-walk.ts';
import { readStreamStart } from '../../../broker/view/queues/stream-start.ts';
import type { Call } from '../../call.ts';
import { badRequest } from '../../http-error.ts';

/** So many values one request may name. */
const VALUES_MAX = 255;
const WHOLE_NUMBER = /^-?\d{1,20}$/;

/**
 * Reads `offset`, `time` (a time, a span, or ms since 1970) and `filter`, which may be there more than once. Throws a 400 for what
 * cannot be read.
 */
export function readPart(call: Call): StreamPart {
  const { offset, time } = call.query;
  const values = call.all('filter');
  if (values.length > VALUES_MAX) throw badRequest(`filter may be given ${VALUES_MAX} times`);
  return {
    start: offset || time ? readPlace(offset || undefined, time || undefined) : null,
    values: values.map((value) => Buffer.from(value)),
  };
}

function readPlace(offset: string | undefined, time: string | undefined): StreamPart['start'] {
  if (offset === undefined && time !== undefined && /^\d{1,15}$/.test(time)) {
    return { kind: 'time', ms: Number(time) };
  }
  const number = offset !== undefined && WHOLE_NUMBER.test(offset) ? BigInt(offset) : offset;
  return readStreamStart(number, time);
}
