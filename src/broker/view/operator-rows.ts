// Owns what tools see of what operators define: users, permissions, limits, policies and parameters, row by
// row. Never hands out anything that is alive.

import type { JsonObject } from '../../util/json/json.ts';
import type { Rows } from '../../util/rows.ts';
import type { PermissionsOf } from '../access/access-lists.ts';
import type { PermissionSnapshot, TopicPermissionSnapshot } from '../access/access-rows.ts';
import type { VhostLimits } from '../access/limits.ts';
import type { Broker } from '../broker.ts';
import { parametersOf, usersOf, userToJson } from '../definitions/export.ts';
import type { PolicyLayer } from '../policy/policy.ts';
import type { GlobalParameter } from '../policy/policy-rows.ts';
import type { ParameterView } from './parameters.ts';
import { type PolicyListing, viewPolicy } from './policies.ts';
import { type ScheduleRow, viewSchedule } from './schedules/schedule-rows.ts';
import type { VhostNames } from './snapshots.ts';

/** The limits of a user. */
export interface UserLimitsView {
  readonly user: string;
  readonly value: JsonObject;
}

/** The limits of a vhost. */
export interface VhostLimitsView {
  readonly vhost: string;
  readonly value: VhostLimits;
}

/** The window's way to look at definitions. Where vhosts are named that are not there, they are passed over. */
export class OperatorRows {
  private readonly broker: Broker;

  constructor(broker: Broker) {
    this.broker = broker;
  }

  /** The users in order of their names. */
  users(): Rows<JsonObject> {
    return usersOf(this.broker);
  }

  user(name: string): JsonObject | null {
    const user = this.broker.access.user(name);
    return user === null ? null : userToJson(user.snapshot());
  }

  *usersWithoutPermissions(): Rows<JsonObject> {
    const { access } = this.broker;
    for (const user of access.userRows()) {
      yield user === null || access.hasPermissions(user.name) ? null : userToJson(user);
    }
  }

  /** Of users that have any. */
  *userLimits(): Rows<UserLimitsView> {
    for (const user of this.broker.access.userRows()) {
      if (user === null || isEmpty(user.limits)) yield null;
      else yield { user: user.name, value: { ...user.limits } };
    }
  }

  /** Of vhosts that have any. */
  *vhostLimits(vhosts: VhostNames): Rows<VhostLimitsView> {
    for (const name of vhosts) {
      const limits = name === null ? undefined : this.broker.vhosts.get(name)?.metadata.limits;
      if (name === null || limits === undefined || isEmpty(limits)) yield null;
      else yield { vhost: name, value: limits };
    }
  }

  permission(user: string, vhost: string): PermissionSnapshot | null {
    return this.broker.access.permission(user, vhost);
  }

  /** In order of users and vhosts. */
  permissions(of: PermissionsOf): Rows<PermissionSnapshot> {
    return this.broker.access.permissionRows(of);
  }

  /** In order of users, vhosts and exchanges. */
  topicPermissions(of: PermissionsOf): Rows<TopicPermissionSnapshot> {
    return this.broker.access.topicPermissionRows(of);
  }

  /** The policies of one layer, those of a vhost that win first. */
  *policies(layer: PolicyLayer, vhosts: VhostNames): Rows<PolicyListing> {
    for (const name of vhosts) {
      yield null;
      const vhost = name === null ? undefined : this.broker.vhosts.get(name);
      for (const policy of vhost?.policies.list(layer) ?? []) yield viewPolicy(name ?? '', policy);
    }
  }

  /** Operator policies and limits are among them, as RabbitMQ has it. */
  *parameters(vhosts: VhostNames): Rows<ParameterView> {
    for (const name of vhosts) {
      yield null;
      const vhost = name === null ? undefined : this.broker.vhosts.get(name);
      if (vhost === undefined) continue;
      for (const parameter of parametersOf(vhost)) yield { ...parameter, vhost: vhost.name };
    }
  }

  *schedules(vhosts: VhostNames): Rows<ScheduleRow> {
    for (const name of vhosts) {
      yield null;
      const vhost = name === null ? undefined : this.broker.vhosts.get(name);
      for (const each of vhost?.schedules.each() ?? []) yield viewSchedule(this.broker, each);
    }
  }

  globalParameters(): Rows<GlobalParameter> {
    return this.broker.globalParameters.each();
  }

  globalParameter(name: string): GlobalParameter | null {
    return this.broker.globalParameters.find(name);
  }
}

function isEmpty(limits: object): boolean {
  return Object.keys(limits).length === 0;
}
