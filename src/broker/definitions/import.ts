// Owns taking definitions into a broker: all of them or none. Never reads a file: a caller
// that has one hands over its content.

import { AmqpError } from '../../amqp/errors.ts';
import type { JsonValue } from '../../util/json/json.ts';
import { decides } from '../../util/system/main-group.ts';
import { ALL_RIGHTS } from '../access/grants.ts';
import { HASHING_SCRYPT, hashPassword } from '../access/password.ts';
import type { Broker } from '../broker.ts';
import { Refusal } from '../errors.ts';
import { finish, type Steps } from '../turn/slices.ts';
import type { Vhost } from '../vhost/vhost.ts';
import { checkDefinitions } from './check.ts';
import type {
  BindingDefinition,
  Definitions,
  InVhost,
  UserDefinition,
} from './definition-types.ts';
import { Faults } from './faults.ts';
import { inSteps, type Stepwise } from './in-steps.ts';
import type { Item } from './item.ts';
import { readInSteps } from './read.ts';

/** What an import is asked for. */
export interface ImportOptions {
  /** Everything goes into this vhost, which must be there. */
  readonly vhost?: string | undefined;
  /** What cannot be taken is left out, with warnings; else it refuses the whole file. */
  readonly skipUnsupported?: boolean | undefined;
}

/** Definitions that were read and checked in whole. */
export interface Prepared {
  readonly definitions: Definitions;
  /** Those of them that are passed over. */
  readonly left: ReadonlySet<Item>;
  /** What was left out that may be missed, and what has no effect: for the operator. */
  readonly warnings: readonly string[];
}

/**
 * Takes in definitions, in one turn: what they change is one batch of the store. Throws a Refusal
 * with all that is wrong, and has changed nothing then. Returns warnings.
 */
export function importDefinitions(
  broker: Broker,
  json: JsonValue,
  options: ImportOptions = {},
): readonly string[] {
  const steps = prepareImport(broker, json, options);
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
  { vhost, skipUnsupported = false }: ImportOptions,
): Stepwise<Prepared> {
  if (vhost !== undefined) broker.vhost(vhost);
  const faults = new Faults(skipUnsupported);
  const definitions = yield* readInSteps(json, vhost ?? null, faults);
  const left = yield* checkDefinitions(broker, definitions, faults);
  faults.settle();
  requireDirectory(broker, definitions);
  return { definitions, left, warnings: faults.warnings() };
}

/** Throws a Refusal where another group decides about some of it. A vhost that is there stays as it is then. */
function requireDirectory(broker: Broker, definitions: Definitions): void {
  const { users, vhosts, permissions, topicPermissions, vhostLimits, globalParameters } =
    definitions;
  const lists = [users, permissions, topicPermissions, vhostLimits, globalParameters];
  const isNew = vhosts.some(({ value: { name } }) => !broker.vhosts.has(name));
  if (isNew || lists.some((list) => list.length > 0)) broker.requireDirectory();
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
  const steps = everything(broker, definitions, ({ item }) => left.has(item));
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
  isLeft: (each: { readonly item: Item }) => boolean,
): Steps {
  const inVhosts = <T>(
    items: readonly InVhost<T>[],
    act: (vhost: Vhost, value: T) => void,
  ): Steps => takeIn(broker, isLeft, items, act);
  const { access } = broker;
  yield* inSteps(definitions.users, ({ value: user }) => {
    if (user.password !== null) access.putUserNow(user, user.password);
    else access.putUserWithHash(user, user.passwordHash, user.hashingAlgorithm);
  });
  yield* inSteps(definitions.vhosts, ({ value: { name, ...metadata } }) => {
    if (decides(broker.core.group)) broker.putVhost(name, metadata);
  });
  yield* inVhosts(definitions.vhostLimits, ({ name }, value) => broker.setVhostLimits(name, value));
  yield* inVhosts(definitions.permissions, ({ name: vhost }, value) => {
    access.setPermission({ ...value, vhost });
  });
  yield* inVhosts(definitions.topicPermissions, ({ name: vhost }, value) => {
    access.setTopicPermission({ ...value, vhost });
  });
  yield* inSteps(definitions.globalParameters, ({ value }) => broker.globalParameters.set(value));
  yield* inVhosts(definitions.parameters, (vhost, value) => vhost.parameters.set(value));
  yield* inVhosts(definitions.policies, (vhost, value) => {
    vhost.policies.set(value.layer, value.policy);
  });
  yield* inVhosts(definitions.exchanges, (vhost, value) => {
    vhost.as(ALL_RIGHTS).declareExchange(value);
  });
  yield* inVhosts(definitions.queues, (vhost, value) => vhost.restoreQueue(value));
  yield* inVhosts(definitions.bindings, bind);
  yield* inVhosts(definitions.schedules, (vhost, value) => vhost.schedules.set(value));
}

/**
 * Takes in items of vhosts, in steps. What was changed by others since the check, so that an item cannot be had
 * any more, counts as done after this: the item is passed over.
 */
function takeIn<T>(
  broker: Broker,
  isLeft: (each: InVhost<T>) => boolean,
  items: readonly InVhost<T>[],
  act: (vhost: Vhost, value: T) => void,
): Steps {
  return inSteps(items, (item) => {
    if (isLeft(item)) return;
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
