// Owns how long the texts in a line of the log may be. Never escapes anything by itself: printable.ts does.

/** The longest text of one field, in UTF-16 units: no name of AMQP has more bytes. */
const FIELD_MAX = 255;
/** The longest message of a line, and the longest text of an error with its stack. */
const MESSAGE_MAX = 2048;
const STACK_MAX = 8192;
/** The most entries of a list or object in a field, and how deep they may nest. */
const ENTRIES_MAX = 32;
const DEPTH_MAX = 3;

/** A text of at most `max` units, the last being an ellipsis where something was cut off. */
function cutText(text: string, max = FIELD_MAX): string {
  if (text.length <= max) return text;
  const last = text.charCodeAt(max - 2);
  // No half of a pair is left behind.
  const end = last >= 0xd800 && last <= 0xdbff ? max - 2 : max - 1;
  return `${text.slice(0, end)}…`;
}

/** Makes a text printable, or leaves it as it is where a whole line is made so later. */
export type Spell = (text: string) => string;

/** The fields of a line with long texts cut and all texts spelt, whatever is in them. */
export function safeFields(fields: Record<string, unknown>, spell: Spell): Record<string, unknown> {
  return new Safe(spell).entries(Object.entries(fields), 0);
}

/** The text of a line, cut and spelt. */
export function cutMessage(text: string, spell: Spell): string {
  return spell(cutText(text, MESSAGE_MAX));
}

/** Cuts and spells the values of one line. */
class Safe {
  private readonly spell: Spell;

  constructor(spell: Spell) {
    this.spell = spell;
  }

  entries(entries: readonly [string, unknown][], depth: number): Record<string, unknown> {
    return Object.fromEntries(
      entries.map(([name, each]) => [this.text(name), this.value(each, depth)]),
    );
  }

  private text(text: string): string {
    return this.spell(cutText(text));
  }

  private value(value: unknown, depth: number): unknown {
    if (typeof value === 'string') return this.text(value);
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof Error) return this.error(value);
    if (depth >= DEPTH_MAX) return '…';
    if (Array.isArray(value)) {
      const cut = value.slice(0, ENTRIES_MAX).map((each) => this.value(each, depth + 1));
      if (value.length > ENTRIES_MAX) cut.push(`… and ${value.length - ENTRIES_MAX} more`);
      return cut;
    }
    const prototype = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) return value;
    return this.entries(Object.entries(value).slice(0, ENTRIES_MAX), depth + 1);
  }

  /** As an error is shown, with its type, its text and where it came from; itself if it is harmless. */
  private error(error: Error): unknown {
    const message = this.spell(cutText(messageOf(error), MESSAGE_MAX));
    const stack = this.stack(error);
    const own = Object.entries(error).slice(0, ENTRIES_MAX);
    const same = error.message === message && (error.stack ?? '') === stack;
    if (same && own.every(([, value]) => this.isHarmless(value))) return error;
    // An error again, so that loggers take it for one; its causes are in its message.
    const copy = Object.create(Object.getPrototypeOf(error) as object) as Error;
    Object.defineProperty(copy, 'message', { value: message });
    Object.defineProperty(copy, 'stack', { value: stack });
    for (const [name, value] of own) {
      Object.defineProperty(copy, this.text(name), {
        value: this.value(value, 1),
        enumerable: true,
      });
    }
    return copy;
  }

  /** Its lines stay lines: they are spelt one by one. */
  private stack(error: Error): string {
    const lines = cutText(error.stack ?? '', STACK_MAX).split('\n');
    return lines.map((line) => this.spell(line)).join('\n');
  }

  private isHarmless(value: unknown): boolean {
    if (typeof value === 'string') return this.text(value) === value;
    return typeof value !== 'object' || value === null;
  }
}

/** The text of an error with those of its causes, as loggers show it. */
function messageOf(error: Error): string {
  let text = String(error.message);
  let cause = error.cause;
  for (let depth = 0; depth < DEPTH_MAX && cause instanceof Error; depth++) {
    text += `: ${cause.message}`;
    cause = cause.cause;
  }
  return text;
}
