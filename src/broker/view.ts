// Owns the window through which tools see a broker and act on it: plain values out, and the very
// functions that AMQP uses in. Never lets anything out that is alive, and checks no rights.

import type { JsonObject, JsonValue } from '../util/json/json.ts';
import type { NewUser } from './access/access.ts';
import type { PermissionSnapshot, TopicPermissionSnapshot } from './access/access-rows.ts';
import { ALL_RIGHTS, type Grants } from './access/grants.ts';
import type { UserLimits, VhostLimits } from './access/limits.ts';
import { operatorGrants } from './access/local-operator.ts';
import { checkNewName } from './access/names.ts';
import type { User, UserSnapshot } from './access/user.ts';
import type { VhostMetadata } from './access/vhost-metadata.ts';
import type { Broker } from './broker.ts';
import { exportDefinitions, exportVhost } from './definitions/export.ts';
import {
  applyInSlices,
  type ImportOptions,
  importDefinitions,
  type Prepared,
  prepareImport,
} from './definitions/import.ts';
import { OPERATOR_POLICY } from './definitions/read-parameters.ts';
import { Refusal } from './errors.ts';
import { type PolicyInput, type PolicyLayer, readPolicy } from './policy/policy.ts';
import { type DeleteConditions, noQueue } from './vhost/declare-rules.ts';
import type { Vhost } from './vhost/vhost.ts';
import { Past } from './view/history/past.ts';
import { OperatorRows } from './view/operator-rows.ts';
import {
  clearParameter,
  type ParameterView,
  setGlobalParameter,
  setParameter,
} from './view/parameters.ts';
import { putUser } from './view/put-user.ts';
import { nextTimes } from './view/schedules/schedule-rows.ts';
import { NO_SERVER, type ServerPort } from './view/server-port.ts';
import { dropSetAsideRow } from './view/set-aside.ts';
import { Snapshots } from './view/snapshots.ts';
import { ToolActor } from './view/tool-actor.ts';

/** Memory, disk and log in bytes, by the names that RabbitMQ's tools know. */
export interface ResourcesView {
  readonly mem_used: number;
  readonly mem_limit: number;
  readonly mem_alarm: boolean;
  readonly disk_free: number;
  readonly disk_free_limit: number;
  readonly disk_free_alarm: boolean;
  /** Of the log that several nodes share; not there where this one shares none. */
  readonly log_used?: number;
  readonly log_limit?: number;
  readonly log_alarm?: boolean;
}

/** The same with a value that is not checked yet. */
type Unchecked<T> = Omit<T, 'value'> & { readonly value: unknown };

/** The window on one broker. Where a vhost may be named and is not, all of them are meant. */
export class View {
  readonly version: string;
  readonly snapshots: Snapshots;
  readonly defined: OperatorRows;
  readonly past: Past;
  private readonly broker: Broker;
  private readonly host: ServerPort;

  /** `host` is the server around the broker; without one, the data folder of a stopped broker. */
  constructor(broker: Broker, version: string, host: ServerPort = NO_SERVER) {
    this.broker = broker;
    this.version = version;
    this.host = host;
    this.snapshots = new Snapshots(broker, host);
    this.defined = new OperatorRows(broker);
    this.past = new Past(broker);
  }

  /** Acts in a vhost with the rights of a user. Throws a Refusal when there is no such vhost. */
  actor(user: string, vhost: string): ToolActor {
    const home = this.broker.vhost(vhost);
    return this.actorWith(this.broker.access.grants(this.known(user), home.name), home);
  }

  /** The operator on the broker's own machine, to act in a vhost with all rights; errors have its name. Throws a Refusal. */
  localActor(name: string, vhost: string): ToolActor {
    const home = this.broker.vhost(vhost);
    return this.actorWith(operatorGrants(name, home.name), home);
  }

  private actorWith(grants: Grants, home: Vhost): ToolActor {
    // No socket has noted the time: the broker may have been idle for hours.
    this.broker.core.nowMs = this.broker.core.time.now();
    return new ToolActor(this.broker, this.host, home, grants);
  }

  /** Whether a user may open a vhost. */
  mayEnter(user: string, vhost: string): boolean {
    return this.broker.access.permission(user, vhost) !== null;
  }

  /**
   * The user that has this name and password, from that address; null: there is none. `busy`: too many
   * others wait, and the password was not looked at. `owner` is the connection that asks.
   */
  async login(
    name: string,
    password: string,
    address: string,
    owner: object | null = null,
  ): Promise<{ readonly name: string; readonly tags: readonly string[] } | 'busy' | null> {
    const answer = await this.broker.access.login.byPassword(name, password, address, owner);
    const { user } = answer;
    if (answer.user === null && answer.busy === true) return 'busy';
    this.broker.core.counts.logins.http.count(user !== null);
    if (user === null) return null;
    return { name: user.name, tags: user.tags };
  }

