// Owns definitions as JSON, in RabbitMQ's format: of the whole broker, or of one vhost. Never writes
// a file: the caller does.

import type { JsonObject, JsonValue } from '../../util/json/json.ts';
import { found, type Rows } from '../../util/rows.ts';
import type { UserSnapshot } from '../access/user.ts';
import type { Broker } from '../broker.ts';
import { type Destination, type Exchange, isExchange } from '../exchange/exchange.ts';
import type { Policy } from '../policy/policy.ts';
import { RESERVED_PREFIX } from '../vhost/declare-rules.ts';
import type { Vhost } from '../vhost/vhost.ts';
import { argumentsToJson } from './arguments-json.ts';
import type { ParameterDefinition } from './definition-types.ts';
import { passwordToJson } from './password-json.ts';
import { OPERATOR_POLICY, VHOST_LIMITS_COMPONENT } from './read-parameters.ts';
import { scheduleToJson } from './schedule-json.ts';

/** The version of RabbitMQ whose format this is: its tools look at it. */
const FORMAT_VERSION = '3.13.0';

/** A part of definitions: its key, and its value or the rows of its list one by one. */
export type Section = readonly [key: string, value: JsonValue | Rows<JsonObject>];

/** All definitions of a broker. Exclusive queues end with their connections and are not among them. */
export function exportDefinitions(broker: Broker, version: string): JsonObject {
  return whole(brokerSections(broker, version));
}

/** The definitions of one vhost, to be imported into any. */
export function exportVhost(vhost: Vhost, version: string): JsonObject {
  return whole(vhostSections(vhost, version));
}

/** The same as `exportDefinitions`, for a caller that takes the rows one by one. */
export function brokerSections(broker: Broker, version: string): Section[] {
  const { access } = broker;
  const all = function* (list: (vhost: Vhost) => Rows<JsonObject>): Rows<JsonObject> {
    for (const vhost of broker.vhosts.values()) {
      yield null;
      for (const each of list(vhost)) yield each === null ? null : { ...each, vhost: vhost.name };
    }
  };
  return [
    ...Object.entries(head(version, 'cluster')),
    ['users', usersOf(broker)],
    ['vhosts', vhostsOf(broker)],
    ['permissions', copies(access.permissionRows({}))],
    ['topic_permissions', copies(access.topicPermissionRows({}))],
    ['parameters', all((vhost) => copies(parametersOf(vhost)))],
    ['global_parameters', copies(broker.globalParameters.each())],
    ['policies', all(policiesOf)],
    ['queues', all(queuesOf)],
    ['exchanges', all(exchangesOf)],
    ['bindings', all(bindingsOf)],
    ...scheduleSection(broker.vhosts.values(), all(schedulesOf)),
  ];
}

/** The same as `exportVhost`, for a caller that takes the rows one by one. */
export function vhostSections(vhost: Vhost, version: string): Section[] {
  const { name, description, tags, defaultQueueType } = vhost.snapshot();
  const named = function* (list: Rows<JsonObject>): Rows<JsonObject> {
    for (const each of list) yield each === null ? null : { ...each, vhost: name };
  };
  return [
    ...Object.entries(head(version, 'single_virtual_host')),
    ['original_vhost_name', name],
    ['explanation', `Definitions of virtual host '${name}'`],
    ['metadata', { description, tags, ...queueType(defaultQueueType) }],
    ['parameters', named(copies(parametersOf(vhost)))],
    ['policies', named(policiesOf(vhost))],
    ['queues', queuesOf(vhost)],
    ['exchanges', exchangesOf(vhost)],
    ['bindings', bindingsOf(vhost)],
    ...scheduleSection([vhost], schedulesOf(vhost)),
  ];
}

/** The users with what their passwords are known by. */
export function* usersOf({ access }: Broker): Rows<JsonObject> {
  for (const user of access.userRows()) yield user === null ? null : userToJson(user);
}

/** One user in the same way. */
export function userToJson(user: UserSnapshot): JsonObject {
  return {
    name: user.name,
    ...passwordToJson(user.passwordHash, user.hashingAlgorithm),
    tags: user.tags,
    limits: { ...user.limits },
  };
}

/** Rows copied into plain objects that no other code holds. */
function* copies(rows: Rows<object>): Rows<JsonObject> {
  for (const row of rows) yield row === null ? null : { ...row };
}

