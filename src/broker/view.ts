// Owns the window through which tools see a broker and act on it: plain values out, and the very
// functions that AMQP uses in. Never lets anything out that is alive, and checks no rights.

import type { JsonObject, JsonValue } from '../util/json/json.ts';
import { atOnce } from '../util/rows.ts';
import type { NewUser } from './access/access.ts';
import type { PermissionSnapshot, TopicPermissionSnapshot } from './access/access-rows.ts';
import type { UserLimits, VhostLimits } from './access/limits.ts';
import { checkNewName } from './access/names.ts';
import type { User, UserSnapshot } from './access/user.ts';
import type { VhostTraits } from './access/vhost-traits.ts';
import type { Broker } from './broker.ts';
import { exportDefinitions, exportVhost, parametersOf } from './definitions/export.ts';
import {
  applyInSlices,
  importDefinitions,
  type Prepared,
  prepareImport,
} from './definitions/import.ts';
import { OPERATOR_POLICY, VHOST_LIMITS_COMPONENT } from './definitions/read.ts';
import { Refusal } from './errors.ts';
import { type PolicyInput, type PolicyLayer, readPolicy } from './policy/policy.ts';
import type { GlobalParameter } from './policy/policy-rows.ts';
import type { Vhost } from './vhost/vhost.ts';
import { Actor } from './view/actor.ts';
import { Defined } from './view/defined.ts';
import { NO_HOST, type ViewHost } from './view/host.ts';
import { Look } from './view/look.ts';
import { putUser } from './view/put-user.ts';
import type { ParameterView, ResourcesView } from './view/resources-view.ts';
import { dropSetAsideRow } from './view/set-aside.ts';
import {
  type BindingView,
  type ConsumerView,
  type ExchangeView,
  type PolicyListing,
  type QueueView,
  type VhostView,
  viewBindings,
  viewConsumer,
  viewExchange,
  viewPolicy,
  viewQueue,
  viewVhost,
} from './view/snapshots.ts';

/** The same with a value that is not checked yet. */
type Unchecked<T> = Omit<T, 'value'> & { readonly value: unknown };

/** A tool that acts through the window owns no queue. */
const NO_OWNER = {};

/** The window on one broker. Where a vhost may be named and is not, all of them are meant. */
export class View {
  readonly version: string;
  readonly look: Look;
  readonly defined: Defined;
  private readonly broker: Broker;
  private readonly host: ViewHost;

  /** `host` is the server around the broker; without one, the data folder of a stopped broker. */
  constructor(broker: Broker, version: string, host: ViewHost = NO_HOST) {
    this.broker = broker;
    this.version = version;
    this.host = host;
    this.look = new Look(broker, host);
    this.defined = new Defined(broker);
  }

