// Owns what a consumer asks of a stream: where it begins and ends to read, in which group, and what it leaves out. Never
// reads a stream: it knows neither its offsets nor the time.

import { AmqpError } from '../../../../amqp/errors.ts';
import { isIntegerField } from '../../../../amqp/field-integers.ts';
import type { Field, FieldTable } from '../../../../amqp/field-table.ts';
import { isShort } from '../../../../util/limits.ts';
import { readAge } from '../age.ts';

/** Offsets are lower than this: as many as fit beside the number of a partition into a number that is exact. */
export const OFFSET_END = 2 ** 44;

/** How many texts a filter has at most. */
export const FILTER_VALUES_MAX = 255;

/** The arguments of `basic.consume` that streams know. */
export const READING_ARGUMENTS = {
  offset: 'x-stream-offset',
  until: 'x-stream-until',
  group: 'x-stream-group',
  tracking: 'x-stream-automatic-offset-tracking',
  filter: 'x-stream-filter',
  matchUnfiltered: 'x-stream-match-unfiltered',
} as const;

/**
 * Where a consumer begins to read. What is no more there means the first message that is; an offset that is not there
 * yet is waited for: nothing is delivered before.
 */
export type StreamStart =
  /** At the first message there is, at the last, or at the one that comes next. */
  | { readonly kind: 'first' | 'last' | 'next' }
  | { readonly kind: 'offset'; readonly offset: number }
  /** So many messages before the one that comes next. */
  | { readonly kind: 'back'; readonly count: number }
  /** At the first message that came at that time of day, ms, or later. */
  | { readonly kind: 'time'; readonly ms: number }
  /** At the first message that is no older than that, ms, as the consumer comes. */
  | { readonly kind: 'ago'; readonly ms: number };

/** Where it ends to read: what is here is no more delivered. */
export type StreamUntil =
  /** At the message that comes next, as the consumer comes. */
  | { readonly kind: 'end' }
  | { readonly kind: 'offset'; readonly offset: number }
  /** At the first message that came at that time of day, ms, or later. */
  | { readonly kind: 'time'; readonly ms: number };

/** The messages that it is given. */
export interface StreamFilter {
  /** Those whose `x-stream-filter-value` is one of these, byte by byte; each is here once. */
  readonly values: readonly Buffer[];
  /** Whether it is given those without such a value as well. */
  readonly matchUnfiltered: boolean;
}

/** All that a consumer asks of a stream. */
export interface ReadingSpec {
  /** Where it begins; in a group, where the group does that has no place yet. */
  readonly start: StreamStart;
  /** Where it ends; null: nowhere. */
  readonly until: StreamUntil | null;
  /** The group whose place is remembered; null: it is in none. */
  readonly group: string | null;
  /** What it is given; null: all. */
  readonly filter: StreamFilter | null;
}

const NEXT: StreamStart = { kind: 'next' };
const FIRST_WORDS: ReadonlyMap<string, StreamStart> = new Map<string, StreamStart>([
  ['first', { kind: 'first' }],
  ['last', { kind: 'last' }],
  ['next', NEXT],
]);

/**
 * Reads the arguments of a consumer, which were checked before: what is not allowed counts as if it were not there.
 * `tagIsOwn`: the client chose the tag, the broker did not. The group is that of `x-stream-group`; or else the tag, if
 * `x-stream-automatic-offset-tracking` says so, or, as in LavinMQ, if `x-stream-offset` is there without a value and the
 * tag is the client's. Throws PRECONDITION_FAILED for a tag that is to be a group and is not the client's: it would
 * never come again.
 */
export function readingSpecOf(args: FieldTable, tag: string, tagIsOwn: boolean): ReadingSpec {
  const { offset, until, filter } = READING_ARGUMENTS;
  const start = args.get(offset);
  const end = args.get(until);
  const values = args.get(filter);
  return {
    start: (start && readStart(start)) ?? NEXT,
    until: (end && readUntil(end)) ?? null,
    group: groupOf(args, tag, tagIsOwn),
    filter: (values && readFilter(values, args)) ?? null,
  };
}

/** Where a value of `x-stream-offset` lets a consumer begin; null: it says nothing that is known. */
export function readStart(field: Field): StreamStart | null {
  if (field.type === 'V') return NEXT;
  if (field.type === 'T') return { kind: 'time', ms: msOf(field.value) };
  if (field.type === 'S' || field.type === 'x') {
    const given = field.value.toString();
    const word = FIRST_WORDS.get(given);
    if (word !== undefined) return word;
    const ms = field.type === 'x' ? null : readAge(given);
    return ms === null ? null : { kind: 'ago', ms: Math.min(ms, Number.MAX_SAFE_INTEGER) };
  }
  if (!isIntegerField(field)) return null;
  return field.value < 0
    ? { kind: 'back', count: held(-Number(field.value)) }
    : { kind: 'offset', offset: held(Number(field.value)) };
}

/** Where a value of `x-stream-until` lets a consumer end; null: it says nothing that is known. */
export function readUntil(field: Field): StreamUntil | null {
  if (field.type === 'T') return { kind: 'time', ms: msOf(field.value) };
  if (field.type === 'S') return field.value === 'end' ? { kind: 'end' } : null;
  if (!isIntegerField(field) || field.value < 0) return null;
  return { kind: 'offset', offset: held(Number(field.value)) };
}

function held(offset: number): number {
  return Math.min(offset, OFFSET_END - 1);
}

/** The ms of a timestamp, which has seconds. */
function msOf(seconds: number | bigint): number {
  return Math.min(Number(seconds) * 1_000, Number.MAX_SAFE_INTEGER);
}

function groupOf(args: FieldTable, tag: string, tagIsOwn: boolean): string | null {
  const { group, tracking, offset } = READING_ARGUMENTS;
  const name = args.get(group);
  if (name?.type === 'S' && typeof name.value === 'string' && isShort(name.value)) {
    if (name.value !== '') return name.value;
  }
  const tracked = args.get(tracking)?.value;
  if (tracked === true && !tagIsOwn) {
    throw new AmqpError('PRECONDITION_FAILED', `${tracking} needs a consumer tag of the client`);
  }
  const unset = tracked === undefined && args.get(offset)?.type === 'V';
  return tracked === true || (unset && tagIsOwn) ? tag : null;
}

function readFilter(field: Field, args: FieldTable): StreamFilter | null {
  const given = field.type === 'A' ? field.value : [field];
  const values = new Map<string, Buffer>();
  for (const each of given) {
    if (each.type !== 'S' || values.size === FILTER_VALUES_MAX) continue;
    const bytes = Buffer.from(each.value as string);
    values.set(bytes.toString('latin1'), bytes);
  }
  if (values.size === 0) return null;
  const matchUnfiltered = args.get(READING_ARGUMENTS.matchUnfiltered)?.value === true;
  return { values: [...values.values()], matchUnfiltered };
}
