// Owns definitions as JSON, in RabbitMQ's format: of the whole broker, or of one vhost. Never writes
// a file: who asks for them does.

import type { Broker } from '../broker.ts';
import { RESERVED_PREFIX } from '../declare-rules.ts';
import { type Exchange, isExchange } from '../exchange/exchange.ts';
import type { JsonObject, JsonValue } from '../json.ts';
import type { Policy } from '../policy/policy.ts';
import type { Queue } from '../queue/queue.ts';
import type { Vhost } from '../vhost.ts';
import { argumentsToJson } from './arguments-json.ts';
import { passwordToJson } from './password-json.ts';
import { OPERATOR_POLICY, type ParameterDefinition, VHOST_LIMITS_COMPONENT } from './read.ts';

/** The version of RabbitMQ whose format this is: its tools look at it. */
export const FORMAT_VERSION = '3.13.0';

/** All definitions of a broker. Exclusive queues end with their connections and are not among them. */
export function exportDefinitions(broker: Broker, version: string): JsonObject {
  const { access } = broker;
  const vhosts = [...broker.vhosts.values()];
  const all = (list: (vhost: Vhost) => readonly JsonObject[]): JsonObject[] =>
    vhosts.flatMap((vhost) => list(vhost).map((each) => ({ ...each, vhost: vhost.name })));
  return {
    ...head(version, 'cluster'),
    users: access.users().map((user) => ({
      name: user.name,
      ...passwordToJson(user.passwordHash, user.hashingAlgorithm),
      tags: user.tags,
      limits: { ...user.limits },
    })),
    vhosts: vhosts.map(vhostToJson),
    permissions: access.permissions().map((permission) => ({ ...permission })),
    topic_permissions: access.topicPermissions().map((permission) => ({ ...permission })),
    parameters: all((vhost) => parametersOf(vhost).map((parameter) => ({ ...parameter }))),
    global_parameters: broker.globalParameters.list().map((parameter) => ({ ...parameter })),
    policies: all(policiesOf),
    queues: all(queuesOf),
    exchanges: all(exchangesOf),
    bindings: all(bindingsOf),
  };
}

/** The definitions of one vhost, to be imported into any. */
export function exportVhost(vhost: Vhost, version: string): JsonObject {
  const { name, description, tags, defaultQueueType } = vhost.snapshot();
  const named = (list: readonly JsonObject[]): JsonObject[] =>
    list.map((each) => ({ ...each, vhost: name }));
  return {
    ...head(version, 'single_virtual_host'),
    original_vhost_name: name,
    explanation: `Definitions of virtual host '${name}'`,
    metadata: { description, tags, ...queueType(defaultQueueType) },
    parameters: named(parametersOf(vhost).map((parameter) => ({ ...parameter }))),
    policies: named(policiesOf(vhost)),
    queues: queuesOf(vhost),
    exchanges: exchangesOf(vhost),
    bindings: bindingsOf(vhost),
  };
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

function vhostToJson(vhost: Vhost): JsonObject {
  const { name, description, tags, defaultQueueType, tracing } = vhost.snapshot();
  const traits = { description, tags, ...queueType(defaultQueueType) };
  // RabbitMQ reads the flag and does not write it.
  return { name, ...traits, ...(tracing ? { tracing } : {}), metadata: traits };
}

function queueType(type: string | null): JsonObject {
  return type === null ? {} : { default_queue_type: type };
}

/** Operator policies and limits are parameters too, as RabbitMQ has it. */
export function parametersOf(vhost: Vhost): ParameterDefinition[] {
  const { limits } = vhost.traits;
  const operator = vhost.policies.list(OPERATOR_POLICY).map((policy) => ({
    value: policyToJson(policy),
    component: OPERATOR_POLICY,
    name: policy.name,
  }));
  const limited = { value: { ...limits }, component: VHOST_LIMITS_COMPONENT, name: 'limits' };
  return [
    ...operator,
    ...(Object.keys(limits).length === 0 ? [] : [limited]),
    ...vhost.parameters.list().map(({ component, name, value }) => ({ value, component, name })),
  ];
}

function policiesOf(vhost: Vhost): JsonObject[] {
  return vhost.policies.list('policy').map((policy) => ({
    name: policy.name,
    ...policyToJson(policy),
  }));
}

function policyToJson({ pattern, definition, priority, applyTo }: Policy): JsonObject {
  return { pattern: pattern.text, 'apply-to': applyTo, definition, priority };
}

function queuesOf(vhost: Vhost): JsonObject[] {
  const lasting = [...vhost.queues.values()].filter(({ owner }) => owner === null);
  return lasting.map((queue) => ({
    name: queue.name,
    durable: queue.durable,
    auto_delete: queue.autoDelete,
    ...argumentsToJson(queue.arguments),
  }));
}

function exchangesOf(vhost: Vhost): JsonObject[] {
  const declared = [...vhost.exchanges.values()].filter(({ name }) => isDeclared(name));
  return declared.map((exchange) => ({
    name: exchange.name,
    type: exchange.type,
    durable: exchange.durable,
    auto_delete: exchange.autoDelete,
    internal: exchange.internal,
    ...argumentsToJson(exchange.arguments),
  }));
}

function isDeclared(exchange: string): boolean {
  return exchange !== '' && !exchange.startsWith(RESERVED_PREFIX);
}

function bindingsOf(vhost: Vhost): JsonObject[] {
  const found: JsonObject[] = [];
  for (const source of vhost.exchanges.values()) {
    for (const { destination, bindingKey, arguments: args } of source.bindings.values()) {
      if (!isLasting(destination)) continue;
      found.push({
        source: source.name,
        destination: destination.name,
        destination_type: isExchange(destination) ? 'exchange' : 'queue',
        routing_key: bindingKey,
        ...(argumentsToJson(args, true) as Readonly<Record<string, JsonValue>>),
      });
    }
  }
  return found;
}

function isLasting(destination: Queue | Exchange): boolean {
  return isExchange(destination) || destination.owner === null;
}
