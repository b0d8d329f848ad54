// Owns the users and what they may do where, in memory and in the store: one set of functions for
// AMQP, HTTP and the command line. Never asks which user calls them: the caller checks that.

import type { Store } from '../../store/port.ts';
import type { RowsAside } from '../../store/row.ts';
import type { Clock } from '../../util/clock.ts';
import { PatternError } from '../../util/pattern/pattern.ts';
import { found, type Rows } from '../../util/rows.ts';
import type { BrokerEvents } from '../core/events.ts';
import { Refusal } from '../errors.ts';
import type { ChangeLine } from '../turn/change-line.ts';
import { finish, type Steps } from '../turn/slices.ts';
import {
  type PermissionsOf,
  permissionRows,
  topicPermissionRows,
  userRows,
} from './access-lists.ts';
import {
  AccessRows,
  type PermissionSnapshot,
  type TopicPermissionSnapshot,
} from './access-rows.ts';
import { compilePermission, compileTopicPermission, type Grants } from './grants.ts';
import { GrantsInUse } from './grants-in-use.ts';
import { checkLimits, USER_LIMITS } from './limits.ts';
import { Login } from './login.ts';
import { checkNewName, checkTags, noUser, noVhost } from './names.ts';
import { checkPasswordHash, HASHING_SCRYPT, hashPassword, hashPasswordNow } from './password.ts';
import { User, type UserSnapshot } from './user.ts';

/** So many users or permissions are looked at between two moments at which others may have their turn. */
const PER_STEP = 32;

/** What the broker is told, and asked, about users. */
export interface AccessListener {
  /** Something changed in the batch being gathered. */
  definitionChanged(): void;
  hasVhost(name: string): boolean;
  /** A user's permissions in a vhost have changed: what was remembered of them is stale. */
  permissionsChanged(vhost: string): void;
  /** A user is gone: so must its connections be. */
  userDeleted(user: User): void;
}

/** A user to be made, or to be changed to this. */
export interface NewUser {
  readonly name: string;
  readonly tags: readonly string[];
  /** Not given: those it has are kept. */
  readonly limits?: Readonly<Record<string, unknown>>;
}

/** All users and permissions of a broker. */
export class Access {
  readonly rows: AccessRows;
  readonly login: Login;
  private readonly line: ChangeLine;
  private readonly listener: AccessListener;
  private readonly known = new Map<string, User>();
  /** By user and vhost. */
  private readonly granted = new Map<string, Map<string, PermissionSnapshot>>();
  /** By user and vhost, then by exchange. */
  private readonly topics = new Map<string, Map<string, Map<string, TopicPermissionSnapshot>>>();
  /** What connections hold. */
  private readonly inUse: GrantsInUse;
  /** Of users that are deleted, what is still to be done. */
  private readonly going = new Map<string, Steps>();

  constructor(
    store: Store,
    changes: BrokerEvents,
    aside: RowsAside,
    clock: Clock,
    line: ChangeLine,
    listener: AccessListener,
  ) {
    this.line = line;
    this.rows = new AccessRows(store, changes, aside, line);
    this.listener = listener;
    this.login = new Login(this.known, clock);
    this.inUse = new GrantsInUse(this.granted, this.topics);
  }

  /** Reads back what is stored. */
  recover(): void {
    for (const user of this.rows.users()) this.known.set(user.name, new User(user));
    for (const permission of this.rows.permissions()) this.keepPermission(permission);
    for (const permission of this.rows.topicPermissions()) this.keepTopicPermission(permission);
  }

  // --- users ---

  /** All users in order of their names. */
  users(): UserSnapshot[] {
    return [...found(this.userRows())];
  }

  /** The same one by one. */
  userRows(): Rows<UserSnapshot> {
    return userRows(this.known);
  }

  /** The user of that name, or null. */
  user(name: string): User | null {
    return this.known.get(name) ?? null;
  }

  /** Makes a user, or changes it, with a password. */
  async putUser(user: NewUser, password: string): Promise<void> {
    this.checkUser(user);
    this.putUserWithHash(user, await hashPassword(password), HASHING_SCRYPT);
  }

  /** The same without waiting, which holds up everything: for the start of a broker. */
  putUserNow(user: NewUser, password: string, logCost?: number): void {
    this.putUserWithHash(user, hashPasswordNow(password, logCost), HASHING_SCRYPT);
    this.login.proven(this.existing(user.name), password);
  }

