// Owns how the definitions of a vhost go to another store: exchanges, queues, bindings, policies, parameters, schedules, and
// what is set aside of messages. Never copies a message.

import { CorruptRecordError } from '../../store/errors.ts';
import type { Store } from '../../store/port.ts';
import { decodeRow, encodeRow, type Json, rowKey, rowsBehind } from '../../store/row.ts';
import { TABLE_DEFINITIONS, TABLE_POLICIES, TABLE_SET_ASIDE } from '../../store/tables.ts';
import { queueTypeOf } from '../queue/types/registry.ts';
import { readSetAsideRow, type SetAsideMessage, setAsideRow } from '../set-aside/set-aside-rows.ts';
import type { Steps } from '../turn/slices.ts';
import { numberOf, tableOf } from '../vhost/topology-rows.ts';
import { later, type Mover, type Owner, sound } from './mover.ts';

/** Kinds of rows by the letters of their keys; schedules come before their ticks. */
const DEFINITIONS = ['x', 'q', 'b'] as const;
const POLICIES = ['p', 'o', 'r', 's', 't'] as const;

/** Whether a store has any of the rows that make up a vhost, but for itself. */
export function hasDefinitions(store: Store, vhost: string): boolean {
  const tables = [
    [TABLE_DEFINITIONS, DEFINITIONS],
    [TABLE_POLICIES, POLICIES],
  ] as const;
  return tables.some(([table, letters]) =>
    letters.some((letter) => {
      const from = rowKey(letter, vhost);
      for (const _key of store.keys(table, from, rowsBehind(from))) return true;
      return false;
    }),
  );
}

/** Finds what has rows beside its definition: queues, exchanges that keep keys, queues that messages were set aside of. */
export function* findOwners(from: Store, vhost: string, owners: Map<number, Owner>): Steps {
  for (const letter of ['x', 'q'] as const) {
    for (const { key, row } of rowsOf(from, TABLE_DEFINITIONS, letter, vhost)) {
      const owner = sound(TABLE_DEFINITIONS, key, () => ownerOf(letter, row));
      if (owner !== null && owners.has(owner.id)) {
        const text = `its id ${owner.id} is that of another queue or exchange`;
        throw new CorruptRecordError(TABLE_DEFINITIONS, key, text);
      }
      if (owner !== null) owners.set(owner.id, owner);
      yield;
    }
  }
  for (const message of setAsideIn(from, vhost)) {
    const id = message?.queueId;
    if (id !== undefined && !owners.has(id)) owners.set(id, { id, isStream: false });
    yield;
  }
}

function ownerOf(letter: 'x' | 'q', row: Json): Owner | null {
  if (letter === 'q') {
    return { id: numberOf(row['id']), isStream: queueTypeOf(tableOf(row)).name === 'stream' };
  }
  return row['keysId'] === undefined ? null : { id: numberOf(row['keysId']), isStream: false };
}

/** Moves the definitions of a vhost. */
export function* moveDefinitions(from: Store, vhost: string, to: Mover): Steps {
  for (const letter of DEFINITIONS) {
    for (const { key, value, row } of rowsOf(from, TABLE_DEFINITIONS, letter, vhost)) {
      const name = letter === 'q' ? 'id' : 'keysId';
      const id = letter === 'b' ? undefined : row[name];
      const moved = id === undefined ? value : encodeRow({ ...row, [name]: to.idOf(Number(id)) });
      to.put(TABLE_DEFINITIONS, key, moved);
      yield;
    }
  }
  for (const letter of POLICIES) {
    for (const { key, value, row } of rowsOf(from, TABLE_POLICIES, letter, vhost)) {
      const moved = to.ms === 0 ? row : movedSchedule(from, vhost, letter, row, to.ms);
      to.put(TABLE_POLICIES, key, moved === row ? value : encodeRow(moved));
      yield;
    }
  }
}

/** A schedule that counts spans of time does so by the time of the broker; all others go by the time of day. */
function movedSchedule(from: Store, vhost: string, letter: string, row: Json, ms: number): Json {
  if (letter === 's') return { ...row, sinceBrokerMs: later(Number(row['sinceBrokerMs']), ms) };
  if (letter !== 't') return row;
  const key = rowKey('s', vhost, String(row['name']));
  const value = from.get(TABLE_POLICIES, key);
  const schedule = value === null ? {} : decodeRow(TABLE_POLICIES, key, value);
  if (schedule['everyMs'] === undefined) return row;
  const { tickMs, coveredMs } = row;
  return { ...row, tickMs: later(Number(tickMs), ms), coveredMs: later(Number(coveredMs), ms) };
}

/** Moves the messages of a vhost that are set aside; each is told as it is there. */
export function* moveSetAside(
  from: Store,
  vhost: string,
  to: Mover,
  moved = (_message: SetAsideMessage): void => {},
): Steps {
  for (const message of setAsideIn(from, vhost)) {
    yield;
    if (message === null) continue;
    const { id, queueId, position } = message;
    to.uses(position, TABLE_SET_ASIDE, setAsideRow(message)[0]);
    const there = {
      ...message,
      id: to.setAsideId(id),
      queueId: to.idOf(queueId),
      position: position + to.positions,
    };
    to.put(TABLE_SET_ASIDE, ...setAsideRow(there));
    moved(there);
  }
}

/** Those of a vhost; null in place of each other. */
function* setAsideIn(from: Store, vhost: string): Iterable<SetAsideMessage | null> {
  const range = [Buffer.alloc(0), Buffer.alloc(7, 0xff)] as const;
  for (const { key, value } of from.range(TABLE_SET_ASIDE, ...range)) {
    const message = sound(TABLE_SET_ASIDE, key, () => readSetAsideRow(key, value));
    yield message.vhost === vhost ? message : null;
  }
}

function* rowsOf(
  from: Store,
  table: number,
  letter: string,
  vhost: string,
): Iterable<{ key: Buffer; value: Buffer; row: Json }> {
  const first = rowKey(letter, vhost);
  for (const { key, value } of from.range(table, first, rowsBehind(first))) {
    yield { key, value, row: sound(table, key, () => decodeRow(table, key, value)) };
  }
}
