// Owns what lists have in common: filters, order, pages and columns, as RabbitMQ's API has them, for
// any number of rows without holding up the broker. Never knows what the rows are.

import { compilePattern, PatternError } from '../util/pattern.ts';
import type { Rows } from '../util/rows.ts';
import { sortSlowly } from './breather.ts';
import type { Call } from './call.ts';
import { type Pieces, piecesOf } from './http/json-pieces.ts';
import { badRequest, HttpError } from './http-error.ts';

/** A row of a list. */
export type Row = object;

const PAGE_SIZE_MAX = 500;
const PAGE_SIZE = 100;

/** A column that takes a while to find out: looked up for the rows of a page, and for all to sort by it. */
export interface SlowColumn {
  readonly name: string;
  of(row: Row): Key | null;
}

/** Puts a list together as the query of a call asks for; `order` names what it is sorted by at first. */
export async function list(
  call: Call,
  rows: Rows<Row>,
  order: readonly string[] = ['vhost', 'name'],
  slow: SlowColumn | null = null,
): Promise<Pieces> {
  const { query, breather } = call;
  const wanted = nameFilter(query['name'], query['use_regex'] === 'true');
  const paging = readPaging(query);
  const columns = query['columns'];
  const { sort } = query;
  const slowly = slow !== null && slow.name === sort ? slow : null;
  const paths = (sort === undefined || sort === '' ? order : [sort]).map((path) => path.split('.'));
  const all: Kept[] = [];
  let total = 0;
  for (const row of rows) {
    // Rows that are not wanted take their time too.
    if (breather.due) await breather.rest();
    if (row === null) continue;
    total += 1;
    if (!wanted(String((row as { name?: unknown }).name ?? ''))) continue;
    const keys =
      slowly === null ? paths.map((path) => keyAt(row, path)) : [slowly.of(row) ?? undefined];
    // Text is easier to keep than objects are: the collector of garbage need not look into it.
    const kept = paging === null ? JSON.stringify(pick(row, columns)) : row;
    all.push({ keys, kept });
  }
  const sorted = await sortSlowly(all, comparing(query['sort_reverse'] === 'true'), breather);
  if (paging === null) {
    return { pieces: await piecesOf('[', textsOf(sorted), ']', breather) };
  }
  const { page, pageSize } = paging;
  const pageCount = Math.ceil(sorted.length / pageSize);
  if (page > 1 && page > pageCount) {
    const reason = `Page out of range, page: ${page} page size: ${pageSize}, len: ${sorted.length}`;
    throw new HttpError(400, 'page_out_of_range', reason);
  }
  const shown = sorted.slice((page - 1) * pageSize, page * pageSize);
  const head = {
    filtered_count: sorted.length,
    item_count: shown.length,
    page,
    page_count: pageCount,
    page_size: pageSize,
    total_count: total,
  };
  const start = `${JSON.stringify(head).slice(0, -1)},"items":[`;
  const items = function* (): Iterable<string> {
    for (const { kept } of shown) yield JSON.stringify(pick(withSlow(kept as Row, slow), columns));
  };
  return { pieces: await piecesOf(start, items(), ']}', breather) };
}

/** The JSON of rows that were kept so. */
function* textsOf(rows: readonly Kept[]): Iterable<string> {
  for (const { kept } of rows) yield kept as string;
}

function withSlow(row: Row, slow: SlowColumn | null): Row {
  return slow === null ? row : { ...row, [slow.name]: slow.of(row) };
}

/** A row that is wanted: what it is sorted by, and itself, as JSON where all rows are. */
interface Kept {
  readonly keys: readonly Key[];
  readonly kept: Row | string;
}

/** The filter that `name` and `use_regex` ask for. */
export function nameFilter(name: string | undefined, regex: boolean): (name: string) => boolean {
  if (name === undefined || name === '') return () => true;
  if (!regex) {
    const part = name.toLowerCase();
    return (each) => each.toLowerCase().includes(part);
  }
  try {
    const pattern = compilePattern(name);
    return (each) => pattern.matches(each);
  } catch (error) {
    if (error instanceof PatternError) throw badRequest(error.message);
    throw error;
  }
}

function readPaging(
  query: Call['query'],
): { readonly page: number; readonly pageSize: number } | null {
  const { page, page_size: size } = query as { page?: string; page_size?: string };
  if (page === undefined) return null;
  const pageSize = size === undefined ? PAGE_SIZE : Number(size);
  const number = Number(page);
  const fine = Number.isInteger(number) && number >= 1 && Number.isInteger(pageSize);
  if (!fine || pageSize < 1) throw badRequest('Pagination parameters are invalid');
  if (pageSize > PAGE_SIZE_MAX) {
    throw badRequest(`Pagination parameters are invalid: page_size is at most ${PAGE_SIZE_MAX}`);
  }
  return { page: number, pageSize };
}

type Key = string | number | boolean | undefined;

/** Compares rows by their keys. */
function comparing(reverse: boolean): (a: Kept, b: Kept) => number {
  const sign = reverse ? -1 : 1;
  return (a, b) => {
    for (let i = 0; i < a.keys.length; i++) {
      const less = compareKeys(a.keys[i], b.keys[i]);
      if (less !== 0) return less * sign;
    }
    return 0;
  };
}

function compareKeys(a: Key, b: Key): number {
  if (a === b) return 0;
  // What is not there stands before all else.
  if (a === undefined) return -1;
  if (b === undefined) return 1;
  return a < b ? -1 : 1;
}

function keyAt(row: Row, path: readonly string[]): Key {
  const value = valueAt(row, path);
  const kind = typeof value;
  return kind === 'string' || kind === 'number' || kind === 'boolean' ? (value as Key) : undefined;
}

/** What is at a path; only what a row has itself. */
function valueAt(row: Row, path: readonly string[]): unknown {
  let value: unknown = row;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name))
      return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** Whether the query wants that column of a row, or a part of it. */
export function wantsColumn(columns: string | undefined, name: string): boolean {
  if (columns === undefined || columns === '') return true;
  return columns.split(',').some((column) => column.trim().split('.')[0] === name);
}

/** The columns of a row, where the query names some. */
export function pick(row: Row, columns: string | undefined): Row {
  if (columns === undefined || columns === '') return row;
  // What a query names never becomes the prototype of anything.
  const picked: Record<string, unknown> = Object.create(null);
  for (const column of columns.split(',')) {
    const path = column.trim().split('.');
    const value = valueAt(row, path);
    if (value === undefined) continue;
    let place = picked;
    for (const name of path.slice(0, -1)) {
      const inner = place[name];
      place[name] = typeof inner === 'object' && inner !== null ? inner : Object.create(null);
      place = place[name] as Record<string, unknown>;
    }
    place[path[path.length - 1] as string] = value;
  }
  return picked;
}
