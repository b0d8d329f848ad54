// Owns what a file of definitions says, as it was read: a type for each list of it. Never reads one.

import type { FieldTable } from '../../amqp/field-table.ts';
import type { JsonObject, JsonValue } from '../../util/json/json.ts';
import type { VhostLimits } from '../access/limits.ts';
import type { VhostMetadata } from '../access/vhost-metadata.ts';
import type { ExchangeDeclaration } from '../exchange/exchange.ts';
import type { Policy, PolicyLayer } from '../policy/policy.ts';
import type { QueueDeclaration } from '../queue/ports.ts';
import type { ScheduleDefinition } from '../schedule/schedule.ts';
import type { Item } from './item.ts';

/** What was read of one item, with the item for errors. */
export interface Read<T> {
  readonly item: Item;
  readonly value: T;
}

/** The same in a vhost. */
export interface InVhost<T> extends Read<T> {
  readonly vhost: string;
}

/** A user, with a password or with the hash of one. */
export interface UserDefinition {
  readonly name: string;
  readonly tags: readonly string[];
  readonly limits: JsonObject;
  readonly password: string | null;
  readonly passwordHash: string;
  readonly hashingAlgorithm: string;
}

/** What a user may do in a vhost. */
export interface PermissionDefinition {
  readonly user: string;
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

/** Which routing keys of an exchange a user may use. */
export interface TopicPermissionDefinition {
  readonly user: string;
  readonly exchange: string;
  readonly write: string;
  readonly read: string;
}

/** A binding by the names of its ends. */
export interface BindingDefinition {
  readonly source: string;
  readonly destination: string;
  readonly toExchange: boolean;
  readonly bindingKey: string;
  readonly arguments: FieldTable;
}

/** A vhost, and what is said of it. */
export type VhostDefinition = { readonly name: string } & Partial<VhostMetadata>;

/** A policy with its layer. */
export interface PolicyDefinitionItem {
  readonly layer: PolicyLayer;
  readonly policy: Policy;
}

/** A global parameter. */
export interface GlobalParameterDefinition {
  readonly name: string;
  readonly value: JsonValue;
}

/** A parameter, which may be of a kind that has a home of its own. */
export interface ParameterDefinition {
  readonly component: string;
  readonly name: string;
  readonly value: JsonValue;
}

/** All that a file says, in order. */
export interface Definitions {
  readonly users: readonly Read<UserDefinition>[];
  readonly vhosts: readonly Read<VhostDefinition>[];
  readonly permissions: readonly InVhost<PermissionDefinition>[];
  readonly topicPermissions: readonly InVhost<TopicPermissionDefinition>[];
  readonly vhostLimits: readonly InVhost<VhostLimits>[];
  readonly globalParameters: readonly Read<GlobalParameterDefinition>[];
  readonly parameters: readonly InVhost<ParameterDefinition>[];
  readonly policies: readonly InVhost<PolicyDefinitionItem>[];
  readonly exchanges: readonly InVhost<ExchangeDeclaration>[];
  readonly queues: readonly InVhost<QueueDeclaration>[];
  readonly bindings: readonly InVhost<BindingDefinition>[];
  readonly schedules: readonly InVhost<ScheduleDefinition>[];
}