  /** Acts in a vhost with the rights of a user. Throws a Refusal when there is no such vhost. */
  actor(user: string, vhost: string): Actor {
    const { access } = this.broker;
    const home = this.broker.vhost(vhost);
    // No socket has noted the time: the broker may have been idle for hours.
    this.broker.core.nowMs = this.broker.core.time.now();
    return new Actor(this.broker, this.host, home, access.grants(this.known(user), home.name));
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
    if (user === null) return answer.busy === true ? 'busy' : null;
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

  /** Memory and disk when looked at last, in whole bytes: clients decode these into integers. */
  resources(): ResourcesView {
    const { memory, disk } = this.broker.alarms;
    return {
      mem_used: Math.floor(memory.now),
      mem_limit: Math.floor(memory.limit),
      mem_alarm: memory.alarm,
      disk_free: Math.floor(disk.now),
      disk_free_limit: Math.floor(disk.limit),
      disk_free_alarm: disk.alarm,
    };
  }

  vhosts(): VhostView[] {
    return [...this.broker.vhosts.values()].map((vhost) => atOnce(viewVhost(vhost)));
  }

  queues(vhost?: string): QueueView[] {
    return this.each(vhost, (one) =>
      [...one.queues.values()].map((queue) => viewQueue(one, queue)),
    );
  }

  exchanges(vhost?: string): ExchangeView[] {
    return this.each(vhost, (one) =>
      [...one.exchanges.values()].map((exchange) => viewExchange(one, exchange)),
    );
  }

  bindings(vhost?: string): BindingView[] {
    return this.each(vhost, viewBindings);
  }

  consumers(vhost?: string): ConsumerView[] {
    return this.each(vhost, (one) =>
      [...one.queues.values()].flatMap((queue) =>
        queue.consumers.map((consumer) => viewConsumer(one, queue, consumer)),
      ),
    );
  }

  users(): UserSnapshot[] {
    return this.broker.access.users();
  }

  permissions(): PermissionSnapshot[] {
    return this.broker.access.permissions();
  }

  topicPermissions(): TopicPermissionSnapshot[] {
    return this.broker.access.topicPermissions();
  }

  /** The policies of one layer, those that win first. */
  policies(layer: PolicyLayer, vhost?: string): PolicyListing[] {
    return this.each(vhost, ({ name, policies }) =>
      policies.list(layer).map((policy) => viewPolicy(name, policy)),
    );
  }

  parameters(vhost?: string): ParameterView[] {
    return this.each(vhost, (one) =>
      [...parametersOf(one)].map((parameter) => ({ ...parameter, vhost: one.name })),
    );
  }

  globalParameters(): GlobalParameter[] {
    return this.broker.globalParameters.list();
  }

  vhostLimits(vhost: string): VhostLimits {
    return this.broker.vhost(vhost).traits.limits;
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
  importDefinitions(json: unknown, vhost?: string): readonly string[] {
    return importDefinitions(this.broker, json as JsonValue, vhost ?? null);
  }

  /** The same in two parts, for as many as there may be: what can be refused, and what changes. */
  prepareImport(json: unknown, vhost?: string): ReturnType<typeof prepareImport> {
    return prepareImport(this.broker, json as JsonValue, vhost ?? null);
  }

  applyImport(prepared: Prepared): Promise<void> {
    return applyInSlices(this.broker, prepared);
  }

  // --- users ---

  /** Makes a user; a Refusal when there is one of that name. */
  async addUser(user: NewUser, password: string): Promise<void> {
    const { access } = this.broker;
    if (access.user(user.name) !== null) {
      throw new Refusal('invalid', `there is a user '${user.name}' already`);
    }
    await access.putUser(user, password);
  }

  /** Makes or changes a user; see view/put-user.ts. */
  putUser(name: string, json: JsonObject): Promise<void> {
    return putUser(this.broker, name, json);
  }

  deleteUser(name: string): void {
    this.broker.access.deleteUser(name);
  }

  /** The same step by step; resolves when it is done, all in one batch. */
  deleteUserInSteps(name: string): Promise<void> {
    const steps = this.broker.access.deletingUser(name);
    return new Promise((resolve) => this.broker.core.slices.whole(steps, resolve));
  }

  changePassword(name: string, password: string): Promise<void> {
    return this.broker.access.setPassword(name, password);
  }

  clearPassword(name: string): void {
    this.broker.access.clearPassword(name);
  }

  setUserTags(name: string, tags: readonly string[]): void {
    this.broker.access.setUserTags(name, tags);
  }

  setUserLimits(name: string, limits: Readonly<Record<string, unknown>>): void {
    this.broker.access.setUserLimits(name, limits);
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
  addVhost(name: string, traits: Partial<VhostTraits>): void {
    if (this.broker.vhosts.has(name)) {
      throw new Refusal('invalid', `there is a vhost '${name}' already`);
    }
    this.broker.putVhost(name, traits);
  }

  /** Changes what is given of a vhost that is there. */
  changeVhost(name: string, traits: Partial<VhostTraits>): void {
    this.broker.putVhost(this.broker.vhost(name).name, traits);
  }

  /** Makes a vhost, or changes what is given of one that is there. */
  putVhost(name: string, traits: Partial<VhostTraits>): void {
    this.broker.putVhost(name, traits);
  }

  deleteVhost(name: string): void {
    this.broker.deleteVhost(name);
  }

  /** The same step by step; resolves when all of it is gone. */
  deleteVhostInSteps(name: string): Promise<void> {
    return this.broker.vhostDeletions.inSteps(name, () => this.settled());
  }

  /** Resolves when no vhost of that name is being deleted. */
  vhostGone(name: string): Promise<void> {
    return this.broker.vhostDeletions.over(name);
  }

  setVhostLimits(name: string, limits: Readonly<Record<string, unknown>>): void {
    this.broker.setVhostLimits(name, limits);
  }

  setPermission(permission: PermissionSnapshot): void {
    this.broker.access.setPermission(permission);
  }

  clearPermission(user: string, vhost: string): void {
    this.user(user);
    this.broker.vhost(vhost);
    this.broker.access.clearPermission(user, vhost);
  }

  setTopicPermission(permission: TopicPermissionSnapshot): void {
    this.broker.access.setTopicPermission(permission);
  }

  clearTopicPermission(user: string, vhost: string, exchange?: string): void {
    this.user(user);
    this.broker.vhost(vhost);
    this.broker.access.clearTopicPermission(user, vhost, exchange);
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

  /** Sets a parameter, which may be an operator policy or the limits of the vhost. */
  setParameter({ vhost, ...parameter }: Unchecked<ParameterView>): void {
    const json = { parameters: [parameter as JsonObject] };
    importDefinitions(this.broker, json, vhost);
  }

  clearParameter(vhost: string, component: string, name: string): void {
    const { policies, parameters } = this.broker.vhost(vhost);
    if (component === OPERATOR_POLICY) policies.clear(component, name);
    else if (component === VHOST_LIMITS_COMPONENT) this.setVhostLimits(vhost, {});
    else parameters.clear(component, name);
  }

  setGlobalParameter(name: string, value: unknown): void {
    const json = { global_parameters: [{ name, value: value as JsonValue }] };
    importDefinitions(this.broker, json);
  }

  clearGlobalParameter(name: string): void {
    this.broker.globalParameters.clear(name);
  }

  /** Drops a row that is set aside, as no user but an administrator may. */
  dropSetAsideRow(id: string): void {
    dropSetAsideRow(this.broker, id);
  }

  // --- queues ---

  /** Deletes a queue; returns how many messages were ready. Throws an AmqpError or a Refusal. */
  deleteQueue(vhost: string, name: string, ifUnused: boolean, ifEmpty: boolean): number {
    const home = this.broker.vhost(vhost);
    const queue = home.queue(name, NO_OWNER);
    const count = home.deleteQueue(queue, ifUnused, ifEmpty);
    this.broker.core.setAside.dropOf(queue.id);
    return count;
  }

  /** Removes the ready messages of a queue; returns how many. Throws an AmqpError or a Refusal. */
  purgeQueue(vhost: string, name: string): number {
    const home = this.broker.vhost(vhost);
    return home.purgeQueue(home.queue(name, NO_OWNER));
  }

  private each<T>(name: string | undefined, list: (vhost: Vhost) => readonly T[]): T[] {
    const { vhosts } = this.broker;
    return (name === undefined ? [...vhosts.values()] : [this.broker.vhost(name)]).flatMap(list);
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
