// Owns reading one item of each list of a file of definitions, whatever is there already. Never looks at a broker, and
// leaves parameters to read-parameters.ts.

import type { FieldTable } from '../../amqp/field-table.ts';
import { wordOf } from '../../util/json/json.ts';
import { compilePermission, compileTopicPermission } from '../access/grants.ts';
import { checkLimits, USER_LIMITS } from '../access/limits.ts';
import { checkNewName, checkTags } from '../access/names.ts';
import { checkPasswordHash } from '../access/password.ts';
import { checkVhostMetadata } from '../access/vhost-metadata.ts';
import type { ExchangeDeclaration } from '../exchange/exchange.ts';
import { EXCHANGE_TYPES } from '../exchange/registry.ts';
import { type PolicyLayer, readPolicy } from '../policy/policy.ts';
import type { QueueDeclaration } from '../queue/ports.ts';
import { QUEUE_TYPE, QUEUE_TYPES } from '../queue/types/registry.ts';
import { argumentsFromJson, WIRE_KEY } from './arguments-json.ts';
import type {
  BindingDefinition,
  PermissionDefinition,
  PolicyDefinitionItem,
  TopicPermissionDefinition,
  UserDefinition,
  VhostDefinition,
} from './definition-types.ts';
import { type Item, ItemRefusal } from './item.ts';
import { hashingOf, passwordFromJson } from './password-json.ts';
import { policyInput } from './read-parameters.ts';

/** What RabbitMQ writes for what a vhost has none of. */
const UNSAID: readonly unknown[] = [undefined, null, 'undefined'];

/**
 * Reads a user. `hashing` is how its hash was made where neither it nor its length tells: by what RabbitMQ of that
 * release used.
 */
export function readUser(item: Item, hashing: string): UserDefinition {
  const name = item.text('name');
  checkNewName('user', name);
  const tags = item.words('tags');
  checkTags(tags);
  const limits = item.object('limits');
  checkLimits(USER_LIMITS, limits);
  // A number that stood for a password would make a user without one.
  const password = (item.raw('password') ?? null) === null ? null : item.text('password');
  const hash = item.text('password_hash', '');
  const hashingAlgorithm = item.text('hashing_algorithm', hashingOf(hash) ?? hashing);
  const passwordHash = passwordFromJson(hash, hashingAlgorithm);
  checkPasswordHash(passwordHash, hashingAlgorithm);
  const plain = passwordHash === '' ? password : null;
  return { name, tags, limits, password: plain, passwordHash, hashingAlgorithm };
}

/**
 * Reads a vhost; what is not said of it stays as it is. A type of queues that is not there is told to `onFault`: the
 * vhost can do without.
 */
export function readVhost(item: Item, onFault: (fault: ItemRefusal) => void): VhostDefinition {
  const name = item.text('name');
  const metadata = item.part('metadata');
  const has = (key: string): Item | null => {
    const said = (where: Item): boolean => !UNSAID.includes(where.raw(key));
    if (said(item)) return item;
    return said(metadata) ? metadata : null;
  };
  const description = has('description')?.text('description');
  const tags = has('tags')?.words('tags');
  const type = has('default_queue_type')?.text('default_queue_type');
  const known = type === undefined || QUEUE_TYPES.has(type);
  if (!known) {
    const what = `the default queue type of ${item.describe()}`;
    onFault(new ItemRefusal(what, noSuchQueues(type), false));
  }
  const tracing = has('tracing')?.flag('tracing');
  const vhost = {
    name,
    ...(description === undefined ? {} : { description }),
    ...(tags === undefined ? {} : { tags }),
    ...(tracing === undefined ? {} : { tracing }),
    ...(type === undefined || !known ? {} : { defaultQueueType: type }),
  };
  checkVhostMetadata(name, vhost);
  return vhost;
}

export function readPermission(item: Item): PermissionDefinition {
  const permission = {
    user: item.text('user'),
    configure: item.text('configure'),
    write: item.text('write'),
    read: item.text('read'),
  };
  compilePermission(permission);
  return permission;
}

export function readTopicPermission(item: Item, vhost: string): TopicPermissionDefinition {
  const permission = {
    user: item.text('user'),
    exchange: item.text('exchange'),
    write: item.text('write'),
    read: item.text('read'),
  };
  // RabbitMQ keeps those of the default exchange, too, which is no topic exchange.
  if (permission.exchange !== '') checkNewName('exchange', permission.exchange);
  compileTopicPermission(permission, permission.user, vhost);
  return permission;
}

export function readPolicyItem(layer: PolicyLayer, item: Item): PolicyDefinitionItem {
  return { layer, policy: readPolicy(layer, item.shortText('name'), policyInput(item)) };
}

export function readExchange(item: Item): ExchangeDeclaration {
  const type = item.text('type');
  if (!EXCHANGE_TYPES.has(type)) {
    throw item.refusal(`there are no exchanges of type '${wordOf(type)}' here`);
  }
  return {
    name: item.shortText('name'),
    type,
    // What a file defines is there to stay, unless it says otherwise.
    durable: item.flag('durable', true),
    autoDelete: item.flag('auto_delete'),
    internal: item.flag('internal'),
    arguments: readArguments(item),
  };
}

export function readQueue(item: Item): QueueDeclaration {
  const name = item.shortText('name');
  if (name === '') throw item.refusal('the name of a queue must not be empty');
  const args = readArguments(item);
  const type = args.get(QUEUE_TYPE)?.value;
  if (typeof type === 'string' && !QUEUE_TYPES.has(type)) throw item.refusal(noSuchQueues(type));
  return {
    name,
    durable: item.flag('durable', true),
    autoDelete: item.flag('auto_delete'),
    owner: null,
    arguments: args,
  };
}

export function readBinding(item: Item): BindingDefinition {
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

const noSuchQueues = (type: string): string => `there are no queues of type '${wordOf(type)}' here`;

function readArguments(item: Item): FieldTable {
  try {
    return argumentsFromJson(item.raw('arguments'), item.raw(WIRE_KEY));
  } catch (error) {
    throw item.refusal(error instanceof Error ? error.message : String(error));
  }
}
