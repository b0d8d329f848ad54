// Owns how users, permissions and what is known of vhosts lie in the store. Never checks them:
// access.ts and broker/broker.ts do.

import type { Store } from '../../store/port.ts';
import {
  encodeRow,
  type Json,
  type RowsAside,
  readRows,
  requireTexts,
  rowKey,
} from '../../store/row.ts';
import { TABLE_ACCESS } from '../../store/tables.ts';
import type { BrokerEvents } from '../core/events.ts';
import { ChangeLine } from '../turn/change-line.ts';
import { readPlace } from '../vhost-place.ts';
import type { Permission, TopicPermission } from './grants.ts';
import type { UserSnapshot } from './user.ts';
import type { VhostSnapshot } from './vhost-metadata.ts';

/*
 * One row of the table of access, see row.ts for keys and values:
 *
 *   'u' user                   name, passwordHash, hashingAlgorithm, tags, limits
 *   'v' vhost                  name, description, tags, defaultQueueType, limits, tracing; going, as it is deleted;
 *                              place and arrived, in a cluster with several groups
 *   'p' user vhost             user, vhost, configure, write, read
 *   't' user vhost exchange    user, vhost, exchange, write, read
 */

/** A vhost as it is stored. */
export interface StoredVhost extends VhostSnapshot {
  /** Whether its deletion has begun: then it is no vhost any more, and a start goes on with that. */
  readonly going?: boolean;
}

/** The permission of a user in a vhost. */
export interface PermissionSnapshot extends Permission {
  readonly user: string;
  readonly vhost: string;
}

/** The permission of a user for the routing keys of an exchange. */
export interface TopicPermissionSnapshot extends TopicPermission {
  readonly user: string;
  readonly vhost: string;
  readonly exchange: string;
}

/** Reads and writes the rows of one store. */
export class AccessRows {
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

  putUser(user: UserSnapshot): void {
    this.put(rowKey('u', user.name), { ...user }, () =>
      this.changes.tell('user', 'set', { user: user.name, tags: user.tags }),
    );
  }

  removeUser(name: string): void {
    this.store.remove(TABLE_ACCESS, rowKey('u', name));
    this.changes.tell('user', 'deleted', { user: name });
  }

  users(): UserSnapshot[] {
    return this.read<UserSnapshot>('u', ['name', 'passwordHash', 'hashingAlgorithm'], ['tags']);
  }

  putVhost(vhost: VhostSnapshot): void {
    this.put(rowKey('v', vhost.name), { ...vhost }, () =>
      this.changes.tell('vhost', 'set', { vhost: vhost.name }),
    );
  }

  /** Notes that a vhost is being deleted. */
  markVhost(vhost: VhostSnapshot): void {
    const row: StoredVhost = { ...vhost, going: true };
    this.store.put(TABLE_ACCESS, rowKey('v', vhost.name), encodeRow({ ...row }));
  }

  removeVhost(name: string): void {
    this.store.remove(TABLE_ACCESS, rowKey('v', name));
    this.changes.tell('vhost', 'deleted', { vhost: name });
  }

  vhosts(): StoredVhost[] {
    return this.read<StoredVhost>('v', ['name'], ['tags']);
  }

  putPermission(permission: PermissionSnapshot): void {
    this.put(rowKey('p', permission.user, permission.vhost), { ...permission }, () =>
      this.changes.tell('permission', 'set', { ...permission }),
    );
  }

  removePermission(user: string, vhost: string): void {
    this.store.remove(TABLE_ACCESS, rowKey('p', user, vhost));
    this.changes.tell('permission', 'deleted', { user, vhost });
  }

  permissions(): PermissionSnapshot[] {
    return this.read<PermissionSnapshot>('p', ['user', 'vhost', 'configure', 'write', 'read']);
  }

  putTopicPermission(permission: TopicPermissionSnapshot): void {
    const { user, vhost, exchange } = permission;
    this.put(rowKey('t', user, vhost, exchange), { ...permission }, () =>
      this.changes.tell('topic permission', 'set', { ...permission }),
    );
  }

  removeTopicPermission(user: string, vhost: string, exchange: string): void {
    this.store.remove(TABLE_ACCESS, rowKey('t', user, vhost, exchange));
    this.changes.tell('topic permission', 'deleted', { user, vhost, exchange });
  }

  topicPermissions(): TopicPermissionSnapshot[] {
    return this.read<TopicPermissionSnapshot>('t', ['user', 'vhost', 'exchange', 'write', 'read']);
  }

  /** A row that cannot be written is refused before the line. */
  private put(key: Buffer, row: Json, told: () => void): void {
    const value = encodeRow(row);
    this.line.change(() => {
      this.store.put(TABLE_ACCESS, key, value);
      this.aside.replaced(TABLE_ACCESS, key);
      told();
    });
  }

  /** The rows of a kind that have these fields: texts, and lists of texts. */
  private read<T>(kind: string, texts: readonly string[], lists: readonly string[] = []): T[] {
    const from = Buffer.from(kind);
    const to = Buffer.of((from[0] as number) + 1);
    const make = (row: Json): T => {
      requireTexts(row, ...texts);
      for (const name of lists) {
        if (!isTexts(row[name])) throw new TypeError(`its ${name} are no list of texts`);
      }
      if (lists.length > 0 && (typeof row['limits'] !== 'object' || row['limits'] === null)) {
        throw new TypeError('its limits are missing');
      }
      if (row['place'] !== undefined) readPlace(row['place']);
      return row as T;
    };
    return readRows(this.store, TABLE_ACCESS, [from, to], make, this.aside).map((row) => row.value);
  }
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}
