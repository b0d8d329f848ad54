// Owns what a queue or an exchange goes by that looks for duplicates: what its arguments and its policy come to. Never
// looks for one.

/** The header that has the key of a message, where nothing else is said. */
const KEY_HEADER = 'x-deduplication-header';

/** How long the key of one message lasts, ms: the header of RabbitMQ's plugin. */
export const TTL_HEADER = 'x-cache-ttl';

/** So many keys there are at most that last until a time, where nothing else is said. */
const TIMED_KEYS_MAX = 1_000_000;

/** What can be said of it, by its name in a policy; arguments have `x-` before it. */
export type DuplicateKey =
  | 'message-deduplication'
  | 'cache-size'
  | 'cache-ttl'
  | 'deduplication-header'
  | 'cache-release';

/** When a key is forgotten, if there is room: in time, or as its message leaves the queue. */
export type KeyRelease = 'ttl' | 'ack';

/** How duplicates are told. */
export interface DuplicateRule {
  /** The name of the header that has the key. */
  readonly header: Buffer;
  readonly keysMax: number;
  /** How long a key lasts that says nothing else, ms. */
  readonly ttlMs: number;
  readonly release: KeyRelease;
}

/**
 * The rule, given what is said under each key; null: duplicates are not looked for. A queue of which no more is said
 * than that they are forgets a key with its message, as in RabbitMQ's plugin.
 */
export function duplicateRule(get: (key: DuplicateKey) => unknown): DuplicateRule | null {
  if (get('message-deduplication') !== true) return null;
  const size = positiveOf(get('cache-size'));
  const ttlMs = positiveOf(get('cache-ttl'));
  const usual = size === null && ttlMs === null ? 'ack' : 'ttl';
  const release = (get('cache-release') ?? usual) as KeyRelease;
  return {
    header: Buffer.from(String(get('deduplication-header') ?? KEY_HEADER)),
    keysMax: size ?? (release === 'ack' ? Infinity : TIMED_KEYS_MAX),
    ttlMs: ttlMs ?? Infinity,
    release,
  };
}

/** A number, be it written in digits as some clients have it; null: there is none. */
export function positiveOf(value: unknown): number | null {
  const text = typeof value === 'string' && /^\d{1,15}$/.test(value);
  if (typeof value !== 'number' && typeof value !== 'bigint' && !text) return null;
  const number = Number(value);
  return Number.isInteger(number) && number > 0 ? number : null;
}
