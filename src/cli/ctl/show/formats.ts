// Owns the formatters of RabbitMQ's tools: table, json, csv, pretty_table, erlang. Never decides what is shown.

import { parseJsonText } from '../../../util/json/json-input.ts';
import { jsonText } from '../../../util/json/json-writer.ts';
import { type Listing, renderRows } from '../../output.ts';
import { type CtlAnswer, isListing, type Report } from '../ctl-verb.ts';
import { atomOf, cellOf, termOf } from './terms.ts';

/** The words of `--formatter`. */
export const FORMATTERS = ['table', 'json', 'csv', 'pretty_table', 'erlang', 'plain', 'report'];

/** The formatters whose output a program reads: nothing but the answer may stand on standard output. */
export const FOR_SCRIPTS: readonly string[] = ['json', 'csv'];

/** The text of an answer, which ends with a line feed unless it is empty. */
export function format(answer: NonNullable<CtlAnswer>, formatter: string, heads: boolean): string {
  if (typeof answer === 'string') return formatter === 'json' ? jsonOfText(answer) : answer;
  if (!isListing(answer)) return report(answer, formatter);
  switch (formatter) {
    case 'json':
      return jsonRows(answer);
    case 'csv':
      return csv(answer, heads);
    case 'pretty_table':
      return pretty(answer);
    case 'erlang':
      return erlang(answer);
    default:
      return table(answer, heads);
  }
}

function report({ text, value }: Report, formatter: string): string {
  if (formatter === 'json') return `${jsonText(value)}\n`;
  return formatter === 'erlang' ? `${termOf(value)}\n` : text;
}

/** A text that a program reads as JSON: as it is where it is some, else as an object. */
function jsonOfText(text: string): string {
  try {
    parseJsonText(text);
    return text;
  } catch {
    return `${jsonText({ result: 'ok', message: text.trim() })}\n`;
  }
}

/** As RabbitMQ streams it: a row on each line. What has no value is an empty text. */
function jsonRows(listing: Listing): string {
  const rows = renderRows(listing).map((row) =>
    jsonText(Object.fromEntries(listing.columns.map((name, at) => [name, row[at] ?? '']))),
  );
  return rows.length === 0 ? '[]\n' : `[\n${rows.join('\n,')}\n]\n`;
}

function table(listing: Listing, heads: boolean): string {
  const rows = renderRows(listing).map((row) => row.map(cellOf).join('\t'));
  if (rows.length === 0) return '';
  return `${[...(heads ? [listing.columns.join('\t')] : []), ...rows].join('\n')}\n`;
}

function csv(listing: Listing, heads: boolean): string {
  const cell = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  const rows = renderRows(listing).map((row) => row.map((each) => cell(cellOf(each))));
  const all = heads ? [listing.columns.map(cell), ...rows] : rows;
  return all.map((row) => `${row.join(',')}\n`).join('');
}

function erlang(listing: Listing): string {
  const rows = renderRows(listing).map((row) => {
    const pairs = listing.columns.map((name, at) => `{${atomOf(name)},${termOf(row[at])}}`);
    return `[${pairs.join(',')}]`;
  });
  return `[${rows.join(',\n ')}]\n`;
}

function pretty(listing: Listing): string {
  const rows = renderRows(listing).map((row) => row.map(cellOf));
  if (rows.length === 0) return '';
  const lines = [listing.columns, ...rows];
  const widths = listing.columns.map((_, at) =>
    lines.reduce((widest, line) => Math.max(widest, [...(line[at] ?? '')].length), 0),
  );
  const rule = (left: string, middle: string, right: string): string =>
    `${left}${widths.map((width) => '─'.repeat(width + 2)).join(middle)}${right}\n`;
  const line = (cells: readonly string[]): string => {
    const shown = cells.map((cell, at) => cell + ' '.repeat((widths[at] ?? 0) - [...cell].length));
    return `│ ${shown.join(' │ ')} │\n`;
  };
  const body = rows.map((row) => rule('├', '┼', '┤') + line(row)).join('');
  return rule('┌', '┬', '┐') + line(listing.columns) + body + rule('└', '┴', '┘');
}
