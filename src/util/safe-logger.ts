// Owns what every line of the log goes through, whichever logger writes it: names and texts that peers chose
// are cut, and spelt out where that is not done to the whole line. Never decides what is logged.

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

  isLevelEnabled(level: Level): boolean {
    return this.logger.isLevelEnabled(level);
  }

  child(bindings: Record<string, unknown>): Logger {
    return safeLogger(this.logger.child(safeFields(bindings, this.spell)), this.spell);
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

  private write(level: Level, first: object | string, text: string | undefined): void {
    const { logger, spell } = this;
    if (!logger.isLevelEnabled(level)) return;
    if (typeof first === 'string') {
      logger[level](cutMessage(first, spell));
      return;
    }
    const given = first instanceof Error ? { err: first } : first;
    const fields = safeFields(given as Record<string, unknown>, spell);
    if (text === undefined) logger[level](fields);
    else logger[level](fields, cutMessage(text, spell));
  }
}
