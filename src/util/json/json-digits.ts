// Owns the numbers of JSON that a double of JavaScript changes: integers of up to 64 bits become a bigint
// beyond 2^53, and a float that looks like an integer stays a float. Never knows what a number means.

import { JsonFloat } from './json-float.ts';

/** A number that nothing behind can hold; the message is for the peer that sent it. */
export class JsonNumberError extends Error {
  override readonly name = 'JsonNumberError';
}

/** What becomes of an integer of more than 64 bits: an error, or the nearest float. */
export type Beyond64 = 'refused' | 'rounded';

/** How much of a number errors show. */
const SHOWN_DIGITS = 30;
const LEAST = -(2n ** 63n);
const GREATEST = 2n ** 64n - 1n;

/** What every number has that JSON.parse changes; texts may look so, too. */
const MAY_CHANGE = /\d{16}|\d[.eE]|-0/;
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const SPACE = /[ \t\n\r]*/y;
const INTEGER = /^-?\d+$/;

/**
 * The value of a text of JSON, whose integers keep their digits and whose floats stay floats. `depthMax`
 * bounds how deep containers lie in each other. Throws a SyntaxError for what is no JSON, a JsonNumberError,
 * or what `tooDeep` makes.
 */
export function parseWithDigits(
  text: string,
  beyond: Beyond64,
  depthMax: number,
  tooDeep: () => Error,
): unknown {
  // Tells what is no JSON, in the runtime's words, so that the reader below may take it for granted.
  const value: unknown = JSON.parse(text);
  return MAY_CHANGE.test(text) ? new Reader(text, beyond, tooDeep).read(depthMax) : value;
}

/** The value of one number as JSON writes it. Throws a JsonNumberError. */
function numberFromDigits(digits: string, beyond: Beyond64): number | bigint | JsonFloat {
  const value = Number(digits);
  if (INTEGER.test(digits)) {
    // Minus nought is an integer, and that is nought.
    if (Number.isSafeInteger(value)) return value === 0 ? 0 : value;
    // No text of any length is made into a bigint.
    const exact = digits.length <= SHOWN_DIGITS ? BigInt(digits) : null;
    if (exact !== null && exact >= LEAST && exact <= GREATEST) return exact;
    if (beyond === 'refused') throw tooLarge('an integer of more than 64 bits', digits);
  }
  if (!Number.isFinite(value) && beyond === 'refused') {
    throw tooLarge('a number that no float of 64 bits holds', digits);
  }
  return Number.isInteger(value) ? new JsonFloat(value) : value;
}

function tooLarge(what: string, digits: string): JsonNumberError {
  const shown = digits.length > SHOWN_DIGITS ? `${digits.slice(0, SHOWN_DIGITS)}...` : digits;
  return new JsonNumberError(`the JSON has ${what}: ${shown}`);
}

/** Reads a text that is known to be JSON. */
class Reader {
  private readonly text: string;
  private readonly beyond: Beyond64;
  private readonly tooDeep: () => Error;
  private at = 0;

  constructor(text: string, beyond: Beyond64, tooDeep: () => Error) {
    this.text = text;
    this.beyond = beyond;
    this.tooDeep = tooDeep;
  }

  /** The next value; containers in it lie at most so many levels deep. */
  read(levels: number): unknown {
    this.space();
    switch (this.text[this.at]) {
      case '{':
        return this.object(levels - 1);
      case '[':
        return this.array(levels - 1);
      case '"':
        return this.string();
      case 't':
        return this.word(4, true);
      case 'f':
        return this.word(5, false);
      case 'n':
        return this.word(4, null);
      default:
        return this.number();
    }
  }

  private object(levels: number): object {
    if (levels < 0) throw this.tooDeep();
    const made: Record<string, unknown> = {};
    for (let more = this.opened('}'); more; more = this.goesOn()) {
      this.space();
      const key = this.string();
      this.space();
      this.at += 1;
      const value = this.read(levels);
      // As JSON.parse does it: no key sets a prototype.
      if (key !== '__proto__') made[key] = value;
      else Object.defineProperty(made, key, { value, ...PLAIN });
    }
    return made;
  }

  private array(levels: number): unknown[] {
    if (levels < 0) throw this.tooDeep();
    const made: unknown[] = [];
    for (let more = this.opened(']'); more; more = this.goesOn()) made.push(this.read(levels));
    return made;
  }

  /** Passes what opens a container, and its end where nothing is in it; whether something is. */
  private opened(end: string): boolean {
    this.at += 1;
    this.space();
    if (this.text[this.at] !== end) return true;
    this.at += 1;
    return false;
  }

  /** Passes what is behind a member: whether it is a comma, and not the end. */
  private goesOn(): boolean {
    this.space();
    this.at += 1;
    return this.text[this.at - 1] === ',';
  }

  private string(): string {
    const start = this.at;
    let end = start;
    let slashes = 0;
    do {
      end = this.text.indexOf('"', end + 1);
      slashes = 0;
      while (this.text[end - 1 - slashes] === '\\') slashes += 1;
    } while (slashes % 2 === 1);
    this.at = end + 1;
    const inner = this.text.slice(start + 1, end);
    return inner.includes('\\') ? (JSON.parse(`"${inner}"`) as string) : inner;
  }

  private word<T>(length: number, value: T): T {
    this.at += length;
    return value;
  }

  private number(): number | bigint | JsonFloat {
    NUMBER.lastIndex = this.at;
    const digits = (NUMBER.exec(this.text) as RegExpExecArray)[0];
    this.at += digits.length;
    return numberFromDigits(digits, this.beyond);
  }

  private space(): void {
    SPACE.lastIndex = this.at;
    SPACE.test(this.text);
    this.at = SPACE.lastIndex;
  }
}

const PLAIN = { enumerable: true, configurable: true, writable: true };
