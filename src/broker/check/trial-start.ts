// Owns a start on a store that is only looked at: what a broker would set aside, or stop over. Never
// changes the store, and never takes a connection.

import type { Store } from '../../store/port.ts';
import { TABLE_ACCESS } from '../../store/tables.ts';
import { systemClock } from '../../util/clock.ts';
import { Broker } from '../broker.ts';
import type { Damage } from './check-store.ts';

const NO_LISTENER = { turnWanted: () => {}, durable: () => {}, connectionsForced: () => {} };

/** Rows that a start sets aside although each of them can be read; one without a key would stop it. */
export function trialStart(store: Store, known: readonly Damage[]): Damage[] {
  // A store without users and vhosts is a new one, and a start would fill it.
  if ([...store.keys(TABLE_ACCESS, Buffer.alloc(0), Buffer.of(0xff))].length === 0) return [];
  try {
    const broker = new Broker(withoutWrites(store), systemClock, NO_LISTENER);
    broker.recover({ vhost: '/', user: null });
    return [...broker.core.setAsideRows.list()].flatMap(
      ({ kind, table, key, vhost, name, error }) => {
        const hex = key.toString('hex');
        // A queue is aside over its pages, as a rule: they are damage by themselves, and can be mended. Where
        // none is known, taking its definition out would cost all its messages: that is for an operator.
        if (kind === 'queue' && known.length === 0) {
          const text = `a start sets queue '${name}' in vhost '${vhost}' aside: ${error}`;
          return [{ kind: 'start', table: 0, key: '', what: text, queue: null }];
        }
        if (kind === 'queue' || kind === 'vhost') return [];
        if (known.some((each) => each.table === table && each.key === hex)) return [];
        const what = `${name} of vhost ${vhost ?? '-'}: ${error}`;
        return [{ kind, table, key: hex, what, queue: null }];
      },
    );
  } catch (error) {
    const what = `a start would fail: ${error instanceof Error ? error.message : String(error)}`;
    return [{ kind: 'start', table: 0, key: '', what, queue: null }];
  }
}

/** The same store, on which every change is for nothing. */
function withoutWrites(store: Store): Store {
  const nothing = (): void => {};
  const changes = { put: nothing, remove: nothing, removeRange: nothing };
  const overlay = { ...changes, onDurable: nothing, onReadable: nothing };
  return Object.assign(Object.create(store) as Store, overlay);
}
