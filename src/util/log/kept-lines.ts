// Owns the last lines of the log in memory, for operators that look through the API. Never decides what is logged, and
// never makes a text harmless: safe-logger.ts did both before.

import type { Clock } from '../clock.ts';

/** Levels, the least urgent first. */
export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type Level = (typeof LEVELS)[number];

/** One line. */
export interface KeptLine {
  /** How many lines there were before it, since the start. */
  readonly number: number;
  /** ms since the Unix epoch. */
  readonly time: number;
  readonly level: Level;
  readonly text: string;
  /** The fields of the line as JSON, '' where it has none. */
  readonly fields: string;
}

/** So many lines are kept, and of them so many characters: the oldest are forgotten first. */
export const LINES_MAX = 1000;
export const CHARS_MAX = 1024 * 1024;

/** The lines written last. */
export class KeptLines {
  private readonly clock: Pick<Clock, 'wallMs'>;
  private readonly lines: (KeptLine | null)[] = Array.from({ length: LINES_MAX }, () => null);
  /** How many lines were added, and how many of them forgotten, since the start. */
  private added = 0;
  private forgotten = 0;
  private chars = 0;

  constructor(clock: Pick<Clock, 'wallMs'>) {
    this.clock = clock;
  }

  /** Keeps a line. Never throws: what cannot be written as JSON is left out. */
  add(level: Level, text: string, fields: Readonly<Record<string, unknown>>): void {
    const time = this.clock.wallMs();
    const line = { number: this.added, time, level, text, fields: textOf(fields) };
    while (this.added - this.forgotten >= LINES_MAX) this.forgetOldest();
    this.lines[this.added % LINES_MAX] = line;
    this.added += 1;
    this.chars += sizeOf(line);
    while (this.chars > CHARS_MAX) this.forgetOldest();
  }

  /**
   * The newest lines first, at most `count`: of this level and above, and with the text somewhere in them, in
   * whatever case.
   */
  find(from: Level, text: string, count: number): KeptLine[] {
    const wanted = text.toLowerCase();
    const least = LEVELS.indexOf(from);
    const found: KeptLine[] = [];
    for (let i = this.added - 1; i >= this.forgotten && found.length < count; i--) {
      const line = this.lines[i % LINES_MAX] as KeptLine;
      if (LEVELS.indexOf(line.level) < least) continue;
      if (wanted === '' || `${line.text} ${line.fields}`.toLowerCase().includes(wanted)) {
        found.push(line);
      }
    }
    return found;
  }

  /** How many lines there are, and how many older ones were forgotten. */
  get counts(): { readonly kept: number; readonly forgotten: number } {
    return { kept: this.added - this.forgotten, forgotten: this.forgotten };
  }

  private forgetOldest(): void {
    const at = this.forgotten % LINES_MAX;
    this.chars -= sizeOf(this.lines[at] as KeptLine);
    this.lines[at] = null;
    this.forgotten += 1;
  }
}

const sizeOf = ({ text, fields }: KeptLine): number => text.length + fields.length;

function textOf(fields: Readonly<Record<string, unknown>>): string {
  try {
    const json = JSON.stringify(fields, (_name, value: unknown) =>
      value instanceof Error ? (value.stack ?? value.message) : value,
    );
    return json === '{}' ? '' : json;
  } catch {
    return '';
  }
}
