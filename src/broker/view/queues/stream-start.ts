// Owns how tools write a place in a stream: an offset, a word, a time. Never looks into a stream.

import { type JsonValue, numberOf, wordOf } from '../../../util/json/json.ts';
import { Refusal } from '../../errors.ts';
import { readAge } from '../../queue/stream/age.ts';
import { OFFSET_END, type StreamStart } from '../../queue/stream/reading/reading-spec.ts';

/** A time as ISO 8601 has it, with its zone: `2026-01-31T08:00:00Z`; or a day, from its first moment on in UTC. */
const ISO = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d))?$/;
const WORDS = ['first', 'last', 'next'] as const;

/**
 * Reads a place: `offset` is a whole number, below 0 that many messages before the next, or `first`, `last` or `next`;
 * `time` is ISO 8601, or a span such as `1h`, that long ago. Throws a Refusal for what is neither, for both, and for none.
 */
export function readStreamStart(
  offset: JsonValue | undefined,
  time: JsonValue | undefined,
): StreamStart {
  if (offset === undefined && time === undefined) {
    throw new Refusal('invalid', 'say where: give offset or time');
  }
  if (offset === undefined) return readTime(time as JsonValue);
  if (time !== undefined) throw new Refusal('invalid', 'give offset or time, not both');
  const word = WORDS.find((each) => each === offset);
  if (word !== undefined) return { kind: word };
  const number = numberOf(offset);
  if (!Number.isSafeInteger(number) && typeof offset !== 'bigint') {
    const text = `offset must be a whole number, first, last or next, not ${wordOf(offset)}`;
    throw new Refusal('invalid', text);
  }
  const held = Math.min(Math.abs(number), OFFSET_END - 1);
  return number < 0 ? { kind: 'back', count: held } : { kind: 'offset', offset: held };
}

function readTime(time: JsonValue): StreamStart {
  const text = typeof time === 'string' ? time : '';
  const agoMs = readAge(text);
  if (agoMs !== null) return { kind: 'ago', ms: Math.min(agoMs, Number.MAX_SAFE_INTEGER) };
  const ms = ISO.test(text) ? Date.parse(text) : NaN;
  if (Number.isSafeInteger(ms) && ms >= 0) return { kind: 'time', ms };
  const forms = 'such as 2026-01-31T08:00:00Z, or a span such as 1h, that long ago';
  throw new Refusal('invalid', `time must be a time ${forms}, not ${wordOf(time)}`);
}
