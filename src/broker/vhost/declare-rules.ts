// Owns what a declaration has to keep to: reserved names, arguments, equivalence with what is there
// already. Never declares: vhost.ts does, and an import of definitions checks with the same rules.

import { AmqpError } from '../../amqp/errors.ts';
import type { FieldTable } from '../../amqp/field-table.ts';
import { isShort, SHORT_BYTES_MAX } from '../../util/limits.ts';
import type { Grants } from '../access/grants.ts';
import { limitOf, type VhostLimits } from '../access/limits.ts';
import { checkExchangeArguments, EXCHANGE_ARGUMENTS } from '../exchange/arguments.ts';
import type { ExchangeTraits } from '../exchange/exchange.ts';
import { EXCHANGE_TYPES, exchangeType } from '../exchange/registry.ts';
import {
  checkQueueArguments,
  checkQuorumTraits,
  checkSameArgument,
  checkSameQueueArguments,
  isQuorum,
} from '../queue/arguments.ts';
import type { QueueTraits } from '../queue/ports.ts';
import type { Queue } from '../queue/queue.ts';

const QUEUE_TYPE = 'x-queue-type';
/**
 * RabbitMQ calls a type `invalid` whose name is a word that its own programs use, and any other one
 * `unknown`. Clients' tests look for the first text, so these are the words that are likely.
 */
const WORDS_OF_RABBITMQ: ReadonlySet<string> = new Set(
  `,a,all,any,bad,bar,default,dummy,error,event,exchange,false,federation,foo,invalid,message,missing,
none,nothing,null,ok,other,queue,random,some,stream,temp,test,tmp,true,type,undefined,unknown,work,
worker,x,invalid_type,unknown_type`
    .replaceAll('\n', '')
    .split(','),
);
/** Names that begin with it are the broker's to give. */
export const RESERVED_PREFIX = 'amq.';

/**
 * Throws RabbitMQ's AmqpError unless an exchange may be declared with these traits; `current` is the
 * one of that name, if there is one.
 */
export function checkExchangeDeclaration(
  vhost: string,
  current: ExchangeTraits | undefined,
  traits: ExchangeTraits,
): void {
  refuseDefaultExchange(traits.name);
  refuseUnknownType(traits.type);
  if (current !== undefined) {
    checkSameExchange(vhost, current, traits);
    return;
  }
  checkName('exchange', traits.name);
  checkShort('name of an exchange', traits.name);
  checkExchangeArguments(traits.name, vhost, traits.type, traits.arguments);
}

/** Throws COMMAND_INVALID for a type of exchanges that is none. */
export function refuseUnknownType(type: string): void {
  if (EXCHANGE_TYPES.has(type)) return;
  const kind = WORDS_OF_RABBITMQ.has(type) ? 'invalid' : 'unknown';
  throw new AmqpError('COMMAND_INVALID', `${kind} exchange type '${type}'`);
}

/**
 * Throws RabbitMQ's AmqpError unless a queue may be declared with these traits by that connection;
 * `current` is the one of that name, if there is one. An empty name must have been filled in.
 */
export function checkQueueDeclaration(
  vhost: string,
  current: QueueTraits | undefined,
  traits: QueueTraits,
  connection: object | null,
): void {
  if (current !== undefined) {
    checkSameQueue(vhost, current, traits, connection);
    return;
  }
  checkShort('name of a queue', traits.name);
  checkQueueArguments(traits.name, vhost, traits.arguments);
  if (!isQuorum(traits.arguments)) return;
  const where = `queue '${traits.name}' in vhost '${vhost}'`;
  checkQuorumTraits(where, traits.durable, traits.owner !== null, traits.autoDelete);
}

/** Throws an AmqpError unless an exchange of that type may be the source of such a binding. */
export function checkBinding(type: string, bindingKey: string, args: FieldTable): void {
  checkShort('key of a binding', bindingKey);
  exchangeType(type).checkBinding(bindingKey, args);
}

/** Throws PRECONDITION_FAILED for what no short string holds; on the wire nothing longer can come. */
function checkShort(what: string, name: string): void {
  if (isShort(name)) return;
  const text = `the ${what} must not be longer than ${SHORT_BYTES_MAX} bytes`;
  throw new AmqpError('PRECONDITION_FAILED', `${text}, actually was ${Buffer.byteLength(name)}`);
}

/**
 * The traits of a declaration with the queue type of its vhost when it names none. A queue that
 * cannot be a quorum queue, as it is not durable or belongs to a connection, stays as it is.
 */
export function withQueueType(traits: QueueTraits, defaultType: string | null): QueueTraits {
  const { durable, owner, autoDelete } = traits;
  if (defaultType === null || traits.arguments.has(QUEUE_TYPE)) return traits;
  if (defaultType === 'quorum' && (!durable || owner !== null || autoDelete)) return traits;
  const type = { type: 'S', value: defaultType } as const;
  return { ...traits, arguments: new Map([...traits.arguments, [QUEUE_TYPE, type]]) };
}

