// Owns how policies and parameters lie in the store. Never checks them: what is stored was checked
// before.

import type { Store } from '../../store/port.ts';
import {
  encodeRow,
  type Json,
  type RowsAside,
  readRows,
  requireTexts,
  rowKey,
  rowsBehind,
} from '../../store/row.ts';
import { TABLE_POLICIES } from '../../store/tables.ts';
import type { JsonValue } from '../../util/json/json.ts';
import type { BrokerEvents } from '../core/events.ts';
import { ChangeLine } from '../turn/change-line.ts';
import { type Policy, type PolicyInput, type PolicyLayer, readStoredPolicy } from './policy.ts';

/*
 *   key    'p' vhost name             a policy
 *          'o' vhost name             an operator policy
 *          'r' vhost component name   a parameter
 *          'g' name                   a global parameter
 *          's', 't'                   schedules, see schedule/schedule-rows.ts
 *          'h'                        what the files imported last were, as a hash
 */

/** A parameter of a vhost. */
export interface Parameter {
  readonly component: string;
  readonly name: string;
  readonly value: JsonValue;
}

/** A parameter of the whole broker. */
export interface GlobalParameter {
  readonly name: string;
  readonly value: JsonValue;
}

const LETTERS: Readonly<Record<PolicyLayer, string>> = { policy: 'p', operator_policy: 'o' };

/** What people call the policies of a layer. */
const WORDS: Readonly<Record<PolicyLayer, string>> = {
  policy: 'policy',
  operator_policy: 'operator policy',
};

/** Reads and writes the policies and parameters of one store. */
export class PolicyRows {
  private readonly store: Store;
  private readonly changes: BrokerEvents;
  private readonly aside: RowsAside;
  /** What a row says, and what is in memory, change on the same side of it. */
  readonly line: ChangeLine;

  constructor(store: Store, changes: BrokerEvents, aside: RowsAside, line = new ChangeLine()) {
    this.store = store;
    this.changes = changes;
    this.aside = aside;
    this.line = line;
  }

  putPolicy(vhost: string, layer: PolicyLayer, policy: Policy): void {
    const { name, pattern, applyTo, priority, definition } = policy;
    const row = { name, pattern: pattern.text, applyTo, priority, definition };
    const told = { vhost, policy: name, pattern: pattern.text, priority };
    this.put(rowKey(LETTERS[layer], vhost, name), row, () =>
      this.changes.tell(WORDS[layer], 'set', told),
    );
  }

  removePolicy(vhost: string, layer: PolicyLayer, name: string): void {
    this.store.remove(TABLE_POLICIES, rowKey(LETTERS[layer], vhost, name));
    this.changes.tell(WORDS[layer], 'deleted', { vhost, policy: name });
  }

  /** The policies of one layer of a vhost. */
  policies(vhost: string, layer: PolicyLayer): Policy[] {
    const make = (row: Json): Policy => {
      requireTexts(row, 'name', 'pattern');
      return readStoredPolicy(layer, String(row['name']), row as PolicyInput);
    };
    return this.read(rowKey(LETTERS[layer], vhost), make);
  }

  putParameter(vhost: string, { component, name, value }: Parameter): void {
    this.put(rowKey('r', vhost, component, name), { component, name, value }, () =>
      this.changes.tell('parameter', 'set', { vhost, component, parameter: name }),
    );
  }

  removeParameter(vhost: string, component: string, name: string): void {
    this.store.remove(TABLE_POLICIES, rowKey('r', vhost, component, name));
    this.changes.tell('parameter', 'deleted', { vhost, component, parameter: name });
  }

  /** The parameters of a vhost, in order of component and name. */
  parameters(vhost: string): Parameter[] {
    return this.read(rowKey('r', vhost), (row) => {
      requireTexts(row, 'component', 'name');
      return row as unknown as Parameter;
    });
  }

  putGlobalParameter({ name, value }: GlobalParameter): void {
    this.put(rowKey('g', name), { name, value }, () =>
      this.changes.tell('global parameter', 'set', { parameter: name }),
    );
  }

  removeGlobalParameter(name: string): void {
    this.store.remove(TABLE_POLICIES, rowKey('g', name));
    this.changes.tell('global parameter', 'deleted', { parameter: name });
  }

  /** The parameters of the broker, in order of their names. */
  globalParameters(): GlobalParameter[] {
    return this.read(rowKey('g'), (row) => {
      requireTexts(row, 'name');
      return row as unknown as GlobalParameter;
    });
  }

  /** Removes all that is stored of a vhost, its schedules too. */
  removeVhost(vhost: string): void {
    for (const letter of ['p', 'o', 'r', 's', 't']) {
      const from = rowKey(letter, vhost);
      this.store.removeRange(TABLE_POLICIES, from, rowsBehind(from));
    }
  }

  /** The hash of the files that were imported at the last start that did; null: none did. */
  importHash(): string | null {
    return this.read(rowKey('h'), (row) => String(row['hash']))[0] ?? null;
  }

  putImportHash(hash: string): void {
    this.put(rowKey('h'), { hash }, () => {});
  }

  /** A row that cannot be written is refused before the line. */
  private put(key: Buffer, row: Json, told: () => void): void {
    const value = encodeRow(row);
    this.line.change(() => {
      this.store.put(TABLE_POLICIES, key, value);
      this.aside.replaced(TABLE_POLICIES, key);
      told();
    });
  }

  private read<T>(from: Buffer, make: (row: Json) => T): T[] {
    const range = [from, rowsBehind(from)] as const;
    return readRows(this.store, TABLE_POLICIES, range, make, this.aside).map(({ value }) => value);
  }
}
