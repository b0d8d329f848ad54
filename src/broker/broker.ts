// Owns the control plane: vhosts, users, policies and what is stored of them, over the data plane of core/. Never
// touches messages.

import type { Store } from '../store/port.ts';
import type { Clock } from '../util/clock.ts';
import { decides, MAIN_GROUP } from '../util/system/main-group.ts';
import { Access } from './access/access.ts';
import { checkLimits, VHOST_LIMITS } from './access/limits.ts';
import { noVhost } from './access/names.ts';
import { checkVhostMetadata, type VhostMetadata } from './access/vhost-metadata.ts';
import { Alarms } from './core/alarms.ts';
import { BrokerCore, type CoreListener, type CoreOptions } from './core/core.ts';
import { BrokerEvents } from './core/events.ts';
import { Refusal } from './errors.ts';
import type { FirstStart } from './first-start.ts';
import { GlobalParameters } from './policy/parameters.ts';
import { PolicyRows } from './policy/policy-rows.ts';
import { recoverBroker } from './recovery/recover-broker.ts';
import { recoverVhost } from './recovery/recover-vhost.ts';
import { ScheduleWatch } from './schedule/schedule-watch.ts';
import { History } from './stats/history/history.ts';
import { Rates } from './stats/rates.ts';
import { VhostDeletions } from './vhost/deletions.ts';
import { DefinitionRows } from './vhost/topology-rows.ts';
import { Vhost } from './vhost/vhost.ts';
import { awayText } from './vhost-place.ts';

/** What the server is told by the broker. */
export interface BrokerListener extends CoreListener {
  /** A vhost or a user, `of`, is deleted: its connections have to end before the call returns. */
  connectionsForced(of: object, reason: string): void;
}

/** The heart: vhosts over a log and a store. Synchronous, without timers or I/O of its own. */
export class Broker {
  readonly core: BrokerCore;
  readonly vhosts = new Map<string, Vhost>();
  readonly vhostDeletions: VhostDeletions;
  readonly access: Access;
  readonly definitionRows: DefinitionRows;
  readonly policyRows: PolicyRows;
  readonly globalParameters: GlobalParameters;
  readonly scheduleWatch: ScheduleWatch;
  readonly alarms = new Alarms();
  readonly changes = new BrokerEvents();
  readonly rates = new Rates();
  readonly history = new History();
  private readonly listener: BrokerListener;

  constructor(store: Store, clock: Clock, listener: BrokerListener, options: CoreOptions = {}) {
    const core = new BrokerCore(store, clock, listener, options);
    this.core = core;
    this.listener = listener;
    const { changes } = this;
    const definitionChanged = (): void => core.definitionChanged();
    this.definitionRows = new DefinitionRows(store, core.setAsideRows, core.line);
    this.policyRows = new PolicyRows(store, changes, core.setAsideRows, core.line);
    this.globalParameters = new GlobalParameters(this.policyRows, definitionChanged);
    this.scheduleWatch = new ScheduleWatch(core, changes, this.alarms);
    this.access = new Access(store, changes, core.setAsideRows, clock, core.line, {
      definitionChanged,
      hasVhost: (name) => this.vhosts.has(name),
      permissionsChanged: (name) => this.vhosts.get(name)?.router.topologyChanged(),
      userDeleted: (user) => listener.connectionsForced(user, `user '${user.name}' is deleted`),
    });
    this.vhostDeletions = new VhostDeletions(this, (vhost) =>
      listener.connectionsForced(vhost, `vhost '${vhost.name}' is deleted`),
    );
    core.queues = () =>
      [...this.vhosts.values(), ...this.vhostDeletions.vhosts].flatMap((vhost) =>
        vhost.everyQueue(),
      );
  }

  /**
   * Reads back all that the store holds. A store without any vhost or user is a new one, and gets
   * what a broker has at its first start; later starts find that, or what has become of it. Returns whether it was new.
   */
  recover(first: FirstStart): boolean {
    const { core } = this;
    core.time.recover();
    core.nowMs = core.time.now();
    return recoverBroker(this, first);
  }