/** Throws PRECONDITION_FAILED when a vhost may not have another queue. */
export function checkQueueLimit(
  vhost: string,
  queue: string,
  count: number,
  limits: VhostLimits,
): void {
  const max = limitOf(limits['max-queues']);
  if (count < max) return;
  const limit = `queue limit in vhost '${vhost}' (${max}) is reached`;
  throw new AmqpError('PRECONDITION_FAILED', `cannot declare queue '${queue}': ${limit}`, {
    reason: 'limit-reached',
  });
}

/** Throws PRECONDITION_FAILED when a queue is in use or not empty, and must not be deleted then. */
export function checkQueueDeletion(
  vhost: string,
  queue: Queue,
  ifUnused: boolean,
  ifEmpty: boolean,
): void {
  const where = `queue '${queue.name}' in vhost '${vhost}'`;
  if (ifUnused && queue.consumers.length > 0) {
    throw new AmqpError('PRECONDITION_FAILED', `${where} in use`, { reason: 'in-use' });
  }
  if (ifEmpty && queue.readyCount > 0) {
    throw new AmqpError('PRECONDITION_FAILED', `${where} not empty`, { reason: 'in-use' });
  }
}

/** To declare a dead-letter exchange, a user must be allowed to read the queue and to write to that exchange. */
export function checkDeadLetterRights(traits: QueueTraits, grants: Grants): void {
  const target = traits.arguments.get('x-dead-letter-exchange');
  if (target?.type !== 'S') return;
  grants.requireQueue('read', traits.name);
  grants.requireExchange('write', target.value.toString());
}

/** Throws ACCESS_REFUSED for a name that clients may not give. */
export function checkName(what: 'exchange' | 'queue', name: string): void {
  if (!name.startsWith(RESERVED_PREFIX)) return;
  throw new AmqpError('ACCESS_REFUSED', `${what} name '${name}' contains reserved prefix 'amq.*'`);
}

/** Throws ACCESS_REFUSED for what the default exchange never allows. */
export function refuseDefaultExchange(name: string): void {
  if (name !== '') return;
  throw new AmqpError('ACCESS_REFUSED', 'operation not permitted on the default exchange');
}

/** Throws ACCESS_REFUSED for the deletion of an exchange that is the broker's own, there or not. */
export function refuseSystemExchange(vhost: string, name: string): void {
  if (!name.startsWith(RESERVED_PREFIX)) return;
  const text = `deletion of system exchange '${name}' in vhost '${vhost}' not allowed`;
  throw new AmqpError('ACCESS_REFUSED', text);
}

/** The error for a queue that belongs to another connection. */
export function lockedQueue(vhost: string, queue: string): AmqpError {
  return new AmqpError(
    'RESOURCE_LOCKED',
    `cannot obtain exclusive access to locked queue '${queue}' in vhost '${vhost}'. ` +
      'It could be originally declared on another connection or the exclusive property value ' +
      'does not match that of the original declaration.',
    { reason: 'exclusive-queue' },
  );
}

function checkSameExchange(vhost: string, current: ExchangeTraits, traits: ExchangeTraits): void {
  const where = `exchange '${current.name}' in vhost '${vhost}'`;
  checkSameTrait('type', where, current.type, traits.type);
  checkSameTrait('durable', where, current.durable, traits.durable);
  checkSameTrait('auto_delete', where, current.autoDelete, traits.autoDelete);
  checkSameTrait('internal', where, current.internal, traits.internal);
  for (const { name, compared } of EXCHANGE_ARGUMENTS) {
    if (compared) checkSameArgument(name, where, current.arguments, traits.arguments);
  }
}

function checkSameQueue(
  vhost: string,
  current: QueueTraits,
  traits: QueueTraits,
  connection: object | null,
): void {
  const { name } = current;
  const where = `queue '${name}' in vhost '${vhost}'`;
  const exclusive = traits.owner !== null;
  // Also for its owner where it declares the queue as not exclusive. Checked first of all, as in RabbitMQ.
  if (current.owner !== (exclusive ? connection : null)) throw lockedQueue(vhost, name);
  checkSameTrait('durable', where, current.durable, traits.durable && !exclusive);
  checkSameTrait('auto_delete', where, current.autoDelete, traits.autoDelete);
  checkQueueArguments(name, vhost, traits.arguments);
  checkSameQueueArguments(name, vhost, current.arguments, traits.arguments);
}

function checkSameTrait<T>(name: string, where: string, current: T, received: T): void {
  if (current === received) return;
  const difference = `received '${String(received)}' but current is '${String(current)}'`;
  const text = `inequivalent arg '${name}' for ${where}: ${difference}`;
  throw new AmqpError('PRECONDITION_FAILED', text, { reason: 'inequivalent' });
}