  /**
   * Makes a user, or changes it, with a password that is hashed already: by scrypt, or by one of
   * RabbitMQ's algorithms. With an empty hash the user cannot log in with a password.
   */
  putUserWithHash(user: NewUser, passwordHash: string, hashingAlgorithm: string): void {
    checkPasswordHash(passwordHash, hashingAlgorithm);
    const { name, tags } = user;
    const limits = this.checkUser(user);
    this.keepUser({ name, passwordHash, hashingAlgorithm, tags: [...new Set(tags)], limits });
  }

  /** Sets a password, and leaves all else. */
  async setPassword(name: string, password: string): Promise<void> {
    const { tags } = this.existing(name);
    await this.putUser({ name, tags }, password);
  }

  /** Takes the password away: the user can log in by other means only. */
  clearPassword(name: string): void {
    const { tags, hashingAlgorithm } = this.existing(name);
    this.putUserWithHash({ name, tags }, '', hashingAlgorithm);
  }

  /** Sets the tags of a user. */
  setUserTags(name: string, tags: readonly string[]): void {
    checkTags(tags);
    this.keepUser({ ...this.existing(name).snapshot(), tags: [...new Set(tags)] });
  }

  /** Sets all limits of a user: those not given are taken away. */
  setUserLimits(name: string, limits: Readonly<Record<string, unknown>>): void {
    const current = this.existing(name).snapshot();
    this.keepUser({ ...current, limits: checkLimits(USER_LIMITS, limits) });
  }

  /** Deletes a user with its permissions, and ends its connections. */
  deleteUser(name: string): void {
    finish(this.deletingUser(name));
  }

  /** The same step by step, all of which has to be in one batch. A Refusal comes at once. */
  deletingUser(name: string): Steps {
    return this.deleting(this.existing(name));
  }

  private *deleting(user: User): Steps {
    const { name } = user;
    if (this.known.get(name) !== user) return;
    this.line.change(() => {
      this.known.delete(name);
      this.login.forget(name);
      this.going.set(name, this.losing(name));
    });
    this.listener.userDeleted(user);
    // One of that name that is made meanwhile finds the steps done.
    yield* this.going.get(name) as Steps;
  }

  /** Takes away what a user had that is known no more. */
  private *losing(name: string): Steps {
    let count = 0;
    for (const vhost of this.granted.get(name)?.keys() ?? []) {
      this.clearPermission(name, vhost);
      count += 1;
      if (count % PER_STEP === 0) yield;
    }
    for (const [vhost, exchanges] of this.topics.get(name) ?? []) {
      for (const exchange of exchanges.keys()) {
        this.clearTopicPermission(name, vhost, exchange);
        count += 1;
        if (count % PER_STEP === 0) yield;
      }
    }
    this.line.change(() => {
      this.inUse.forgetUser(name);
      this.going.delete(name);
      this.rows.removeUser(name);
      this.listener.definitionChanged();
    });
  }

  // --- permissions ---

  /** Whether a user has a permission in any vhost. */
  hasPermissions(user: string): boolean {
    return (this.granted.get(user)?.size ?? 0) > 0;
  }

  /** All permissions, in order of users and vhosts. */
  permissions(): PermissionSnapshot[] {
    return [...found(this.permissionRows({}))];
  }

  /** Those of a user, in a vhost or of all, one by one and in the same order. */
  permissionRows(of: PermissionsOf): Rows<PermissionSnapshot> {
    return permissionRows(this.granted, of);
  }

  /** The permission of a user in a vhost; null: it has none. */
  permission(user: string, vhost: string): PermissionSnapshot | null {
    return this.granted.get(user)?.get(vhost) ?? null;
  }

  /** The permissions of one user. */
  permissionsOf(user: string): PermissionSnapshot[] {
    return [...found(this.permissionRows({ user }))];
  }

  /** Sets what a user may do in a vhost. Throws a Refusal, also for a pattern that is none. */
  setPermission(permission: PermissionSnapshot): void {
    const { user, vhost, configure, write, read } = permission;
    this.checkUserAndVhost(user, vhost);
    const kept = { user, vhost, configure, write, read };
    checkPatterns(() => compilePermission(kept));
    this.rows.putPermission(kept);
    this.line.change(() => {
      this.keepPermission(kept);
      this.changedIn(user, vhost);
    });
  }

  /** Takes away all that a user may do in a vhost; nothing there is no error. */
  clearPermission(user: string, vhost: string): void {
    const ofUser = this.granted.get(user);
    if (ofUser?.has(vhost) !== true) return;
    this.line.change(() => {
      ofUser.delete(vhost);
      this.rows.removePermission(user, vhost);
      this.changedIn(user, vhost);
    });
  }