  /** The vhost of that name, to act in; throws a Refusal when there is none, or it is in another group. */
  vhost(name: string): Vhost {
    const vhost = this.listed(name);
    if (vhost.away !== null) throw new Refusal('in-use', awayText(name, vhost.away));
    return vhost;
  }

  /** The vhost of that name, wherever in the cluster it is; throws a Refusal when there is none. */
  listed(name: string): Vhost {
    const vhost = this.vhosts.get(name);
    if (vhost === undefined) throw this.core.setAsideRows.vhostError(name) ?? noVhost(name);
    return vhost;
  }

  /** Throws a Refusal in a group that follows another one in what it knows of users and vhosts. */
  requireDirectory(): void {
    if (decides(this.core.group)) return;
    throw new Refusal('in-use', `users and vhosts are changed in the group '${MAIN_GROUP}' alone`);
  }

  /** Makes a vhost, or changes what is given of one that is there. Throws a Refusal. */
  putVhost(name: string, metadata: Partial<VhostMetadata> = {}): Vhost {
    checkVhostMetadata(name, metadata);
    this.vhostDeletions.finish(name);
    const known = this.vhosts.get(name);
    const vhost = known ?? new Vhost(name, this);
    const wasAside = known === undefined && this.core.setAsideRows.vhostError(name) !== null;
    this.storeVhost(vhost, metadata, () => {
      this.vhosts.set(name, vhost);
      if (wasAside) recoverVhost(this, vhost);
    });
    return vhost;
  }

  /** Sets all limits of a vhost: those not given are taken away. */
  setVhostLimits(name: string, limits: Readonly<Record<string, unknown>>): void {
    this.requireDirectory();
    this.storeVhost(this.listed(name), { limits: checkLimits(VHOST_LIMITS, limits) });
  }

  /** Changes what is given of a vhost, on disk and in memory; `also` belongs to that change. */
  private storeVhost(vhost: Vhost, metadata: Partial<VhostMetadata>, also = (): void => {}): void {
    this.access.rows.putVhost({ ...vhost.snapshot(), ...metadata });
    this.core.line.change(() => {
      also();
      const before = vhost.away;
      vhost.setMetadata(metadata);
      this.core.definitionChanged();
      if (vhost.away !== null && before === null) {
        this.listener.connectionsForced(vhost, awayText(vhost.name, vhost.away));
      }
    });
  }

  /** Says of a vhost where in the cluster it is, or by which move its contents came into this group. */
  placeVhost(name: string, change: Pick<VhostMetadata, 'place' | 'arrived'>): void {
    this.storeVhost(this.listed(name), change);
  }

  /** Deletes a vhost with all that is in it and all permissions in it, and ends its connections. */
  deleteVhost(name: string): void {
    this.vhostDeletions.atOnce(name);
  }

  /** Makes a vhost that is not stored yet, or was read from the store. */
  addVhost(name: string, metadata: Partial<VhostMetadata>): Vhost {
    const vhost = this.makeVhost(name, metadata);
    this.vhosts.set(name, vhost);
    return vhost;
  }

  /** The same for one that no list has, since it goes. */
  makeVhost(name: string, metadata: Partial<VhostMetadata>): Vhost {
    const vhost = new Vhost(name, this);
    vhost.setMetadata(metadata);
    return vhost;
  }

  /** At a clean stop, when all consumers are gone: which messages were delivered, exactly. */
  sealExactMarks(): void {
    this.core.stop();
    for (const vhost of this.vhosts.values()) {
      for (const queue of vhost.queues.values()) queue.sealExactMarks();
    }
  }

  /** The same of a vhost that no client is in, and none comes to for a while. */
  sealExactMarksOf(vhost: Vhost): void {
    for (const queue of vhost.queues.values()) queue.sealExactMarks(false);
    this.core.definitionChanged();
  }
}
