// Owns the error a user sees when a setting is wrong. Never carries a stack to the user: the message
// is one line that names the place, what is wrong and the way out.

import { systemCode, wayOutOf } from '../util/system/system-error.ts';
import { UnfitFileError } from '../util/system/whole-file.ts';
import { UserError } from '../util/user-error.ts';
import type { Origin } from './origin.ts';

/** A setting, a config file or a flag that the broker cannot start with. */
export class ConfigError extends UserError {
  override readonly name = 'ConfigError';
  /** Where the wrong text stands, once the draft has said so; no log shows it beside the message. */
  #origin: Origin | null = null;

  constructor(place: string, problem: string, wayOut: string) {
    super(`${place}: ${problem}; ${wayOut}`);
  }

  /** The same error, about a text that stands there. */
  at(origin: Origin): this {
    this.#origin = origin;
    return this;
  }

  /** Whether the command line itself is wrong, and nothing else. */
  get isUsage(): boolean {
    return this.#origin?.from === 'flag';
  }
}

/** All that is wrong in the settings of one start, or in the definitions that it loads. */
export class ConfigErrors extends ConfigError {
  /** In the order of files and lines; two at least. */
  readonly all: readonly ConfigError[];

  constructor(what: 'settings' | 'definitions', all: readonly ConfigError[]) {
    const [first] = all as readonly [ConfigError];
    super(`${all.length} ${what} are wrong`, 'the first one', first.message);
    this.message = `${all.length} ${what} are wrong; the first one: ${first.message}`;
    this.all = all;
  }

  override get isUsage(): boolean {
    return this.all.every((each) => each.isUsage);
  }
}

/** The error for a file that `readWholeFile` could not read. */
export function unreadable(file: string, error: unknown): ConfigError {
  if (error instanceof UnfitFileError) {
    return new ConfigError(file, `cannot be read: ${error.message}`, error.hint);
  }
  const why = error instanceof Error ? error.message : String(error);
  if (systemCode(error) === 'ENOENT')
    return new ConfigError(file, 'cannot be read: there is no such file', 'name one that is there');
  const wayOut = wayOutOf(error) ?? 'give this user the right to read it';
  return new ConfigError(file, `cannot be read (${why})`, wayOut);
}
