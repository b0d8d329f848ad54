// Owns turning the bytes of a JSON text (RFC 8259) into values: within limits that are checked before
// anything is made, and in steps, so that a large text delays no other work. Never knows what the values mean.
//
// A text is gone over twice. The first pass counts, and notes which containers are large; the second
// hands runs of small members of these to JSON.parse:
//
//   { "queues": [ {..},{..},{..} , {..},{..},{..} , ... ], "users": [..], ... }
//                 '---- run ---'   '---- run ---'                '- run -'

import { JSON_DEPTH_MAX } from '../limits.ts';
import { JsonNumberError } from './json-digits.ts';
import { parseJsonText } from './json-input.ts';

/** What a text may cost. */
export interface JsonLimits {
  /** How deep containers may lie in each other. */
  readonly depth: number;
  /** How many values there may be, those in containers included. */
  readonly values: number;
  /** The longest string, in bytes as written. */
  readonly stringBytes: number;
}

/** Limits of what is not known to be large. */
export const JSON_LIMITS: JsonLimits = {
  depth: JSON_DEPTH_MAX,
  values: 50_000,
  stringBytes: 8 * 2 ** 20,
};

/** Limits of a file of definitions. */
export const DEFINITION_LIMITS: JsonLimits = {
  depth: JSON_DEPTH_MAX,
  values: 4_000_000,
  stringBytes: 8 * 2 ** 20,
};

/** A text that is no JSON, or too much of it; the message is for the peer that sent it. */
export class JsonTextError extends Error {
  override readonly name = 'JsonTextError';
  /** The same for a person, with the place; null: the message says it. */
  readonly explanation: string | null;

  constructor(message: string, explanation: string | null = null) {
    super(message);
    this.explanation = explanation;
  }
}

/** The message for a text that is no JSON, as RabbitMQ has it. */
export const NOT_JSON = 'not_json';

/** What is asked between two steps whether others should have their turn. */
export interface Rests {
  readonly due: boolean;
  rest(): Promise<void>;
}

/** About so many bytes are gone over, or made into values, in one step. */
const STEP_BYTES = 32 * 1024;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** The value of a text, at once. Throws a JsonTextError. For texts that are known to be small. */
export function parseJson(bytes: Buffer, limits: JsonLimits = JSON_LIMITS): unknown {
  const steps = parse(bytes, limits);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same for a text of any size, with rests on the way. Rejects with a JsonTextError. */
export async function parseJsonSlowly(
  bytes: Buffer,
  limits: JsonLimits,
  rests: Rests,
): Promise<unknown> {
  const steps = parse(bytes, limits);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (rests.due) await rests.rest();
  }
}

type Steps<T> = Generator<undefined, T, undefined>;

function* parse(bytes: Buffer, limits: JsonLimits): Steps<unknown> {
  const large = yield* survey(bytes, limits);
  const start = skipSpace(bytes, 0, bytes.length);
  const end = trimmedEnd(bytes, start);
  if (large.get(start) !== end) return parsed(bytes, start, end, '', '');
  return yield* build(bytes, start, end, large);
}

/** Counts what there is, and gives the ends of large containers by their starts. */
function* survey(bytes: Buffer, limits: JsonLimits): Steps<ReadonlyMap<number, number>> {
  const large = new Map<number, number>();
  const starts: number[] = [];
  let values = 1;
  let next = STEP_BYTES;
  for (let at = 0; at < bytes.length; at++) {
    switch (bytes[at]) {
      case QUOTE: {
        const close = endOfString(bytes, at);
        if (close - at > limits.stringBytes) throw tooMuch(`a text of ${close - at} bytes`);
        at = close;
        break;
      }
      case COMMA:
        values += 1;
        break;
      case OPEN_ARRAY:
      case OPEN_OBJECT:
        values += 1;
        starts.push(at);
        if (starts.length > limits.depth) throw tooDeep(limits.depth);
        break;
      case CLOSE_ARRAY:
      case CLOSE_OBJECT: {
        const start = starts.pop();
        if (start === undefined) throw notJson();
        // Two characters on, the pair of brackets are 2 apart as codes, in both kinds.
        if ((bytes[start] as number) + 2 !== bytes[at]) throw notJson();
        if (at - start >= STEP_BYTES) large.set(start, at + 1);
        break;
      }
    }
    if (values > limits.values) throw tooMuch(`more than ${limits.values} values`);
    if (at < next) continue;
    next = at + STEP_BYTES;
    yield;
  }
  if (starts.length > 0) throw notJson();
  return large;
}

