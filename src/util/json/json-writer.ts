// Owns writing values as JSON, digit by digit. Never leaves out what JSON.stringify would write.

import { JsonFloat } from './json-float.ts';

/**
 * A value as JSON, in lines with `indent` spaces more for each level where that is not 0. What JSON has no
 * way to write is null in lists, and left out of objects; on its own it is null.
 */
export function jsonText(value: unknown, indent = 0): string {
  try {
    // By far the quickest where no number is in the way.
    return (indent === 0 ? JSON.stringify(value) : JSON.stringify(value, null, indent)) ?? 'null';
  } catch (error) {
    // Of a bigint or a JsonFloat.
    if (!(error instanceof TypeError)) throw error;
    return textOf(value, indent, '\n') ?? 'null';
  }
}

function textOf(value: unknown, indent: number, line: string): string | undefined {
  if (typeof value === 'bigint' || value instanceof JsonFloat) return String(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return textOf(toJSON.call(value), indent, line);
  const inner = line + ' '.repeat(indent);
  if (Array.isArray(value)) {
    const texts = value.map((each) => textOf(each, indent, inner) ?? 'null');
    return enclosed('[', texts, ']', indent === 0 ? null : [inner, line]);
  }
  const colon = indent === 0 ? ':' : ': ';
  const texts = Object.entries(value).flatMap(([key, each]) => {
    const text = textOf(each, indent, inner);
    return text === undefined ? [] : [`${JSON.stringify(key)}${colon}${text}`];
  });
  return enclosed('{', texts, '}', indent === 0 ? null : [inner, line]);
}

/** Texts with commas between them, each on a line of its own where `lines` says how these begin. */
function enclosed(
  open: string,
  texts: readonly string[],
  close: string,
  lines: readonly [inner: string, outer: string] | null,
): string {
  if (lines === null || texts.length === 0) return open + texts.join(',') + close;
  const [inner, outer] = lines;
  return open + inner + texts.join(`,${inner}`) + outer + close;
}
