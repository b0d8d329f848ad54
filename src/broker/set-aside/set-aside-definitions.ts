// Owns what could not be read or made at the start: rows that stay in the store as they are, and are in no
// use. Never deletes one but where an operator says so, or puts another in its place.

import { AmqpError } from '../../amqp/errors.ts';
import type { Store } from '../../store/port.ts';
import { rowKey } from '../../store/row.ts';
import {
  TABLE_ACCESS,
  TABLE_ARRIVALS,
  TABLE_DEFINITIONS,
  TABLE_DELAYS,
  TABLE_KEYS,
  TABLE_PAGES,
  TABLE_POLICIES,
  TABLE_STREAMS,
} from '../../store/tables.ts';
import { wordsOfRow } from '../queue/stream/entries/stream-rows.ts';
import { textOfError } from './set-aside-messages.ts';

/** What people call the kinds of rows, by table and the letter that a key begins with. */
const KINDS: ReadonlyMap<string, string> = new Map([
  [`${TABLE_DEFINITIONS}x`, 'exchange'],
  [`${TABLE_DEFINITIONS}q`, 'queue'],
  [`${TABLE_DEFINITIONS}b`, 'binding'],
  [`${TABLE_ACCESS}u`, 'user'],
  [`${TABLE_ACCESS}v`, 'vhost'],
  [`${TABLE_ACCESS}p`, 'permission'],
  [`${TABLE_ACCESS}t`, 'topic permission'],
  [`${TABLE_POLICIES}p`, 'policy'],
  [`${TABLE_POLICIES}o`, 'operator policy'],
  [`${TABLE_POLICIES}r`, 'parameter'],
  [`${TABLE_POLICIES}g`, 'global parameter'],
  [`${TABLE_POLICIES}s`, 'schedule'],
  [`${TABLE_POLICIES}t`, 'ticks of a schedule'],
]);

/** Kinds whose key does not begin with a vhost. */
const GLOBAL_KINDS = new Set(['user', 'vhost', 'permission', 'topic permission']);

/** Rows that are many, and named by the number of their queue. */
const KEYS = 'keys of messages';
const WAITING = 'page of waiting messages';
const PLACES = 'page of messages';
const NUMBERED: ReadonlyMap<number, string> = new Map([
  [TABLE_KEYS, KEYS],
  [TABLE_DELAYS, WAITING],
  [TABLE_PAGES, PLACES],
  [TABLE_STREAMS, 'row of a stream'],
  [TABLE_ARRIVALS, 'note of an arrival'],
]);

/** One row that is set aside. */
export interface SetAsideDefinition {
  /** What names it to operators: its table and key, in hexadecimal digits. */
  readonly id: string;
  /** Such as `queue`; `row` where even that is not known. */
  readonly kind: string;
  /** The vhost that it belongs to; null: none, or not known. */
  readonly vhost: string | null;
  /** What it is called; its key where the name is not known. */
  readonly name: string;
  readonly table: number;
  readonly key: Buffer;
  readonly error: string;
  /** Whether messages may depend on it: then nothing in the log is let go of. */
  readonly holdsMessages: boolean;
}

/** All rows that are set aside. */
export class SetAsideDefinitions {
  /** Told of each, with what was thrown. */
  listener: ((definition: SetAsideDefinition, error: unknown) => void) | null = null;
  private readonly store: Store;
  private readonly byId = new Map<string, SetAsideDefinition>();

  constructor(store: Store) {
    this.store = store;
  }