/** Where the string that begins at a quote ends: at its other quote. */
function endOfString(bytes: Buffer, start: number): number {
  for (let at = start + 1; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at += 1;
  }
  throw notJson();
}

/** The value of a large container, with its members by the run. */
function* build(
  bytes: Buffer,
  start: number,
  end: number,
  large: ReadonlyMap<number, number>,
): Steps<unknown> {
  const made = bytes[start] === OPEN_ARRAY ? new ArrayMaker() : new ObjectMaker();
  const last = end - 1;
  /** Where the members begin that are not taken in yet, and the last of them. */
  let run = start + 1;
  let member = run;
  let at = run;
  /** Whether the run follows a comma, so that it may not be empty. */
  let owed = false;
  while (at < last) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = endOfString(bytes, at) + 1;
    } else if (byte === COMMA && at - run >= STEP_BYTES) {
      made.take(bytes, run, at);
      run = member = at + 1;
      owed = true;
      at += 1;
      yield;
    } else if (byte === COMMA) {
      member = at + 1;
      at += 1;
    } else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
      const close = large.get(at);
      if (close === undefined) {
        at = endOfSmall(bytes, at);
        continue;
      }
      if (member > run) made.take(bytes, run, member - 1);
      const key = made.keyOf(bytes, member, at);
      made.put(key, yield* build(bytes, at, close, large));
      at = skipSpace(bytes, close, last);
      if (at < last && bytes[at] !== COMMA) throw notJson();
      owed = at < last;
      at = Math.min(at + 1, last);
      run = member = at;
    } else {
      at += 1;
    }
  }
  const rest = skipSpace(bytes, run, last);
  if (rest < last) made.take(bytes, run, last);
  else if (owed) throw notJson();
  return made.value;
}

/** Behind the end of a small container: the survey has seen that it is closed. */
function endOfSmall(bytes: Buffer, start: number): number {
  let depth = 0;
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) at = endOfString(bytes, at);
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) depth += 1;
    else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  throw notJson();
}

/** An array in the making. */
class ArrayMaker {
  readonly value: unknown[] = [];

  take(bytes: Buffer, start: number, end: number): void {
    const some = parsed(bytes, start, end, '[', ']') as unknown[];
    if (some.length === 0) throw notJson();
    for (const each of some) this.value.push(each);
  }

  keyOf(bytes: Buffer, start: number, end: number): string {
    if (skipSpace(bytes, start, end) < end) throw notJson();
    return '';
  }

  put(_key: string, value: unknown): void {
    this.value.push(value);
  }
}

/** An object in the making. */
class ObjectMaker {
  readonly value: Record<string, unknown> = {};

  take(bytes: Buffer, start: number, end: number): void {
    const some = parsed(bytes, start, end, '{', '}') as Record<string, unknown>;
    const keys = Object.keys(some);
    if (keys.length === 0) throw notJson();
    for (const key of keys) this.put(key, some[key]);
  }

  /** The key of a member that is cut off before its value. */
  keyOf(bytes: Buffer, start: number, end: number): string {
    if (bytes.lastIndexOf(COLON, end - 1) < start) throw notJson();
    const keys = Object.keys(parsed(bytes, start, end, '{', 'null}') as object);
    if (keys.length !== 1) throw notJson();
    return keys[0] as string;
  }

  put(key: string, value: unknown): void {
    // As JSON.parse does it: no key sets a prototype.
    if (key !== '__proto__') this.value[key] = value;
    else Object.defineProperty(this.value, key, { value, ...PLAIN });
  }
}

const PLAIN = { enumerable: true, configurable: true, writable: true };

/** The one place where bytes become values. */
function parsed(bytes: Buffer, start: number, end: number, before: string, after: string): unknown {
  try {
    return parseJsonText(before + bytes.toString('utf8', start, end) + after);
  } catch (error) {
    if (error instanceof JsonNumberError) throw new JsonTextError(error.message);
    throw notJson();
  }
}

function skipSpace(bytes: Buffer, start: number, end: number): number {
  let at = start;
  // A mark of the byte order at the very start is no part of the text.
  if (at === 0 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) at = 3;
  while (at < end && isSpace(bytes[at])) at += 1;
  return at;
}

function trimmedEnd(bytes: Buffer, start: number): number {
  let end = bytes.length;
  while (end > start && isSpace(bytes[end - 1])) end -= 1;
  return end;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

const notJson = (): JsonTextError => new JsonTextError(NOT_JSON);
const tooDeep = (depth: number): JsonTextError =>
  new JsonTextError(`the JSON is nested more than ${depth} deep`);
const tooMuch = (what: string): JsonTextError =>
  new JsonTextError(`the JSON has ${what}, which is too much for this request`);
