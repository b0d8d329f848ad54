// Owns what lists have in common: filters, order, pages and columns, as RabbitMQ's API has them, for
// any number of rows without holding up the broker. Never knows what the rows are.

import { jsonText } from '../util/json/json-writer.ts';
import { compilePattern, PatternError } from '../util/pattern/pattern.ts';
import type { Rows } from '../util/rows.ts';
import { type Piece, type Pieces, piecesOf } from './answers/json-pieces.ts';
import { RowTexts } from './answers/row-texts.ts';
import type { Call } from './call.ts';
import { badRequest, HttpError } from './http-error.ts';
import { sortInSlices, type TimeSlice } from './time-slice.ts';

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
export function list(
  call: Call,
  rows: Rows<Row>,
  order?: readonly string[],
  slow: readonly SlowColumn[] = [],
): Promise<Pieces> {
  return listOf(call, rows, order, slow, true);
}

async function listOf(
  call: Call,
  rows: Rows<Row>,
  order: readonly string[] = ['vhost', 'name'],
  slow: readonly SlowColumn[],
  paged: boolean,
): Promise<Pieces> {
  const { query, timeSlice } = call;
  const wanted = nameFilter(paged ? query['name'] : '', query['use_regex'] === 'true');
  const paging = paged ? readPaging(query) : null;
  const columns = query['columns'];
  const { sort } = query;
  const slowly = slow.find(({ name }) => name === sort) ?? null;
  const paths = (sort === undefined || sort === '' ? order : [sort]).map((path) => path.split('.'));
  const compare = comparing(query['sort_reverse'] === 'true');
  const kept =
    paging === null
      ? new AllRows(columns, compare)
      : new RowsOfPage(paging.page * paging.pageSize, compare);
  let total = 0;
  let filtered = 0;
  for (const row of rows) {
    // Rows that are not wanted take their time too.
    if (timeSlice.due) await timeSlice.rest();
    if (row === null) continue;
    total += 1;
    if (!wanted(String((row as { name?: unknown }).name ?? ''))) continue;
    const keys =
      slowly === null ? paths.map((path) => keyAt(row, path)) : [slowly.of(row) ?? undefined];
    kept.add(row, keys);
    filtered += 1;
    if (kept.tooMany) await kept.prune(timeSlice);
  }
  if (paging === null) return { pieces: await (kept as AllRows).pieces(timeSlice) };
  const { page, pageSize } = paging;
  const pageCount = Math.ceil(filtered / pageSize);
  if (page > 1 && page > pageCount) {
    const reason = `Page out of range, page: ${page} page size: ${pageSize}, len: ${filtered}`;
    throw new HttpError(400, 'page_out_of_range', reason);
  }
  await kept.prune(timeSlice);
  const shown = (kept as RowsOfPage).from((page - 1) * pageSize);
  const head = {
    filtered_count: filtered,
    item_count: shown.length,
    page,
    page_count: pageCount,
    page_size: pageSize,
    total_count: total,
  };
  const start = `${jsonText(head).slice(0, -1)},"items":[`;
  const items = function* (): Iterable<string> {
    for (const row of shown) yield jsonText(pick(withSlow(row, slow), columns));
  };
  return { pieces: await piecesOf(start, items(), ']}', timeSlice) };
}

function withSlow(row: Row, slow: readonly SlowColumn[]): Row {
  if (slow.length === 0) return row;
  return { ...row, ...Object.fromEntries(slow.map(({ name, of }) => [name, of(row)])) };
}

/** The same for what RabbitMQ has no pages of: `page` and `name` mean nothing there, and all rows are listed. */
export function listWhole(call: Call, rows: Rows<Row>, order?: readonly string[]): Promise<Pieces> {
  return listOf(call, rows, order, [], call.flag('pagination'));
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
  const pageSize = size === undefined ? PAGE_SIZE : integer(size);
  const number = integer(page);
  if (number === null || pageSize === null) throw badRequest('Pagination parameters are invalid');
  if (number >= 1 && pageSize >= 1 && pageSize <= PAGE_SIZE_MAX) return { page: number, pageSize };
  const given = `page number ${number}, page size ${size === undefined ? 'undefined' : pageSize}`;
  const reason = `Invalid pagination parameters: ${given}`;
  throw new HttpError(400, 'invalid_pagination_parameters', reason);
}

function integer(text: string): number | null {
  return /^[+-]?\d{1,15}$/.test(text) ? Number(text) : null;
}

type Key = string | number | bigint | boolean | undefined;

type Keys = readonly Key[];
/** Compares so many keys from these places on. */
type CompareKeys = (a: Keys, atA: number, b: Keys, atB: number, width: number) => number;

function comparing(reverse: boolean): CompareKeys {
  const sign = reverse ? -1 : 1;
  return (a, atA, b, atB, width) => {
    for (let i = 0; i < width; i++) {
      const less = compareKeys(a[atA + i], b[atB + i]);
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

/** Whether a query needs a column of rows, or a part of it: to show it, or to sort by it. */
export function columnFilter(query: Call['query']): (name: string) => boolean {
  const { columns, sort = '' } = query;
  if (columns === undefined || columns === '') return () => true;
  const paths = [...columns.split(','), sort].map((path) => path.trim().split('.')[0]);
  const names = new Set(paths);
  return (name) => names.has(name);
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

/** All rows that are wanted, as JSON. */
class AllRows {
  readonly tooMany = false;
  private readonly columns: string | undefined;
  private readonly compare: CompareKeys;
  private readonly texts = new RowTexts();
  /** What each is sorted by, one behind the other: a list for each would be as many objects to keep. */
  private readonly keys: Key[] = [];
  private readonly places: number[] = [];

  constructor(columns: string | undefined, compare: CompareKeys) {
    this.columns = columns;
    this.compare = compare;
  }

  add(row: Row, keys: Keys): void {
    this.texts.add(jsonText(pick(row, this.columns)));
    for (const key of keys) this.keys.push(key);
    this.places.push(this.places.length);
  }

  async prune(): Promise<void> {}

  async pieces(timeSlice: TimeSlice): Promise<Piece[]> {
    const { keys, texts, places } = this;
    const width = keys.length / places.length;
    const compare = (a: number, b: number): number =>
      this.compare(keys, a * width, keys, b * width, width);
    return texts.pieces(await sortInSlices(places, compare, timeSlice), timeSlice);
  }
}

/** So many rows beyond those of a page are kept before the last in order are let go of. */
const BEYOND = 2048;

interface KeptRow {
  readonly keys: Keys;
  readonly row: Row;
}

/** The rows that are on a page or before it: all others are let go of on the way. */
class RowsOfPage {
  private readonly countMax: number;
  private readonly compare: CompareKeys;
  private kept: KeptRow[] = [];

  constructor(countMax: number, compare: CompareKeys) {
    this.countMax = countMax;
    this.compare = compare;
  }

  get tooMany(): boolean {
    return this.kept.length >= 2 * this.countMax + BEYOND;
  }

  /** Those from that place on. */
  from(place: number): Row[] {
    return this.kept.slice(place).map(({ row }) => row);
  }

  add(row: Row, keys: Keys): void {
    this.kept.push({ keys, row });
  }

  /** Brings those that are kept in order, and lets go of what comes behind the page. */
  async prune(timeSlice: TimeSlice): Promise<void> {
    const compare = (a: KeptRow, b: KeptRow): number =>
      this.compare(a.keys, 0, b.keys, 0, a.keys.length);
    const sorted = await sortInSlices(this.kept, compare, timeSlice);
    this.kept = sorted.slice(0, this.countMax);
  }
}