  /** Notes a row that cannot be used. */
  add(table: number, key: Buffer, error: unknown): void {
    const letter = String.fromCharCode(key[0] ?? 0);
    const ofStream = table === TABLE_STREAMS ? wordsOfRow(key) : null;
    const kind = ofStream?.kind ?? NUMBERED.get(table) ?? KINDS.get(`${table}${letter}`) ?? 'row';
    const names = NUMBERED.has(table) ? null : namesOf(key);
    const global = GLOBAL_KINDS.has(kind) || kind === 'global parameter' || names === null;
    const vhost = kind === 'vhost' ? (names?.[0] ?? null) : global ? null : (names[0] ?? null);
    const own = global ? names : names.slice(1);
    const known = kind !== 'row' && own !== null && own.length > 0;
    const definition: SetAsideDefinition = {
      id: `${table}-${key.toString('hex')}`,
      kind,
      vhost,
      name: ofStream?.name ?? (known ? own.join(' ') : key.toString('hex')),
      table,
      key,
      error: textOfError(error),
      holdsMessages: ['queue', 'vhost', 'row', WAITING, PLACES].includes(kind),
    };
    if (this.byId.has(definition.id)) return;
    this.byId.set(definition.id, definition);
    this.listener?.(definition, error);
  }

  get count(): number {
    return this.byId.size;
  }

  /** Those of one vhost, or all. */
  *list(vhost?: string): Iterable<SetAsideDefinition> {
    for (const each of this.byId.values()) {
      if (vhost === undefined || each.vhost === vhost) yield each;
    }
  }

  find(id: string): SetAsideDefinition | null {
    return this.byId.get(id) ?? null;
  }

  /** Throws INTERNAL_ERROR when the exchange or queue of that name is set aside. */
  refuse(kind: 'exchange' | 'queue', vhost: string, name: string): void {
    if (this.byId.size === 0) return;
    const key = rowKey(kind === 'queue' ? 'q' : 'x', vhost, name);
    const aside = this.find(idOf(TABLE_DEFINITIONS, key));
    if (aside !== null) throw setAsideError(aside);
  }

  /** The error for a vhost that is set aside; null: none of that name is. */
  vhostError(name: string): AmqpError | null {
    if (this.byId.size === 0) return null;
    const aside = this.find(idOf(TABLE_ACCESS, rowKey('v', name)));
    return aside === null ? null : setAsideError(aside);
  }

  /** Whether something in the log may be needed of which nothing that can be read says so. */
  get keepsRecords(): boolean {
    return [...this.byId.values()].some((each) => each.holdsMessages);
  }

  /** Takes a row out of the store, as an operator wants it. */
  drop(definition: SetAsideDefinition): void {
    this.store.remove(definition.table, definition.key);
    this.byId.delete(definition.id);
  }

  /** A queue is gone: its pages that were set aside go, too. */
  dropPagesOf(queueId: number): void {
    if (this.byId.size === 0) return;
    for (const each of [...this.byId.values()]) {
      const { table, key } = each;
      if (NUMBERED.has(table) && key.length >= 4 && key.readUInt32BE(0) === queueId)
        this.drop(each);
    }
  }

  /** Another row takes the place of one with that key. */
  replaced(table: number, key: Buffer): void {
    if (this.byId.size > 0) this.byId.delete(idOf(table, key));
  }
}

/** The answer for what is set aside: it names it, and the way out. */
function setAsideError({ kind, vhost, name, error }: SetAsideDefinition): AmqpError {
  const where =
    kind === 'vhost' ? `vhost '${name}'` : `${kind} '${name}' in vhost '${vhost ?? ''}'`;
  const text = `${where} is set aside, it could not be read at the start (${error.slice(0, 80)})`;
  return new AmqpError(
    'INTERNAL_ERROR',
    `${text}: see \`leveret list set-aside\` or restore a backup`,
  );
}

function idOf(table: number, key: Buffer): string {
  return `${table}-${key.toString('hex')}`;
}

/** The names in a key of row.ts, or null where it is not made like that. */
function namesOf(key: Buffer): string[] | null {
  const names: string[] = [];
  let at = 1;
  while (at < key.length) {
    if (at + 2 > key.length) return null;
    const end = at + 2 + key.readUInt16BE(at);
    if (end > key.length) return null;
    names.push(key.toString('utf8', at + 2, end));
    at = end;
  }
  return names;
}
