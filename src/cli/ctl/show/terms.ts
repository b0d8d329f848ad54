// Owns how values are written as Erlang terms: in the cells of RabbitMQ's tables, and by its formatter `erlang`. Never
// decides what is shown.

type Fields = Readonly<Record<string, unknown>>;

/** A value in the cell of a table, as RabbitMQ's tools write it. */
export function cellOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return escaped(value);
  if (Array.isArray(value)) return `[${value.map(elementOf).join(', ')}]`;
  return typeof value === 'object' ? tableOf(value as Fields) : String(value);
}

/** An element of a list: names as they are, what has fields as a term. */
function elementOf(value: unknown): string {
  return typeof value === 'object' && value !== null ? tableOf(value as Fields) : cellOf(value);
}

/** A table of AMQP: `[{"x-max-length",10}]`. */
function tableOf(fields: Fields): string {
  const pairs = Object.entries(fields).map(([key, value]) => `{${quoted(key)},${inTable(value)}}`);
  return `[${pairs.join(',')}]`;
}

function inTable(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) return `[${value.map(inTable).join(',')}]`;
  if (value === undefined || value === null) return 'undefined';
  return typeof value === 'object' ? tableOf(value as Fields) : String(value);
}

const quoted = (text: string): string => `"${escaped(text).replaceAll('"', '\\"')}"`;

/** A backslash twice, and what is no sign as its number in octal digits: one row stays one line. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll(/\p{Cc}/gu, (char) => {
    return `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`;
  });
}

/** A value as a term that `file:consult/1` and scripts read. */
export function termOf(value: unknown): string {
  if (value === undefined || value === null) return 'undefined';
  if (typeof value === 'string') return `<<"${escaped(value).replaceAll('"', '\\"')}">>`;
  if (Array.isArray(value)) return `[${value.map(termOf).join(',')}]`;
  if (typeof value !== 'object') return String(value);
  const pairs = Object.entries(value).map(([key, each]) => `{${atomOf(key)},${termOf(each)}}`);
  return `[${pairs.join(',')}]`;
}

/** A name as an atom, in quotes where it is not a plain one. */
export function atomOf(name: string): string {
  return /^[a-z][A-Za-z0-9_@]*$/.test(name) ? name : `'${name.replaceAll(/['\\]/g, '\\$&')}'`;
}