  /** All topic permissions, in order of users, vhosts and exchanges. */
  topicPermissions(): TopicPermissionSnapshot[] {
    return [...found(this.topicPermissionRows({}))];
  }

  /** Those of a user, in a vhost or of all, one by one and in the same order. */
  topicPermissionRows(of: PermissionsOf): Rows<TopicPermissionSnapshot> {
    return topicPermissionRows(this.topics, of);
  }

  /** Sets which routing keys of a topic exchange a user may use. Throws as `setPermission` does. */
  setTopicPermission(permission: TopicPermissionSnapshot): void {
    const { user, vhost, exchange, write, read } = permission;
    this.checkUserAndVhost(user, vhost);
    // RabbitMQ keeps those of the default exchange, too; they change nothing.
    if (exchange !== '') checkNewName('exchange', exchange);
    const kept = { user, vhost, exchange, write, read };
    checkPatterns(() => compileTopicPermission(kept, user, vhost));
    this.rows.putTopicPermission(kept);
    this.line.change(() => {
      this.keepTopicPermission(kept);
      this.changedIn(user, vhost);
    });
  }

  /** Lets a user use all routing keys again: of one exchange, or of all in the vhost. */
  clearTopicPermission(user: string, vhost: string, exchange?: string): void {
    const exchanges = this.topics.get(user)?.get(vhost);
    if (exchanges === undefined) return;
    this.line.change(() => {
      for (const name of exchange === undefined ? [...exchanges.keys()] : [exchange]) {
        if (!exchanges.delete(name)) continue;
        this.rows.removeTopicPermission(user, vhost, name);
      }
      this.changedIn(user, vhost);
    });
  }

  /** What a user may do in a vhost, for as long as both are there. */
  grants(user: User, vhost: string): Grants {
    return this.inUse.of(user, vhost);
  }

  /** Takes away all permissions in a vhost that is deleted, step by step. */
  *forgettingVhost(vhost: string): Steps {
    let count = 0;
    for (const user of this.known.keys()) {
      this.clearPermission(user, vhost);
      this.clearTopicPermission(user, vhost);
      this.inUse.forget(user, vhost);
      count += 1;
      if (count % PER_STEP === 0) yield;
    }
  }

  private keepPermission(permission: PermissionSnapshot): void {
    const { user, vhost } = permission;
    const ofUser = this.granted.get(user);
    if (ofUser === undefined) this.granted.set(user, new Map([[vhost, permission]]));
    else ofUser.set(vhost, permission);
  }

  private keepTopicPermission(permission: TopicPermissionSnapshot): void {
    const { user, vhost, exchange } = permission;
    const ofUser = this.topics.get(user) ?? new Map<string, Map<string, TopicPermissionSnapshot>>();
    const ofVhost = ofUser.get(vhost) ?? new Map<string, TopicPermissionSnapshot>();
    this.topics.set(user, ofUser.set(vhost, ofVhost.set(exchange, permission)));
  }

  private changedIn(user: string, vhost: string): void {
    this.inUse.renew(user, vhost);
    this.listener.definitionChanged();
    this.listener.permissionsChanged(vhost);
  }

  private existing(name: string): User {
    const user = this.known.get(name);
    if (user === undefined) throw noUser(name);
    return user;
  }

  private checkUser({ name, limits, tags }: NewUser): UserSnapshot['limits'] {
    checkNewName('user', name);
    checkTags(tags);
    if (limits !== undefined) return checkLimits(USER_LIMITS, limits);
    return this.known.get(name)?.limits ?? {};
  }

  private checkUserAndVhost(user: string, vhost: string): void {
    this.existing(user);
    if (!this.listener.hasVhost(vhost)) throw noVhost(vhost);
  }

  /** Makes a user, or lets one that is there be like this. */
  private keepUser(next: UserSnapshot): void {
    const going = this.going.get(next.name);
    if (going !== undefined) finish(going);
    this.rows.putUser(next);
    this.line.change(() => {
      const current = this.known.get(next.name);
      if (current === undefined) this.known.set(next.name, new User(next));
      else Object.assign(current, next);
      this.listener.definitionChanged();
    });
  }
}

function checkPatterns(compile: () => void): void {
  try {
    compile();
  } catch (error) {
    if (error instanceof PatternError) throw new Refusal('invalid', error.message);
    throw error;
  }
}
