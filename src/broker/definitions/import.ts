// Owns taking definitions into a broker: all of them or none. Never reads a file: a caller
// that has one hands over its content.

import { AmqpError } from '../../amqp/errors.ts';
import type { JsonValue } from '../../util/json/json.ts';
import { HASHING_SCRYPT, hashPassword } from '../access/password.ts';
import type { Broker } from '../broker.ts';
import { Refusal } from '../errors.ts';
import { finish, type Steps } from '../turn/slices.ts';
import type { Vhost } from '../vhost/vhost.ts';
import { type Checked, checkDefinitions } from './check.ts';
import { inSteps, type Stepwise } from './in-steps.ts';
import {
  type BindingDefinition,
  type Definitions,
  type InVhost,
  readInSteps,
  type UserDefinition,
} from './read.ts';

/** Definitions that were read and checked in whole. */
export interface Prepared extends Checked {
  readonly definitions: Definitions;
}

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
  const steps = prepareImport(broker, json, only);
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done !== true) continue;
    finish(applying(broker, step.value));
    return step.value.warnings;
  }
}

/** Reads and checks definitions, and changes nothing. Stops on the way for others to have their turn. */
export function* prepareImport(
  broker: Broker,
  json: JsonValue,
  only: string | null,
): Stepwise<Prepared> {
  if (only !== null) broker.vhost(only);
  const definitions = yield* readInSteps(json, only);
  return { definitions, ...(yield* checkDefinitions(broker, definitions)) };
}

/** Takes in what was prepared, as a long act: all of it is one batch of the store. */
export async function applyInSlices(broker: Broker, prepared: Prepared): Promise<void> {
  const users = [];
  for (const { item, value } of prepared.definitions.users) {
    users.push({ item, value: await hashed(value) });
  }
  const definitions = { ...prepared.definitions, users };
  // One that goes has to be gone before it is made anew.
  for (const { value } of definitions.vhosts) await broker.vhostDeletions.over(value.name);
  const steps = applying(broker, { ...prepared, definitions });
  await new Promise<void>((resolve) => broker.core.slices.whole(steps, resolve));
}

/** A user with the hash of its password: to make that takes long, and is done beside the event loop. */
async function hashed(user: UserDefinition): Promise<UserDefinition> {
  if (user.password === null) return user;
  const passwordHash = await hashPassword(user.password);
  return { ...user, password: null, passwordHash, hashingAlgorithm: HASHING_SCRYPT };
}

/** All has been checked: what fails amid a step would leave a part of it behind. */
function* applying(broker: Broker, { definitions, left }: Prepared): Steps {
  const steps = everything(broker, definitions, (each) => left.has(each.item));
  for (;;) {
    broker.core.line.begin();
    const { done } = broker.changes.bulk(() => steps.next());
    broker.core.line.end();
    if (done === true) return;
    yield;
  }
}

/** Policies come before queues, so that a queue goes by them from its first moment. */
function* everything(
  broker: Broker,
  definitions: Definitions,
  isLeft: (each: InVhost<unknown>) => boolean,
): Steps {
  yield* applyAccess(broker, definitions);
  const { globalParameters, parameters, policies, exchanges, queues, bindings } = definitions;
  yield* inSteps(globalParameters, ({ value }) => broker.globalParameters.set(value));
  yield* inVhosts(broker, parameters, (vhost, value) => vhost.parameters.set(value));
  yield* inVhosts(broker, policies, (vhost, value) => {
    vhost.policies.set(value.layer, value.policy);
  });
  const wanted = exchanges.filter((each) => !isLeft(each));
  yield* inVhosts(broker, wanted, (vhost, value) => vhost.declareExchange(value));
  yield* inVhosts(broker, queues, (vhost, value) => vhost.restoreQueue(value));
  const tied = bindings.filter((each) => !isLeft(each));
  yield* inVhosts(broker, tied, (vhost, value) => bind(vhost, value));
}

function* applyAccess(broker: Broker, definitions: Definitions): Steps {
  const { access } = broker;
  yield* inSteps(definitions.users, ({ value: user }) => {
    if (user.password !== null) access.putUserNow(user, user.password);
    else access.putUserWithHash(user, user.passwordHash, user.hashingAlgorithm);
  });
  yield* inSteps(definitions.vhosts, ({ value: { name, ...traits } }) => {
    broker.putVhost(name, traits);
  });
  yield* inVhosts(broker, definitions.vhostLimits, ({ name }, value) => {
    broker.setVhostLimits(name, value);
  });
  yield* inVhosts(broker, definitions.permissions, ({ name: vhost }, value) => {
    access.setPermission({ ...value, vhost });
  });
  yield* inVhosts(broker, definitions.topicPermissions, ({ name: vhost }, value) => {
    access.setTopicPermission({ ...value, vhost });
  });
}

/**
 * Takes in items of vhosts, in steps. What was changed by others since the check, so that an item cannot be had
 * any more, counts as done after this: the item is passed over.
 */
function inVhosts<T>(
  broker: Broker,
  items: readonly InVhost<T>[],
  act: (vhost: Vhost, value: T) => void,
): Steps {
  return inSteps(items, (item) => {
    const vhost = broker.vhosts.get(item.vhost);
    if (vhost === undefined) return;
    const { depth } = broker.core.line;
    try {
      act(vhost, item.value);
    } catch (error) {
      const refused = error instanceof Refusal || error instanceof AmqpError;
      if (!refused || broker.core.line.depth !== depth) throw error;
    }
  });
}

function bind(vhost: Vhost, binding: BindingDefinition): void {
  const destination = binding.toExchange
    ? vhost.exchanges.get(binding.destination)
    : vhost.queues.get(binding.destination);
  if (destination === undefined) return;
  const source = vhost.exchange(binding.source);
  vhost.bindings.bind(source, destination, binding.bindingKey, binding.arguments);
}
