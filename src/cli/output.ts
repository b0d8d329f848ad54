// Owns how verbs show what they found: tables for people, JSON for scripts. Never decides what is
// shown.

import { jsonText } from '../util/json/json-writer.ts';
import { printableLine } from '../util/log/printable.ts';

/** What a verb found: rows under the names of their columns. */
export interface Listing {
  readonly columns: readonly string[];
  readonly rows: readonly object[];
  /** Whether JSON shows all of a row, and not only the columns. */
  readonly whole?: boolean;
}

/** The formats of `--formatter`. */
export const FORMATS = ['table', 'json'] as const;
export type Format = (typeof FORMATS)[number];

/** The cells of a listing. */
export function renderRows({ columns, rows }: Listing): unknown[][] {
  return (rows as readonly Readonly<Record<string, unknown>>[]).map((row) =>
    columns.map((column) => row[column]),
  );
}

/** The text of a listing, which ends with a line feed unless it is empty. */
export function render({ columns, rows, whole = false }: Listing, format: Format): string {
  const chosen = renderRows({ columns, rows });
  if (format === 'json' && whole) return `${jsonText(rows, 2)}\n`;
  if (format === 'json') {
    const objects = chosen.map((cells) =>
      Object.fromEntries(columns.map((column, at) => [column, cells[at] ?? null])),
    );
    return `${jsonText(objects, 2)}\n`;
  }
  if (rows.length === 0) return '';
  const lines = [columns, ...chosen.map((cells) => cells.map(show))];
  // Not Math.max with all of them: that many arguments no stack holds.
  const widths = columns.map((_, at) =>
    lines.reduce((widest, line) => Math.max(widest, width(line[at])), 0),
  );
  const pad = (cell: string, at: number): string =>
    cell + ' '.repeat((widths[at] ?? 0) - width(cell));
  return lines.map((line) => `${line.map(pad).join('  ').trimEnd()}\n`).join('');
}

/** So many of something, as `1 queue` and `2 queues`; `what` is one of them. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** A value on one line: what would end it, or move the cursor, is written as JSON would. */
function show(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) {
    return `[${value.join(', ')}]`;
  }
  const text = typeof value === 'object' ? jsonText(value) : String(value);
  return printableLine(text);
}

function width(cell: string | undefined): number {
  return [...(cell ?? '')].length;
}
