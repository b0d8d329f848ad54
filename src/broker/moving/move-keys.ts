// Owns how keys of messages go to another store. Never decides which queues and exchanges.

import type { Store } from '../../store/port.ts';
import { TABLE_KEYS } from '../../store/tables.ts';
import { movedKeyPage } from '../queue/duplicates/key-page.ts';
import { KEYS_GONE, keyRowKey, readKeyRow } from '../queue/duplicates/key-rows.ts';
import type { Steps } from '../turn/slices.ts';
import { type Mover, type Owner, rangeOf, withId } from './mover.ts';

/** Moves the keys that a queue or an exchange remembers, but for those that are all forgotten. */
export function* moveKeys(from: Store, { id }: Owner, to: Mover): Steps {
  const goneKey = keyRowKey(id, KEYS_GONE);
  const goneValue = from.get(TABLE_KEYS, goneKey);
  const gone = goneValue === null ? null : readKeyRow(goneKey, goneValue);
  const goneEnd = gone?.kind === 'gone' ? gone.end : 0;
  for (const { key, value } of from.range(TABLE_KEYS, ...rangeOf(id))) {
    const row = readKeyRow(key, value);
    if (row.kind !== 'page' || row.page.number < goneEnd) continue;
    const moved = movedKeyPage(row, value, to.positions, to.ms);
    to.put(TABLE_KEYS, withId(key, to.idOf(id)), moved);
    yield;
  }
}
