// Owns reading a file of definitions in RabbitMQ's format: what each item means, whatever is there
// already. Never looks at a broker: check.ts does.

import type { FieldTable } from '../../amqp/field-table.ts';
import { isObject, type JsonObject, type JsonValue } from '../../util/json/json.ts';
import { faultOfValue } from '../../util/json/json-input.ts';
import { compilePermission, compileTopicPermission } from '../access/grants.ts';
import { checkLimits, USER_LIMITS, VHOST_LIMITS, type VhostLimits } from '../access/limits.ts';
import { checkNewName, checkTags } from '../access/names.ts';
import { checkPasswordHash } from '../access/password.ts';
import { checkVhostTraits, type VhostTraits } from '../access/vhost-traits.ts';
import { Refusal } from '../errors.ts';
import type { ExchangeTraits } from '../exchange/exchange.ts';
import { type Policy, type PolicyInput, type PolicyLayer, readPolicy } from '../policy/policy.ts';
import type { QueueTraits } from '../queue/ports.ts';
import { argumentsFromJson, WIRE_KEY } from './arguments-json.ts';
import { inSteps, mapInSteps, type Stepwise } from './in-steps.ts';
import { Item } from './item.ts';
import { passwordFromJson } from './password-json.ts';

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

/** A parameter, which may be of a kind that has a home of its own. */
export interface ParameterDefinition {
  readonly component: string;
  readonly name: string;
  readonly value: JsonValue;
}

/** All that a file says, in order. */
export interface Definitions {
  readonly users: readonly Read<UserDefinition>[];
  readonly vhosts: readonly Read<{ readonly name: string } & Partial<VhostTraits>>[];
  readonly permissions: readonly InVhost<PermissionDefinition>[];
  readonly topicPermissions: readonly InVhost<TopicPermissionDefinition>[];
  readonly vhostLimits: readonly InVhost<VhostLimits>[];
  readonly globalParameters: readonly Read<{ readonly name: string; readonly value: JsonValue }>[];
  readonly parameters: readonly InVhost<ParameterDefinition>[];
  readonly policies: readonly InVhost<{ readonly layer: PolicyLayer; readonly policy: Policy }>[];
  readonly exchanges: readonly InVhost<ExchangeTraits>[];
  readonly queues: readonly InVhost<QueueTraits>[];
  readonly bindings: readonly InVhost<BindingDefinition>[];
}

/** The components of parameters that have homes of their own. */
export const OPERATOR_POLICY = 'operator_policy';
export const VHOST_LIMITS_COMPONENT = 'vhost-limits';

/** What RabbitMQ writes for what a vhost has none of. */
const UNSAID: readonly (JsonValue | undefined)[] = [undefined, null, 'undefined'];
/** What RabbitMQ takes a hash for that does not say how it was made. */
const DEFAULT_HASHING = 'rabbit_password_hashing_sha256';

