// Owns the format of Erlang terms, as RabbitMQ's old config files have them: it makes values of a text. Never knows
// what a term means.

/** A term with the line where it begins, from 1. Texts in double quotes and binaries are both `string`. */
export type Term = Bare & { readonly line: number };

type Bare =
  | { readonly is: 'atom'; readonly name: string }
  | { readonly is: 'string'; readonly text: string }
  | { readonly is: 'number'; readonly value: number }
  | { readonly is: 'tuple'; readonly items: readonly Term[] }
  | { readonly is: 'list'; readonly items: readonly Term[] };

/** A text that is no term; `line` counts from 1. */
export class TermFault extends Error {
  override readonly name = 'TermFault';
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/** How deep lists and tuples may nest. */
const DEPTH_MAX = 64;
/** How many terms a text may have. */
const TERMS_MAX = 100_000;

const SPACE = /(?:\s|%[^\n]*)+/y;
const ATOM = /[a-z][A-Za-z0-9_@]*/y;
const QUOTED_ATOM = /'([^'\\]*(?:\\.[^'\\]*)*)'/sy;
const STRING = /"([^"\\]*(?:\\.[^"\\]*)*)"/sy;
const BINARY = /<<\s*"([^"\\]*(?:\\.[^"\\]*)*)"\s*(?:\/utf8\s*)?>>/sy;
const EMPTY_BINARY = /<<\s*>>/y;
const RADIX = /(\d{1,2})#([0-9A-Za-z]+)/y;
const NUMBER = /[+-]?\d+(?:\.\d+(?:[eE][+-]?\d+)?)?/y;
const CHARACTER = /\$(\\x\{[0-9A-Fa-f]+\}|\\x[0-9A-Fa-f]{2}|\\[0-7]{1,3}|\\\^.|\\?.)/y;

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['b', '\b'],
  ['d', '\u007f'],
  ['f', '\f'],
  ['v', '\v'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['s', ' '],
  ['e', '\u001b'],
]);

/** Reads one term and the dot behind it, which may be missing. Throws a TermFault. */
export function parseTerm(text: string): Term {
  return new TermReader(text).whole();
}

class TermReader {
  private readonly text: string;
  private at = 0;
  private depth = 0;
  private count = 0;
  /** The line at a place where the reader has been. */
  private line = 1;
  private lineAt = 0;

  constructor(text: string) {
    this.text = text;
  }

  whole(): Term {
    this.space();
    const term = this.term();
    this.space();
    if (this.text[this.at] === '.') this.at += 1;
    this.space();
    if (this.at < this.text.length) throw this.fault('there is more text after the last dot');
    return term;
  }

  private term(): Term {
    this.count += 1;
    if (this.count > TERMS_MAX) throw this.fault(`there are more than ${TERMS_MAX} terms`);
    const line = this.lineHere();
    return { ...this.bare(), line };
  }

  private bare(): Bare {
    const sign = this.text[this.at];
    if (sign === '[') return { is: 'list', items: this.items(']') };
    if (sign === '{') return { is: 'tuple', items: this.items('}') };
    return this.simple();
  }

  private simple(): Bare {
    const binary = this.take(BINARY) ?? this.take(STRING);
    if (binary !== null) return { is: 'string', text: this.strings(unescaped(binary[1] ?? '')) };
    if (this.take(EMPTY_BINARY) !== null) return { is: 'string', text: '' };
    const quoted = this.take(QUOTED_ATOM);
    if (quoted !== null) return { is: 'atom', name: unescaped(quoted[1] ?? '') };
    const atom = this.take(ATOM);
    if (atom !== null) return { is: 'atom', name: atom[0] };
    const radix = this.take(RADIX);
    if (radix !== null) return this.number(Number.parseInt(radix[2] ?? '', Number(radix[1])));
    const number = this.take(NUMBER);
    if (number !== null) return this.number(Number(number[0]));
    const character = this.take(CHARACTER);
    if (character !== null) return this.number(unescaped(character[1] ?? '').codePointAt(0) ?? 0);
    if (this.at >= this.text.length) throw this.fault('the text ends too early');
    throw this.fault(`'${this.text[this.at]}' begins no term`);
  }

  private number(value: number): Bare {
    if (Number.isNaN(value)) throw this.fault('this is no number');
    return { is: 'number', value };
  }

  /** Strings that stand one after the other are one. */
  private strings(first: string): string {
    const parts = [first];
    for (;;) {
      const before = this.at;
      this.space();
      const next = this.take(STRING);
      if (next === null) {
        this.at = before;
        return parts.join('');
      }
      parts.push(unescaped(next[1] ?? ''));
    }
  }

  private items(end: string): Term[] {
    this.at += 1;
    this.depth += 1;
    if (this.depth > DEPTH_MAX)
      throw this.fault(`lists and tuples nest more than ${DEPTH_MAX} deep`);
    const items: Term[] = [];
    this.space();
    while (this.text[this.at] !== end) {
      items.push(this.term());
      this.space();
      if (this.text[this.at] === ',') {
        this.at += 1;
        this.space();
        if (this.text[this.at] === end) throw this.fault(`there is a comma before '${end}'`);
      } else if (this.text[this.at] !== end) {
        throw this.fault(`a ',' or '${end}' is missing`);
      }
    }
    this.at += 1;
    this.depth -= 1;
    return items;
  }

  private space(): void {
    this.take(SPACE);
  }

  private take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found !== null) this.at += found[0].length;
    return found;
  }

  private fault(message: string): TermFault {
    return new TermFault(this.lineHere(), message);
  }

  /** Counts on from where it was asked last: a long text is not counted again for each term. */
  private lineHere(): number {
    for (; this.lineAt < this.at; this.lineAt += 1)
      if (this.text[this.lineAt] === '\n') this.line += 1;
    return this.line;
  }
}

/** A sign by its number in hexadecimal or octal digits, a control character, or a sign that stands for another. */
const ESCAPE = /\\(?:x\{([0-9A-Fa-f]{1,6})\}|x([0-9A-Fa-f]{2})|([0-7]{1,3})|\^([@-_a-z])|(.))/gs;

function unescaped(text: string): string {
  return text.replaceAll(ESCAPE, (whole, braced, hex, octal, control, sign): string => {
    if (control !== undefined) return String.fromCharCode(control.charCodeAt(0) & 31);
    if (sign !== undefined) return ESCAPES.get(sign) ?? sign;
    const code =
      octal === undefined ? Number.parseInt(braced ?? hex, 16) : Number.parseInt(octal, 8);
    return code > 0x10ffff ? whole : String.fromCodePoint(code);
  });
}
