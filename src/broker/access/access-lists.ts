// Owns lists of users and of their permissions in order, for any number of them. Never changes any.

import { inOrder, type Rows } from '../../util/rows.ts';
import type { PermissionSnapshot, TopicPermissionSnapshot } from './access-rows.ts';
import type { User, UserSnapshot } from './user.ts';

/** Which permissions: of one user, in one vhost; what is not given may be any. */
export interface PermissionsOf {
  readonly user?: string;
  readonly vhost?: string;
}

type Lookup<T> = ReadonlyMap<string, T>;

/** All users in order of their names. */
export function* userRows(known: Lookup<User>): Rows<UserSnapshot> {
  const ordered = inOrder(known.values(), (a, b) => compareTexts(a.name, b.name));
  for (const user of ordered) yield user === null ? null : user.snapshot();
}

/** Permissions in order of users and vhosts. */
export function permissionRows(
  granted: Lookup<Lookup<PermissionSnapshot>>,
  { user, vhost }: PermissionsOf,
): Rows<PermissionSnapshot> {
  const wanted = function* (): Rows<PermissionSnapshot> {
    for (const ofUser of valuesAt(granted, user)) {
      if (ofUser === null) yield null;
      else yield* valuesAt(ofUser, vhost);
    }
  };
  return inOrder(wanted(), byPlace);
}

/** Topic permissions in order of users, vhosts and exchanges. */
export function topicPermissionRows(
  topics: Lookup<Lookup<Lookup<TopicPermissionSnapshot>>>,
  { user, vhost }: PermissionsOf,
): Rows<TopicPermissionSnapshot> {
  const wanted = function* (): Rows<TopicPermissionSnapshot> {
    for (const ofUser of valuesAt(topics, user)) {
      if (ofUser === null) continue;
      yield null;
      for (const ofVhost of valuesAt(ofUser, vhost)) {
        if (ofVhost === null) yield null;
        else yield* ofVhost.values();
      }
    }
  };
  return inOrder(wanted(), byPlace);
}

/** The value of one key, or all values; null where there is none. */
function* valuesAt<T>(map: Lookup<T>, key: string | undefined): Rows<T> {
  if (key === undefined) yield* map.values();
  else yield map.get(key) ?? null;
}

/** What identifies a permission. */
interface Place {
  readonly user: string;
  readonly vhost: string;
  readonly exchange?: string;
}

function byPlace(a: Place, b: Place): number {
  return (
    compareTexts(a.user, b.user) ||
    compareTexts(a.vhost, b.vhost) ||
    compareTexts(a.exchange ?? '', b.exchange ?? '')
  );
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
