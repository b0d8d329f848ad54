// Owns the grants that connections hold, one object for each user and vhost, and keeps them like the permissions. Never
// changes a permission: access.ts does.

import type { PermissionSnapshot, TopicPermissionSnapshot } from './access-rows.ts';
import { Grants } from './grants.ts';
import type { User } from './user.ts';

type ByVhost<T> = ReadonlyMap<string, T>;

/** The grants that were asked for, by user and vhost. */
export class GrantsInUse {
  private readonly granted: ReadonlyMap<string, ByVhost<PermissionSnapshot>>;
  private readonly topics: ReadonlyMap<
    string,
    ByVhost<ReadonlyMap<string, TopicPermissionSnapshot>>
  >;
  private readonly byUser = new Map<string, Map<string, Grants>>();

  /** The permissions and topic permissions there are, by user and vhost. */
  constructor(granted: GrantsInUse['granted'], topics: GrantsInUse['topics']) {
    this.granted = granted;
    this.topics = topics;
  }

  /** What a user may do in a vhost: always the same object. */
  of(user: User, vhost: string): Grants {
    const known = this.byUser.get(user.name)?.get(vhost);
    if (known !== undefined) return known;
    const grants = new Grants(user, vhost);
    this.fill(grants);
    const ofUser = this.byUser.get(user.name);
    if (ofUser === undefined) this.byUser.set(user.name, new Map([[vhost, grants]]));
    else ofUser.set(vhost, grants);
    return grants;
  }

  /** The permissions of a user in a vhost have changed. */
  renew(user: string, vhost: string): void {
    const grants = this.byUser.get(user)?.get(vhost);
    if (grants !== undefined) this.fill(grants);
  }

  forget(user: string, vhost: string): void {
    this.byUser.get(user)?.delete(vhost);
  }

  forgetUser(user: string): void {
    this.byUser.delete(user);
  }

  private fill(grants: Grants): void {
    const { user, vhost } = grants;
    grants.setPermission(this.granted.get(user.name)?.get(vhost) ?? null);
    grants.setTopicPermissions(this.topics.get(user.name)?.get(vhost) ?? null);
  }
}
