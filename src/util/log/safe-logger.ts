// Owns what every line of the log goes through, whichever logger writes it: names and texts that peers chose
// are cut, and spelt out where that is not done to the whole line. Never decides what is logged, never throws.

import type { Logger } from 'pino';
import { cutMessage, type Spell, safeFields } from './log-fields.ts';
import { printableLine } from './printable.ts';

type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/**
 * The logger with the texts of its lines made harmless; one that is so already is returned as it is.
 * `spell` is what makes a text printable.
 */
export function safeLogger(logger: Logger, spell: Spell = printableLine): Logger {
  if ((logger as unknown) instanceof SafeLogger) return logger;
  return new SafeLogger(logger, spell) as unknown as Logger;
}

/** All of a logger that the broker calls. */
class SafeLogger {
  private readonly logger: Logger;
  private readonly spell: Spell;

  constructor(logger: Logger, spell: Spell) {
    this.logger = logger;
    this.spell = spell;
  }

  get level(): string {
    return this.logger.level;
  }

  /** Whether a line of this level is written; no where the logger fails to say so. */
  isLevelEnabled(level: Level): boolean {
    try {
      return this.logger.isLevelEnabled(level);
    } catch {
      return false;
    }
  }

  /** A logger whose lines carry these fields; this one without them where the logger fails to make it. */
  child(bindings: Record<string, unknown>): Logger {
    const { logger, spell } = this;
    try {
      const child: unknown = logger.child(safeFields(bindings, spell));
      if (typeof child === 'object' && child !== null) return safeLogger(child as Logger, spell);
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
    const { logger, spell } = this;
    if (!logger.isLevelEnabled(level)) return undefined;
    if (typeof first === 'string') return logger[level](cutMessage(first, spell));
    const given = first instanceof Error ? { err: first } : first;
    const fields = safeFields(given as Record<string, unknown>, spell);
    if (text === undefined) return logger[level](fields);
    return logger[level](fields, cutMessage(text, spell));
  }
}

function dropped(): void {}
