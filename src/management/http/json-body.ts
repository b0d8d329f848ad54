// Owns making JSON of the body of a request. Never reads it from the socket, and never knows its keys.

import type { Clock } from '../../util/clock.ts';
import type { JsonValue } from '../../util/json/json.ts';
import { faultPlace } from '../../util/json/json-fault.ts';
import {
  DEFINITION_LIMITS,
  JSON_LIMITS,
  JsonTextError,
  NOT_JSON,
  parseJson,
  parseJsonSlowly,
} from '../../util/json/json-text.ts';
import { badRequest } from '../http-error.ts';
import { TimeSlice } from '../time-slice.ts';
import type { BodyKind } from './bodies.ts';
import { fileInForm, isForm } from './form-file.ts';

/** What is shorter is made into values at once. */
const SHORT_BYTES = 16 * 1024;
/** To find the place of a mistake takes about 10 ms for so much. */
const EXPLAINED_BYTES = 2 ** 20;

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
  let text = bytes;
  try {
    text = kind === 'definitions' ? await fileOf(bytes, contentType ?? '', clock) : bytes;
    if (isBlank(text)) return () => ({});
    const limits = kind === 'definitions' ? DEFINITION_LIMITS : JSON_LIMITS;
    const value =
      text.length < SHORT_BYTES
        ? parseJson(text, limits)
        : await parseJsonSlowly(text, limits, new TimeSlice(clock));
    return () => value as JsonValue;
  } catch (error) {
    const told = explained(error, text);
    return () => {
      throw told;
    };
  }
}

/** The error with the place in words, where the text is short enough to be gone over at once. */
function explained(error: unknown, text: Buffer): unknown {
  if (!(error instanceof JsonTextError) || error.message !== NOT_JSON) return error;
  const where = text.length <= EXPLAINED_BYTES ? ` (${faultPlace(text.toString('utf8'))})` : '';
  return new JsonTextError(NOT_JSON, `this is not JSON${where}`);
}

function isBlank(bytes: Buffer): boolean {
  return bytes.length < SHORT_BYTES && bytes.toString('utf8').trim() === '';
}

/** The body, or the file in the form that it is. */
async function fileOf(bytes: Buffer, contentType: string, clock: Clock): Promise<Buffer> {
  if (!isForm(contentType)) return bytes;
  const file = await fileInForm(bytes, contentType, 'file', clock);
  if (file === null) throw badRequest('the form has no part of the name file');
  return file;
}