/** Reads definitions at once, as {@link readInSteps} does in steps. */
export function readDefinitions(json: JsonValue): Definitions {
  const steps = readInSteps(json, null);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/**
 * Reads definitions; throws a Refusal that names the first item that is wrong. With a vhost, all
 * items belong to it, whatever they say, and the lists that are not of vhosts are left out.
 * Stops on the way for others to have their turn.
 */
export function* readInSteps(json: JsonValue, only: string | null): Stepwise<Definitions> {
  if (!isObject(json)) throw new Refusal('invalid', 'definitions must be an object');
  const items = (list: string) => itemsOf(json, list);
  const broad = function* (list: string): Stepwise<Item[]> {
    return only === null ? yield* items(list) : [];
  };
  const inVhost = <T>(list: readonly Item[], read: (item: Item, vhost: string) => T) =>
    mapInSteps(list, (item): InVhost<T> => {
      const vhost = only ?? item.text('vhost');
      return { item, vhost, value: item.attempt(() => read(item, vhost)) };
    });
  const each = <T>(list: readonly Item[], read: (item: Item) => T) =>
    mapInSteps(list, (item): Read<T> => ({ item, value: item.attempt(() => read(item)) }));
  const parameters = yield* parametersOf(yield* items('parameters'));
  return {
    users: yield* each(yield* broad('users'), readUser),
    vhosts: yield* each(yield* broad('vhosts'), readVhost),
    permissions: yield* inVhost(yield* broad('permissions'), readPermission),
    topicPermissions: yield* inVhost(yield* broad('topic_permissions'), readTopicPermission),
    vhostLimits: yield* inVhost(parameters.limits, (item) =>
      checkLimits(VHOST_LIMITS, item.object('value')),
    ),
    globalParameters: yield* each(yield* broad('global_parameters'), readGlobalParameter),
    parameters: yield* inVhost(parameters.others, readParameter),
    policies: (yield* inVhost(yield* items('policies'), (item) =>
      readPolicyItem('policy', item),
    )).concat(yield* inVhost(parameters.policies, readOperatorPolicy)),
    exchanges: yield* inVhost(yield* items('exchanges'), readExchange),
    queues: yield* inVhost(yield* items('queues'), readQueue),
    bindings: yield* inVhost(yield* items('bindings'), readBinding),
  };
}

function* itemsOf(json: JsonObject, list: string): Stepwise<Item[]> {
  const found = json[list] ?? [];
  if (!Array.isArray(found)) throw new Refusal('invalid', `'${list}' must be an array`);
  return yield* mapInSteps(found, (each: JsonValue, index) => new Item(`${list}[${index}]`, each));
}

/** Parameters by whether their component has a home of its own. */
function* parametersOf(
  items: readonly Item[],
): Stepwise<{ policies: Item[]; limits: Item[]; others: Item[] }> {
  const sorted = { policies: [] as Item[], limits: [] as Item[], others: [] as Item[] };
  yield* inSteps(items, (item) => {
    const component = item.raw('component');
    if (component === OPERATOR_POLICY) sorted.policies.push(item);
    else if (component === VHOST_LIMITS_COMPONENT) sorted.limits.push(item);
    else sorted.others.push(item);
  });
  return sorted;
}

function readUser(item: Item): UserDefinition {
  const name = item.text('name');
  checkNewName('user', name);
  const tags = item.words('tags');
  checkTags(tags);
  const limits = item.object('limits');
  checkLimits(USER_LIMITS, limits);
  const password = item.raw('password');
  const hashingAlgorithm = item.text('hashing_algorithm', DEFAULT_HASHING);
  const passwordHash = passwordFromJson(item.text('password_hash', ''), hashingAlgorithm);
  checkPasswordHash(passwordHash, hashingAlgorithm);
  const plain = typeof password === 'string' && passwordHash === '' ? password : null;
  return { name, tags, limits, password: plain, passwordHash, hashingAlgorithm };
}

/** What is not said of a vhost stays as it is. */
function readVhost(item: Item): { readonly name: string } & Partial<VhostTraits> {
  const name = item.text('name');
  const metadata = item.part('metadata');
  const has = (key: string): Item | null => {
    const said = (where: Item): boolean => !UNSAID.includes(where.raw(key));
    if (said(item)) return item;
    return said(metadata) ? metadata : null;
  };
  const description = has('description')?.text('description');
  const tags = has('tags')?.words('tags');
  const type = has('default_queue_type');
  const tracing = has('tracing')?.flag('tracing');
  const traits = {
    name,
    ...(description === undefined ? {} : { description }),
    ...(tags === undefined ? {} : { tags }),
    ...(tracing === undefined ? {} : { tracing }),
    ...(type === null ? {} : { defaultQueueType: type.text('default_queue_type') }),
  };
  checkVhostTraits(name, traits);
  return traits;
}

function readPermission(item: Item): PermissionDefinition {
  const permission = {
    user: item.text('user'),
    configure: item.text('configure'),
    write: item.text('write'),
    read: item.text('read'),
  };
  compilePermission(permission);
  return permission;
}

function readTopicPermission(item: Item, vhost: string): TopicPermissionDefinition {
  const permission = {
    user: item.text('user'),
    exchange: item.text('exchange'),
    write: item.text('write'),
    read: item.text('read'),
  };
  checkNewName('exchange', permission.exchange);
  compileTopicPermission(permission, permission.user, vhost);
  return permission;
}

/** The value of a parameter, which is kept as it is. */
function keptValue(item: Item): JsonValue {
  const value = item.raw('value') ?? null;
  const fault = faultOfValue(value);
  if (fault !== null) throw item.refusal(`'value' cannot be kept: ${fault}`);
  return value;
}

function readGlobalParameter(item: Item): { readonly name: string; readonly value: JsonValue } {
  return { name: item.shortText('name'), value: keptValue(item) };
}

function readParameter(item: Item): ParameterDefinition {
  const component = item.shortText('component');
  if (component === 'policy') throw item.refusal('policies may not be set using this method');
  return { component, name: item.shortText('name'), value: keptValue(item) };
}

function readPolicyItem(
  layer: PolicyLayer,
  item: Item,
): { readonly layer: PolicyLayer; readonly policy: Policy } {
  return { layer, policy: readPolicy(layer, item.shortText('name'), policyInput(item)) };
}

function readOperatorPolicy(item: Item): {
  readonly layer: PolicyLayer;
  readonly policy: Policy;
} {
  const input = policyInput(item.part('value'));
  const policy = readPolicy(OPERATOR_POLICY, item.shortText('name'), input);
  return { layer: OPERATOR_POLICY, policy };
}

function policyInput(item: Item): PolicyInput {
  return {
    pattern: item.raw('pattern'),
    definition: item.raw('definition'),
    priority: item.raw('priority'),
    applyTo: item.raw('apply-to'),
  };
}

function readExchange(item: Item): ExchangeTraits {
  return {
    name: item.shortText('name'),
    type: item.text('type'),
    durable: item.flag('durable'),
    autoDelete: item.flag('auto_delete'),
    internal: item.flag('internal'),
    arguments: readArguments(item),
  };
}

function readQueue(item: Item): QueueTraits {
  const name = item.shortText('name');
  if (name === '') throw item.refusal('the name of a queue must not be empty');
  return {
    name,
    durable: item.flag('durable'),
    autoDelete: item.flag('auto_delete'),
    owner: null,
    arguments: readArguments(item),
  };
}

function readBinding(item: Item): BindingDefinition {
  const kind = item.text('destination_type', 'queue');
  if (kind !== 'queue' && kind !== 'exchange') {
    throw item.refusal(`'destination_type' must be queue or exchange`);
  }
  return {
    source: item.shortText('source'),
    destination: item.shortText('destination'),
    toExchange: kind === 'exchange',
    bindingKey: item.shortText('routing_key', ''),
    arguments: readArguments(item),
  };
}

function readArguments(item: Item): FieldTable {
  try {
    return argumentsFromJson(item.raw('arguments'), item.raw(WIRE_KEY));
  } catch (error) {
    throw item.refusal(error instanceof Error ? error.message : String(error));
  }
}
