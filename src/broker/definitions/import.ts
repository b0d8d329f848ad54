// Owns taking definitions into a broker: all of them or none. Never reads a file: who has one hands
// over what it says.

import type { Broker } from '../broker.ts';
import type { JsonValue } from '../json.ts';
import type { Vhost } from '../vhost.ts';
import { checkDefinitions } from './check.ts';
import type { Item } from './item.ts';
import { type BindingDefinition, type Definitions, readDefinitions } from './read.ts';

/**
 * Takes in definitions, in one turn: what they change is one batch of the store. Throws a Refusal
 * that names the first item that is wrong, and has changed nothing then. With `only`, everything
 * goes into that vhost. Returns what was left out that may be missed.
 */
export function importDefinitions(
  broker: Broker,
  json: JsonValue,
  only: string | null = null,
): readonly string[] {
  if (only !== null) broker.vhost(only);
  const definitions = readDefinitions(json, only);
  const { left, warnings } = checkDefinitions(broker, definitions);
  // They have been checked in whole: what fails from here on would leave a part of them behind.
  broker.line.change(() =>
    broker.changes.bulk(() => {
      applyAccess(broker, definitions);
      applyTopology(broker, definitions, left);
    }),
  );
  return warnings;
}

function applyAccess(broker: Broker, definitions: Definitions): void {
  const { access } = broker;
  for (const { value: user } of definitions.users) {
    if (user.password !== null) access.putUserNow(user, user.password);
    else access.putUserWithHash(user, user.passwordHash, user.hashingAlgorithm);
  }
  for (const { value } of definitions.vhosts) {
    const { name, ...traits } = value;
    broker.putVhost(name, traits);
  }
  for (const { vhost, value } of definitions.vhostLimits) broker.setVhostLimits(vhost, value);
  for (const { vhost, value } of definitions.permissions) {
    access.setPermission({ ...value, vhost });
  }
  for (const { vhost, value } of definitions.topicPermissions) {
    access.setTopicPermission({ ...value, vhost });
  }
}

/** Policies come before queues, so that a queue goes by them from its first moment. */
function applyTopology(broker: Broker, definitions: Definitions, left: ReadonlySet<Item>): void {
  for (const { value } of definitions.globalParameters) broker.globalParameters.set(value);
  for (const { vhost, value } of definitions.parameters) broker.vhost(vhost).parameters.set(value);
  for (const { vhost, value } of definitions.policies) {
    broker.vhost(vhost).policies.set(value.layer, value.policy);
  }
  for (const { item, vhost, value } of definitions.exchanges) {
    if (!left.has(item)) broker.vhost(vhost).declareExchange(value);
  }
  for (const { vhost, value } of definitions.queues) broker.vhost(vhost).restoreQueue(value);
  for (const { item, vhost, value } of definitions.bindings) {
    if (!left.has(item)) bind(broker.vhost(vhost), value);
  }
}

function bind(vhost: Vhost, binding: BindingDefinition): void {
  const destination = binding.toExchange
    ? vhost.exchanges.get(binding.destination)
    : vhost.queues.get(binding.destination);
  if (destination === undefined) return;
  const source = vhost.exchange(binding.source);
  vhost.bind(source, destination, binding.bindingKey, binding.arguments);
}
