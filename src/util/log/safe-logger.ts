// Owns what every line of the log goes through, whichever logger writes it: names and texts that peers chose
// are cut, and spelt out where that is not done to the whole line. Never decides what is logged, never throws.

import type { Logger } from 'pino';
import type { KeptLines, Level } from './kept-lines.ts';
import { cutMessage, type Spell, safeFields } from './log-fields.ts';
import { printableLine } from './printable.ts';

/**
 * The logger with the texts of its lines made harmless; one that is so already is returned as it is.
 * `spell` is what makes a text printable.
 */
export function safeLogger(logger: Logger, spell: Spell = printableLine): Logger {
  if ((logger as unknown) instanceof SafeLogger) return logger;
  return new SafeLogger(logger, spell) as unknown as Logger;
}

/** The same logger, of which `lines` keeps the last lines that it writes. */
export function keptLogger(logger: Logger, lines: KeptLines): Logger {
  const safe = safeLogger(logger) as unknown as SafeLogger;
  return safe.keptBy(lines) as unknown as Logger;
}

/** Has a logger, and all that were made of it, write lines from this level on: its name as pino has it. */
export function setLevel(logger: Logger, level: string): void {
  if ((logger as unknown) instanceof SafeLogger) (logger as unknown as SafeLogger).setLevel(level);
  else logger.level = level;
}

/** The level that was set while the process runs, of a logger and all that were made of it; null: none was. */
interface Shared {
  level: string | null;
}

/** All of a logger that the broker calls. */
class SafeLogger {
  private readonly logger: Logger;
  private readonly spell: Spell;
  private readonly shared: Shared;
  /** What keeps the last lines; null: nothing does. */
  private readonly lines: KeptLines | null;
  /** The fields that all of its lines carry. */
  private readonly bindings: Readonly<Record<string, unknown>>;

  constructor(
    logger: Logger,
    spell: Spell,
    shared: Shared = { level: null },
    lines: KeptLines | null = null,
    bindings: Readonly<Record<string, unknown>> = {},
  ) {
    this.logger = logger;
    this.spell = spell;
    this.shared = shared;
    this.lines = lines;
    this.bindings = bindings;
  }

  keptBy(lines: KeptLines): SafeLogger {
    return new SafeLogger(this.logger, this.spell, this.shared, lines, this.bindings);
  }

  setLevel(level: string): void {
    this.shared.level = level;
  }

  /** The logger, with the level that was set since it was made. */
  private get current(): Logger {
    const { logger, shared } = this;
    if (shared.level !== null && logger.level !== shared.level) logger.level = shared.level;
    return logger;
  }

  get level(): string {
    return this.current.level;
  }

  /** Whether a line of this level is written; no where the logger fails to say so. */
  isLevelEnabled(level: Level): boolean {
    try {
      return this.current.isLevelEnabled(level);
    } catch {
      return false;
    }
  }

  /** A logger whose lines carry these fields; this one without them where the logger fails to make it. */
  child(bindings: Record<string, unknown>): Logger {
    const { logger, spell, shared, lines } = this;
    try {
      const fields = safeFields(bindings, spell);
      const child: unknown = logger.child(fields);
      if (typeof child === 'object' && child !== null) {
        const all = lines === null ? {} : { ...this.bindings, ...fields };
        return new SafeLogger(child as Logger, spell, shared, lines, all) as unknown as Logger;
      }
    } catch {
      // Its lines lack these fields, which is better than none.
    }
    return this as unknown as Logger;
  }

  trace(first: object | string, text?: string): void {
    this.write('trace', first, text);
  }

  debug(first: object | string, text?: string): void {
    this.write('debug', first, text);
  }

  info(first: object | string, text?: string): void {
    this.write('info', first, text);
  }

  warn(first: object | string, text?: string): void {
    this.write('warn', first, text);
  }

  error(first: object | string, text?: string): void {
    this.write('error', first, text);
  }

  fatal(first: object | string, text?: string): void {
    this.write('fatal', first, text);
  }

  /** A line that cannot be written is dropped: no caller can do anything about it, least of all a guard. */
  private write(level: Level, first: object | string, text: string | undefined): void {
    try {
      const written: unknown = this.hand(level, first, text);
      // A logger of a program may write by promises, that nothing else looks at.
      if (written instanceof Promise) written.catch(dropped);
    } catch {
      dropped();
    }
  }

  private hand(level: Level, first: object | string, text: string | undefined): unknown {
    const { spell, current: logger } = this;
    if (!logger.isLevelEnabled(level)) return undefined;
    if (typeof first === 'string') {
      const message = cutMessage(first, spell);
      this.lines?.add(level, message, this.bindings);
      return logger[level](message);
    }
    const given = first instanceof Error ? { err: first } : first;
    const fields = safeFields(given as Record<string, unknown>, spell);
    const message = text === undefined ? '' : cutMessage(text, spell);
    this.lines?.add(level, message, { ...this.bindings, ...fields });
    return text === undefined ? logger[level](fields) : logger[level](fields, message);
  }
}

function dropped(): void {}
