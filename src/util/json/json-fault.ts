// Owns finding where a text stops being JSON, so that its author finds the place. Never makes values of it.

/** Where something is in a text: line and column, both from 1. */
export interface TextPlace {
  readonly line: number;
  readonly column: number;
}

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;

/** The place of an index in a text. */
export function placeAt(text: string, index: number): TextPlace {
  let line = 1;
  let start = 0;
  for (;;) {
    const end = text.indexOf('\n', start);
    if (end === -1 || end >= index) return { line, column: index - start + 1 };
    line += 1;
    start = end + 1;
  }
}

/** Where a text stops being JSON, in words: `line 1, column 2`. */
export function faultPlace(text: string): string {
  const index = faultIndex(text);
  const { line, column } = placeAt(text, index < 0 ? text.length : index);
  return `line ${line}, column ${column}${index === text.length ? ': it ends too early' : ''}`;
}

/** The index at which a text can be JSON no longer: its length where more is wanted; -1 where it is JSON. */
export function faultIndex(text: string): number {
  return new Scan(text).run();
}

/*
 *   value ---> text, number, word ----> after ---> , or the end of what holds it
 *     ^  \---> [ or {  ------------\      |
 *     \----- key : <----------------+-----/
 */
class Scan {
  private readonly text: string;
  private at = 0;
  /** What is open: ] and } to come. */
  private readonly open: string[] = [];

  constructor(text: string) {
    this.text = text;
  }

  run(): number {
    for (;;) {
      if (!this.value()) return this.at;
      const ended = this.after();
      if (ended !== null) return ended;
    }
  }

  /** Reads a value, or what opens one up to its first value. */
  private value(): boolean {
    for (;;) {
      this.take(SPACE);
      const first = this.text[this.at];
      if (first !== '[' && first !== '{') {
        return this.string() || this.take(WORD) || this.take(NUMBER);
      }
      this.at += 1;
      this.take(SPACE);
      const end = first === '[' ? ']' : '}';
      if (this.text[this.at] === end) {
        this.at += 1;
        return true;
      }
      this.open.push(end);
      if (end === '}' && !this.key()) return false;
    }
  }

  private key(): boolean {
    this.take(SPACE);
    if (!this.string()) return false;
    this.take(SPACE);
    if (this.text[this.at] !== ':') return false;
    this.at += 1;
    return true;
  }

  /** What follows a value: null where another has to come, else the answer. */
  private after(): number | null {
    for (;;) {
      this.take(SPACE);
      const end = this.open.at(-1);
      const found = this.text[this.at];
      if (end === undefined) return found === undefined ? -1 : this.at;
      if (found === ',') {
        this.at += 1;
        return end === '}' && !this.key() ? this.at : null;
      }
      if (found !== end) return this.at;
      this.at += 1;
      this.open.pop();
    }
  }

  /** By hand: no pattern takes texts of any length. Stays at its first sign where it does not end well. */
  private string(): boolean {
    const { text } = this;
    if (text[this.at] !== '"') return false;
    for (let at = this.at + 1; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) {
        this.at = at + 1;
        return true;
      }
      if (code < FIRST_PRINTABLE) break;
      if (code !== BACKSLASH) continue;
      ESCAPE.lastIndex = at;
      if (!ESCAPE.test(text)) break;
      at = ESCAPE.lastIndex - 1;
    }
    return false;
  }

  private take(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    if (!pattern.test(this.text)) return false;
    this.at = pattern.lastIndex;
    return true;
  }
}
