// Owns how long the texts in a line of the log may be. Never escapes anything: printable.ts does.

/** The longest text of one field, in UTF-16 units: no name of AMQP has more bytes. */
const FIELD_MAX = 255;
/** The longest message of a line, and the longest text of an error with its stack. */
const MESSAGE_MAX = 2048;
const STACK_MAX = 8192;
/** The most entries of a list or object in a field, and how deep they may nest. */
const ENTRIES_MAX = 32;
const DEPTH_MAX = 3;

/** A text of at most `max` units, the last being an ellipsis where something was cut off. */
export function cutText(text: string, max = FIELD_MAX): string {
  if (text.length <= max) return text;
  const last = text.charCodeAt(max - 2);
  // No half of a pair is left behind.
  const end = last >= 0xd800 && last <= 0xdbff ? max - 2 : max - 1;
  return `${text.slice(0, end)}…`;
}

/** The fields of a line with long texts cut, whatever is in them; for `formatters.log` of pino. */
export function cutFields(fields: Record<string, unknown>): Record<string, unknown> {
  const cut: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) cut[cutText(name)] = cutValue(value, 0);
  return cut;
}

/** Cuts the text of a line; for `hooks.logMethod` of pino. */
export function cutMessage(
  this: unknown,
  given: unknown[],
  method: (...given: never[]) => void,
): void {
  const cut = given.map((each) => (typeof each === 'string' ? cutText(each, MESSAGE_MAX) : each));
  (method as (...given: unknown[]) => void).apply(this, cut);
}

function cutValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return cutText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return cutError(value);
  if (depth >= DEPTH_MAX) return '…';
  if (Array.isArray(value)) {
    const cut = value.slice(0, ENTRIES_MAX).map((each) => cutValue(each, depth + 1));
    if (value.length > ENTRIES_MAX) cut.push(`… and ${value.length - ENTRIES_MAX} more`);
    return cut;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const entries = Object.entries(value).slice(0, ENTRIES_MAX);
  return Object.fromEntries(
    entries.map(([name, each]) => [cutText(name), cutValue(each, depth + 1)]),
  );
}

/** As an error is shown, with its type, its text and where it came from. */
function cutError(error: Error): unknown {
  if (error.message.length <= MESSAGE_MAX && (error.stack?.length ?? 0) <= STACK_MAX) return error;
  return {
    type: error.name,
    message: cutText(error.message, MESSAGE_MAX),
    stack: cutText(error.stack ?? '', STACK_MAX),
  };
}
