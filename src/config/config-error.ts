// Owns the error a user sees when a setting is wrong. Never carries a stack to the user: the message
// is one line that names the place, what is wrong and the way out.

/** A setting, a config file or a flag that the broker cannot start with. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(place: string, problem: string, wayOut: string) {
    super(`${place}: ${problem}; ${wayOut}`);
  }
}