function whole(sections: readonly Section[]): JsonObject {
  return Object.fromEntries(
    sections.map(([key, value]) => [key, isRows(value) ? [...found(value)] : value]),
  );
}

/** Whether a section is a list whose rows come one by one. */
export function isRows(value: Section[1]): value is Rows<JsonObject> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value;
}

function head(version: string, format: string): JsonObject {
  return {
    rabbit_version: FORMAT_VERSION,
    rabbitmq_version: FORMAT_VERSION,
    product_name: 'Leveret',
    product_version: version,
    rabbitmq_definition_format: format,
  };
}

function* vhostsOf({ vhosts }: Broker): Rows<JsonObject> {
  for (const vhost of vhosts.values()) yield vhostToJson(vhost);
}

function vhostToJson(vhost: Vhost): JsonObject {
  const { name, description, tags, defaultQueueType, tracing } = vhost.snapshot();
  const metadata = { description, tags, ...queueType(defaultQueueType) };
  // RabbitMQ reads the flag and does not write it.
  return { name, ...metadata, ...(tracing ? { tracing } : {}), metadata };
}

function queueType(type: string | null): JsonObject {
  return type === null ? {} : { default_queue_type: type };
}

/** Operator policies and limits are parameters too, as RabbitMQ has it. */
export function* parametersOf(vhost: Vhost): Generator<ParameterDefinition, void, undefined> {
  for (const policy of vhost.policies.list(OPERATOR_POLICY)) {
    yield { value: policyToJson(policy), component: OPERATOR_POLICY, name: policy.name };
  }
  const { limits } = vhost.metadata;
  if (Object.keys(limits).length > 0) {
    yield { value: { ...limits }, component: VHOST_LIMITS_COMPONENT, name: 'limits' };
  }
  for (const { component, name, value } of vhost.parameters.each())
    yield { value, component, name };
}

function* policiesOf(vhost: Vhost): Rows<JsonObject> {
  for (const policy of vhost.policies.list('policy')) {
    yield { name: policy.name, ...policyToJson(policy) };
  }
}

function policyToJson({ pattern, definition, priority, applyTo }: Policy): JsonObject {
  return { pattern: pattern.text, 'apply-to': applyTo, definition, priority };
}

function* queuesOf(vhost: Vhost): Rows<JsonObject> {
  for (const queue of vhost.queues.values()) {
    yield null;
    // What stands for a queue that cannot be read knows nothing of it.
    if (queue.unreadable !== null) continue;
    if (queue.owner !== null) continue;
    yield {
      name: queue.name,
      durable: queue.durable,
      auto_delete: queue.autoDelete,
      ...argumentsToJson(queue.arguments),
    };
  }
}

function* exchangesOf(vhost: Vhost): Rows<JsonObject> {
  for (const exchange of vhost.exchanges.values()) {
    yield isDeclared(exchange.name) ? exchangeToJson(exchange) : null;
  }
}

function exchangeToJson(exchange: Exchange): JsonObject {
  return {
    name: exchange.name,
    type: exchange.type,
    durable: exchange.durable,
    auto_delete: exchange.autoDelete,
    internal: exchange.internal,
    ...argumentsToJson(exchange.arguments),
  };
}

function isDeclared(exchange: string): boolean {
  return exchange !== '' && !exchange.startsWith(RESERVED_PREFIX);
}

/** RabbitMQ passes over a list that it does not know. A broker without schedules writes none. */
function scheduleSection(vhosts: Iterable<Vhost>, rows: Rows<JsonObject>): Section[] {
  for (const { schedules } of vhosts) if (schedules.any) return [['schedules', rows]];
  return [];
}

function* schedulesOf(vhost: Vhost): Rows<JsonObject> {
  for (const { name, definition } of vhost.schedules.each()) {
    yield { name, ...scheduleToJson(definition) };
  }
}

function* bindingsOf(vhost: Vhost): Rows<JsonObject> {
  for (const source of vhost.exchanges.values()) {
    yield null;
    for (const { destination, bindingKey, arguments: args } of source.bindings.values()) {
      yield null;
      if (!isLasting(destination)) continue;
      yield {
        source: source.name,
        destination: destination.name,
        destination_type: isExchange(destination) ? 'exchange' : 'queue',
        routing_key: bindingKey,
        ...(argumentsToJson(args, true) as Readonly<Record<string, JsonValue>>),
      };
    }
  }
}

function isLasting(destination: Destination): boolean {
  return isExchange(destination) || destination.owner === null;
}
