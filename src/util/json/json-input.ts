// Owns what every JSON that comes in has to be, whichever way it comes: texts that are well-formed, and no
// deeper than everything behind can bear. Never knows what the values mean.

import { JSON_DEPTH_MAX, VALUE_BYTES_MAX, VALUE_DEPTH_MAX } from '../limits.ts';
import { parseWithDigits } from './json-digits.ts';
import { JsonFloat } from './json-float.ts';
import { jsonText } from './json-writer.ts';

/** JSON that is nested too deeply; the message is for its sender. */
export class JsonDepthError extends Error {
  override readonly name = 'JsonDepthError';

  constructor() {
    super(`the JSON is nested more than ${JSON_DEPTH_MAX} deep`);
  }
}

/** Half of a pair of surrogates, escaped: the one way in which JSON brings a text that is none. */
const SURROGATE = /\\u[dD][89a-fA-F]/;

/**
 * The value of a text, with U+FFFD in the place of each lone surrogate, as RabbitMQ reads it. Throws a
 * SyntaxError for what is no JSON, a JsonDepthError, and a JsonNumberError.
 */
export function parseJsonText(text: string): unknown {
  const value = parseWithDigits(text, 'refused', JSON_DEPTH_MAX, tooDeep);
  return mayBeOdd(text) ? checkedJson(value) : value;
}

/** The same for what another program answers: no number is refused. */
export function parseAnswer(text: string): unknown {
  const value = parseWithDigits(text, 'rounded', JSON_DEPTH_MAX, tooDeep);
  return mayBeOdd(text) ? checkedJson(value) : value;
}

/** The same for what is stored: an older version let it in, so that it is mended and never refused. */
export function parseStoredJson(text: string): unknown {
  const value = storedValue(text);
  return mayBeOdd(text) ? mended(value, JSON_DEPTH_MAX, true) : value;
}

function storedValue(text: string): unknown {
  try {
    return parseWithDigits(text, 'rounded', JSON_DEPTH_MAX, tooDeep);
  } catch (error) {
    if (error instanceof JsonDepthError) return JSON.parse(text);
    throw error;
  }
}

/** A value that was made of JSON elsewhere, with the same said of it. Throws a JsonDepthError. */
export function checkedJson(value: unknown): unknown {
  return mended(value, JSON_DEPTH_MAX, false);
}

/** What is wrong with a value that is to be kept, and shown in lists and exports; null: nothing. */
export function faultOfValue(value: unknown): string | null {
  if (isDeeper(value, VALUE_DEPTH_MAX)) return `it is nested more than ${VALUE_DEPTH_MAX} deep`;
  const text = jsonText(value);
  if (text.length <= VALUE_BYTES_MAX / 3 || Buffer.byteLength(text) <= VALUE_BYTES_MAX) return null;
  return `it takes more than ${VALUE_BYTES_MAX} bytes as JSON`;
}

function isDeeper(value: unknown, levels: number): boolean {
  if (!isContainer(value)) return false;
  return levels === 0 || Object.values(value).some((each) => isDeeper(each, levels - 1));
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !(value instanceof JsonFloat);
}

const tooDeep = (): JsonDepthError => new JsonDepthError();

/** A text with U+FFFD in the place of each lone surrogate. */
export function wellFormed(text: string): string {
  return text.isWellFormed() ? text : text.toWellFormed();
}

function mayBeOdd(text: string): boolean {
  if (SURROGATE.test(text) || !text.isWellFormed()) return true;
  let containers = 0;
  for (let at = 0; at < text.length && containers <= JSON_DEPTH_MAX; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5b || code === 0x7b) containers += 1;
  }
  return containers > JSON_DEPTH_MAX;
}

/** The value itself where nothing is wrong with it. `cuts` puts null in the place of what is too deep. */
function mended(value: unknown, levels: number, cuts: boolean): unknown {
  if (typeof value === 'string') return wellFormed(value);
  if (!isContainer(value)) return value;
  if (levels === 0) {
    if (cuts) return null;
    throw new JsonDepthError();
  }
  if (Array.isArray(value)) {
    const list = value.map((each) => mended(each, levels - 1, cuts));
    return list.every((each, at) => each === value[at]) ? value : list;
  }
  let same = true;
  const entries = Object.entries(value).map(([key, each]): [string, unknown] => {
    const entry: [string, unknown] = [wellFormed(key), mended(each, levels - 1, cuts)];
    if (entry[0] !== key || entry[1] !== each) same = false;
    return entry;
  });
  return same ? value : Object.fromEntries(entries);
}