  /** The connection is gone: its logins need not be checked any more. */
  abandonLogins(owner: object): void {
    this.broker.access.login.abandon(owner);
  }

  /** Resolves when all that was changed is durable. */
  async settled(): Promise<void> {
    const { definitionsBatch, durableBatch } = this.broker.core;
    if (definitionsBatch > durableBatch) await this.host.durable(definitionsBatch);
  }

  // --- what there is ---

  /** Memory, disk and log when looked at last, in whole bytes: clients decode these into integers. */
  resources(): ResourcesView {
    const { memory, disk, log } = this.broker.alarms;
    return {
      mem_used: Math.floor(memory.now),
      mem_limit: Math.floor(memory.limit),
      mem_alarm: memory.alarm,
      disk_free: Math.floor(disk.now),
      disk_free_limit: Math.floor(disk.limit),
      disk_free_alarm: disk.alarm,
      ...(Number.isFinite(log.limit)
        ? { log_used: log.now, log_limit: Math.floor(log.limit), log_alarm: log.alarm }
        : {}),
    };
  }

  vhostLimits(vhost: string): VhostLimits {
    return this.broker.listed(vhost).metadata.limits;
  }

  userLimits(user: string): UserLimits {
    return this.user(user).limits;
  }

  // --- definitions ---

  /** All definitions, or those of one vhost. */
  exportDefinitions(vhost?: string): JsonObject {
    if (vhost !== undefined) return exportVhost(this.broker.vhost(vhost), this.version);
    return exportDefinitions(this.broker, this.version);
  }

  /** Takes in definitions, all or none; returns warnings. See definitions/import.ts. */
  importDefinitions(json: unknown, options: ImportOptions = {}): readonly string[] {
    return importDefinitions(this.broker, json as JsonValue, options);
  }

  /** The same in two parts, for as many as there may be: what can be refused, and what changes. */
  prepareImport(json: unknown, options: ImportOptions): ReturnType<typeof prepareImport> {
    return prepareImport(this.broker, json as JsonValue, options);
  }

  applyImport(prepared: Prepared): Promise<void> {
    return applyInSlices(this.broker, prepared);
  }

  // --- users ---

  /** Makes a user; a Refusal when there is one of that name. */
  async addUser(user: NewUser, password: string): Promise<void> {
    const { access } = this.owner;
    if (access.user(user.name) !== null) {
      throw new Refusal('invalid', `there is a user '${user.name}' already`);
    }
    await access.putUser(user, password);
  }

  /** Makes or changes a user; see view/put-user.ts. */
  putUser(name: string, json: JsonObject): Promise<void> {
    return putUser(this.owner, name, json);
  }

  deleteUser(name: string): void {
    this.owner.access.deleteUser(name);
  }

  /** The same step by step; resolves when it is done, all in one batch. */
  deleteUserInSteps(name: string): Promise<void> {
    const steps = this.owner.access.deletingUser(name);
    return new Promise((resolve) => this.owner.core.slices.whole(steps, resolve));
  }

  changePassword(name: string, password: string): Promise<void> {
    return this.owner.access.setPassword(name, password);
  }

  clearPassword(name: string): void {
    this.owner.access.clearPassword(name);
  }

  setUserTags(name: string, tags: readonly string[]): void {
    this.owner.access.setUserTags(name, tags);
  }

  setUserLimits(name: string, limits: Readonly<Record<string, unknown>>): void {
    this.owner.access.setUserLimits(name, limits);
  }

  /** Whether that is the password of that user; it counts as one from this machine. */
  async authenticates(name: string, password: string): Promise<boolean> {
    const { refusal } = await this.broker.access.login.byPassword(name, password, '127.0.0.1');
    return refusal === null;
  }

  /** The name, if there is a user of that name; else a Refusal. */
  existingUser(name: string): string {
    return this.user(name).name;
  }

  // --- vhosts and permissions ---

  /** Makes a vhost; a Refusal when there is one of that name. */
  addVhost(name: string, metadata: Partial<VhostMetadata>): void {
    if (this.owner.vhosts.has(name)) {
      throw new Refusal('invalid', `there is a vhost '${name}' already`);
    }
    this.owner.putVhost(name, metadata);
  }

