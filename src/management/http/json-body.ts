// Owns making JSON of the body of a request. Never reads it from the socket, and never knows its keys.

import type { Clock } from '../../util/clock.ts';
import type { JsonValue } from '../../util/json/json.ts';
import {
  DEFINITION_LIMITS,
  JSON_LIMITS,
  parseJson,
  parseJsonSlowly,
} from '../../util/json/json-text.ts';
import { Breather } from '../breather.ts';
import { badRequest } from '../http-error.ts';
import type { BodyKind } from './bodies.ts';

/** What is shorter is made into values at once. */
const SHORT_BYTES = 16 * 1024;

/**
 * The value of a body, read with rests on the way where it is long; an empty one is an empty object. What
 * is wrong with it is thrown by the function that this resolves with: some routes never ask. Definitions
 * may come as a file in a form.
 */
export async function readJson(
  bytes: Buffer,
  contentType: string | undefined,
  kind: BodyKind,
  clock: Clock,
): Promise<() => JsonValue> {
  try {
    const text = kind === 'definitions' ? fileOf(bytes, contentType ?? '') : bytes;
    if (isBlank(text)) return () => ({});
    const limits = kind === 'definitions' ? DEFINITION_LIMITS : JSON_LIMITS;
    const value =
      text.length < SHORT_BYTES
        ? parseJson(text, limits)
        : await parseJsonSlowly(text, limits, new Breather(clock));
    return () => value as JsonValue;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

function isBlank(bytes: Buffer): boolean {
  return bytes.length < SHORT_BYTES && bytes.toString('utf8').trim() === '';
}

/** The body, or the file in the form that it is. */
function fileOf(bytes: Buffer, contentType: string): Buffer {
  if (!contentType.startsWith('multipart/form-data')) return bytes;
  const file = formPart(bytes, contentType, 'file');
  if (file === null) throw badRequest('the form has no part of the name file');
  return file;
}

/** A form has one file, and little beside it. */
const PARTS_MAX = 64;
const HEAD_BYTES_MAX = 8 * 1024;

/** The part of that name of a form, RFC 7578; null: there is none. */
function formPart(bytes: Buffer, contentType: string, name: string): Buffer | null {
  const boundary = /boundary="?([^";]{1,200})"?/.exec(contentType)?.[1];
  if (boundary === undefined) return null;
  const mark = Buffer.from(`--${boundary}`);
  let start = bytes.indexOf(mark);
  for (let n = 0; n < PARTS_MAX && start >= 0; n++) {
    const end = bytes.indexOf(mark, start + mark.length);
    if (end < 0) return null;
    const headEnd = bytes.indexOf('\r\n\r\n', start);
    if (headEnd >= 0 && headEnd < end && headEnd - start <= HEAD_BYTES_MAX) {
      const head = bytes.toString('latin1', start, headEnd);
      const isBreak = bytes[end - 2] === 0x0d && bytes[end - 1] === 0x0a;
      if (head.includes(`name="${name}"`))
        return bytes.subarray(headEnd + 4, end - (isBreak ? 2 : 0));
    }
    start = end;
  }
  return null;
}