  /** Changes what is given of a vhost that is there. */
  changeVhost(name: string, metadata: Partial<VhostMetadata>): void {
    this.owner.putVhost(this.owner.listed(name).name, metadata);
  }

  /** Makes a vhost, or changes what is given of one that is there. */
  putVhost(name: string, metadata: Partial<VhostMetadata>): void {
    this.owner.putVhost(name, metadata);
  }

  deleteVhost(name: string): void {
    this.owner.deleteVhost(name);
  }

  /** The same step by step; resolves when all of it is gone. */
  deleteVhostInSteps(name: string): Promise<void> {
    return this.owner.vhostDeletions.inSteps(name, () => this.settled());
  }

  /** Resolves when no vhost of that name is being deleted. */
  vhostGone(name: string): Promise<void> {
    return this.broker.vhostDeletions.over(name);
  }

  setVhostLimits(name: string, limits: Readonly<Record<string, unknown>>): void {
    this.owner.setVhostLimits(name, limits);
  }

  setPermission(permission: PermissionSnapshot): void {
    this.owner.access.setPermission(permission);
  }

  clearPermission(user: string, vhost: string): void {
    this.user(user);
    this.owner.listed(vhost);
    this.owner.access.clearPermission(user, vhost);
  }

  setTopicPermission(permission: TopicPermissionSnapshot): void {
    this.owner.access.setTopicPermission(permission);
  }

  clearTopicPermission(user: string, vhost: string, exchange?: string): void {
    this.user(user);
    this.owner.listed(vhost);
    this.owner.access.clearTopicPermission(user, vhost, exchange);
  }

  // --- policies and parameters ---

  /** The input is JSON, and checked here. */
  setPolicy(
    layer: PolicyLayer,
    vhost: string,
    name: string,
    input: Readonly<Record<keyof PolicyInput, unknown>>,
  ): void {
    checkNewName(layer === OPERATOR_POLICY ? 'operator policy' : 'policy', name);
    const policy = readPolicy(layer, name, input as PolicyInput);
    this.broker.vhost(vhost).policies.set(layer, policy);
  }

  clearPolicy(layer: PolicyLayer, vhost: string, name: string): void {
    this.broker.vhost(vhost).policies.clear(layer, name);
  }

  /** Sets a parameter, which may be an operator policy or the limits of the vhost; returns why it changes nothing. */
  setParameter({ vhost, ...parameter }: Unchecked<ParameterView>): string | null {
    return setParameter(this.broker, vhost, parameter as JsonObject);
  }

  clearParameter(vhost: string, component: string, name: string): void {
    clearParameter(this.broker, vhost, component, name);
  }

  setGlobalParameter(name: string, value: unknown): void {
    setGlobalParameter(this.owner, { name, value: value as JsonValue });
  }

  clearGlobalParameter(name: string): void {
    this.owner.globalParameters.clear(name);
  }

  deleteSchedule(vhost: string, name: string): void {
    this.broker.vhost(vhost).schedules.clear(name);
  }

  /** When a schedule that would be set now would tick, ms since the Unix epoch. Throws a Refusal. */
  scheduleTimes(timing: JsonObject, count: number): number[] {
    return nextTimes(this.broker, timing, count);
  }

  /** Drops a row that is set aside, as no user but an administrator may. */
  dropSetAsideRow(id: string): void {
    dropSetAsideRow(this.broker, id);
  }

  // --- queues ---

  /** Deletes a queue; returns how many messages were ready. Throws an AmqpError or a Refusal. */
  deleteQueue(vhost: string, name: string, conditions: DeleteConditions): number {
    const actor = this.broker.vhost(vhost).as(ALL_RIGHTS);
    let count: number | null = null;
    actor.deleteQueue(name, conditions, undefined, (readyCount) => {
      count = readyCount;
    });
    if (count === null) throw noQueue(vhost, name);
    return count;
  }

  /** Removes the ready messages of a queue; returns how many. Throws an AmqpError or a Refusal. */
  purgeQueue(vhost: string, name: string): number {
    let count = 0;
    this.broker
      .vhost(vhost)
      .as(ALL_RIGHTS)
      .purgeQueue(name, undefined, (ready) => {
        count = ready;
      });
    return count;
  }

  /** The broker, for changes of the directory, which a group that follows another one in it refuses. */
  private get owner(): Broker {
    this.broker.requireDirectory();
    return this.broker;
  }

  private user(name: string): UserSnapshot {
    return this.known(name);
  }

  private known(name: string): User {
    const user = this.broker.access.user(name);
    if (user === null) throw new Refusal('not-found', `there is no user '${name}'`);
    return user;
  }
}
