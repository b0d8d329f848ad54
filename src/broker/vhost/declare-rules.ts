// Owns what a declaration has to keep to: reserved names, arguments, equivalence with what is there
// already. Never declares: vhost-actor.ts asks these rules, and an import of definitions checks with the same rules.

import { AmqpError } from '../../amqp/errors.ts';
import type { FieldTable } from '../../amqp/field-table.ts';
import { isShort, SHORT_BYTES_MAX } from '../../util/limits.ts';
import { limitOf, type VhostLimits } from '../access/limits.ts';
import { Refusal } from '../errors.ts';
import { checkExchangeArguments, EXCHANGE_ARGUMENTS } from '../exchange/arguments.ts';
import type { Exchange, ExchangeDeclaration } from '../exchange/exchange.ts';
import { LEASES_EXCHANGE } from '../exchange/predeclared.ts';
import { EXCHANGE_TYPES, exchangeType } from '../exchange/registry.ts';
import { exchangeIn, queueIn } from '../names-in-texts.ts';
import { checkQueueArguments, checkStreamSizes } from '../queue/arguments/check-arguments.ts';
import { checkSameArgument, checkSameQueueArguments } from '../queue/arguments/same-arguments.ts';
import type { ConsumerSource } from '../queue/consumer.ts';
import type { QueueDeclaration } from '../queue/ports.ts';
import type { Queue } from '../queue/queue.ts';
import type { Stream } from '../queue/stream/stream.ts';
import type { AnyQueue } from '../queue/types/create-queue.ts';
import { QUEUE_TYPE, QUEUE_TYPES, queueTypeOf } from '../queue/types/registry.ts';

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
 * Throws RabbitMQ's AmqpError unless an exchange may be declared so; `current` is the
 * one of that name, if there is one.
 */
export function checkExchangeDeclaration(
  vhost: string,
  current: ExchangeDeclaration | undefined,
  declaration: ExchangeDeclaration,
): void {
  refuseDefaultExchange(declaration.name);
  refuseUnknownType(declaration.type);
  if (current !== undefined) {
    checkSameExchange(vhost, current, declaration);
    return;
  }
  checkName('exchange', declaration.name);
  checkShort('name of an exchange', declaration.name);
  checkExchangeArguments(declaration.name, vhost, declaration.type, declaration.arguments);
}

/** Throws COMMAND_INVALID for a type of exchanges that is none. */
export function refuseUnknownType(type: string): void {
  if (EXCHANGE_TYPES.has(type)) return;
  const kind = WORDS_OF_RABBITMQ.has(type) ? 'invalid' : 'unknown';
  throw new AmqpError('COMMAND_INVALID', `${kind} exchange type '${type}'`);
}

/**
 * Throws RabbitMQ's AmqpError unless a queue may be declared so by that connection;
 * `current` is the one of that name, if there is one. An empty name must have been filled in.
 */
export function checkQueueDeclaration(
  vhost: string,
  current: QueueDeclaration | undefined,
  declaration: QueueDeclaration,
  connection: object | null,
): void {
  if (current !== undefined) {
    checkSameQueue(vhost, current, declaration, connection);
    return;
  }
  checkShort('name of a queue', declaration.name);
  checkQueueArguments(declaration.name, vhost, declaration.arguments);
  const wrong = queueTypeOf(declaration.arguments).wrongProperty(declaration);
  if (wrong !== null) {
    const where = queueIn(vhost, declaration.name);
    throw new AmqpError('PRECONDITION_FAILED', `invalid property '${wrong}' for ${where}`);
  }
  checkStreamSizes(declaration.arguments);
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
 * A declaration with the queue type of its vhost when it names none. A queue that
 * cannot be of that type, as it is not durable, belongs to a connection or has no name yet, stays as it is.
 */
export function withQueueType(
  declaration: QueueDeclaration,
  defaultType: string | null,
): QueueDeclaration {
  if (defaultType === null || declaration.arguments.has(QUEUE_TYPE)) return declaration;
  const byDefault = QUEUE_TYPES.get(defaultType);
  if (byDefault === undefined || byDefault.wrongProperty(declaration) !== null) return declaration;
  if (declaration.name === '' && !byDefault.serverNamed) return declaration;
  const type = { type: 'S', value: defaultType } as const;
  return { ...declaration, arguments: new Map([...declaration.arguments, [QUEUE_TYPE, type]]) };
}

/** Throws PRECONDITION_FAILED for a queue that needs a name of its own, by its type, and has none. */
export function checkServerNamed({ name, arguments: args }: QueueDeclaration): void {
  const type = queueTypeOf(args);
  if (name !== '' || type.serverNamed) return;
  const text = `Cannot declare a server-named queue for type rabbit_${type.name}_queue`;
  throw new AmqpError('PRECONDITION_FAILED', text);
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

/** When a queue is not to be deleted. */
export interface DeleteConditions {
  /** Not while it has consumers. */
  readonly ifUnused?: boolean;
  /** Not while it has messages that are ready, or that wait for their time. */
  readonly ifEmpty?: boolean;
}

/** Throws PRECONDITION_FAILED when an exchange is the source of bindings, and must not be deleted then. */
export function checkExchangeDeletion(vhost: string, exchange: Exchange, ifUnused: boolean): void {
  if (!ifUnused || exchange.bindings.size === 0) return;
  const what = `${exchangeIn(vhost, exchange.name)} in use`;
  throw new AmqpError('PRECONDITION_FAILED', what, { reason: 'in-use' });
}

/** Throws PRECONDITION_FAILED when a queue is in use or not empty, and must not be deleted then. */
export function checkQueueDeletion(
  vhost: string,
  queue: Pick<ConsumerSource, 'name' | 'type' | 'consumers' | 'readyCount' | 'delayedCount'>,
  { ifUnused, ifEmpty }: DeleteConditions,
): void {
  const where = queueIn(vhost, queue.name);
  if (ifUnused === true && queue.consumers.length > 0) {
    throw new AmqpError('PRECONDITION_FAILED', `${where} in use`, { reason: 'in-use' });
  }
  if (ifEmpty === true && queue.readyCount + queue.delayedCount > 0) {
    throw new AmqpError('PRECONDITION_FAILED', `${where} not empty`, { reason: 'in-use' });
  }
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

/** Throws ACCESS_REFUSED for an exchange that has no bindings, as an end of one. */
export function refuseBinding(name: string): void {
  refuseDefaultExchange(name);
  if (name !== LEASES_EXCHANGE) return;
  throw new AmqpError('ACCESS_REFUSED', `operation not permitted on exchange '${LEASES_EXCHANGE}'`);
}

/** Throws ACCESS_REFUSED for the deletion of an exchange that is the broker's own, there or not. */
export function refuseSystemExchange(vhost: string, name: string): void {
  if (!name.startsWith(RESERVED_PREFIX)) return;
  const text = `deletion of system ${exchangeIn(vhost, name)} not allowed`;
  throw new AmqpError('ACCESS_REFUSED', text);
}

/** Throws NOT_IMPLEMENTED, in RabbitMQ's words, for an act that streams do not know; else returns the queue. */
export function notStream(queue: AnyQueue, vhost: string, act: string): Queue {
  if (!queue.isStream) return queue;
  const text = `${act} not supported by stream queues ${queueIn(vhost, queue.name)}`;
  throw new AmqpError('NOT_IMPLEMENTED', text);
}

/** Throws a Refusal for a queue that is no stream; else returns it. */
export function requireStream(queue: AnyQueue, vhost: string): Stream {
  if (queue.isStream) return queue;
  throw new Refusal('invalid', `${queueIn(vhost, queue.name)} is no stream`);
}

/** The error for a queue that is not there. */
export function noQueue(vhost: string, queue: string): AmqpError {
  const text = `no ${queueIn(vhost, queue)}`;
  return new AmqpError('NOT_FOUND', text, { reason: 'no-queue' });
}

/** The error for a queue that belongs to another connection. */
export function lockedQueue(vhost: string, queue: string): AmqpError {
  return new AmqpError(
    'RESOURCE_LOCKED',
    `cannot obtain exclusive access to locked ${queueIn(vhost, queue)}. ` +
      'It could be originally declared on another connection or the exclusive property value ' +
      'does not match that of the original declaration.',
    { reason: 'exclusive-queue' },
  );
}

function checkSameExchange(
  vhost: string,
  current: ExchangeDeclaration,
  declaration: ExchangeDeclaration,
): void {
  const where = exchangeIn(vhost, current.name);
  checkSameProperty('type', where, current.type, declaration.type);
  checkSameProperty('durable', where, current.durable, declaration.durable);
  checkSameProperty('auto_delete', where, current.autoDelete, declaration.autoDelete);
  checkSameProperty('internal', where, current.internal, declaration.internal);
  for (const { name, compared } of EXCHANGE_ARGUMENTS) {
    if (compared) checkSameArgument(name, where, current.arguments, declaration.arguments);
  }
}

function checkSameQueue(
  vhost: string,
  current: QueueDeclaration,
  declaration: QueueDeclaration,
  connection: object | null,
): void {
  const { name } = current;
  const where = queueIn(vhost, name);
  const exclusive = declaration.owner !== null;
  // Also for its owner where it declares the queue as not exclusive. Checked first of all, as in RabbitMQ.
  if (current.owner !== (exclusive ? connection : null)) throw lockedQueue(vhost, name);
  checkSameProperty('durable', where, current.durable, declaration.durable && !exclusive);
  checkSameProperty('auto_delete', where, current.autoDelete, declaration.autoDelete);
  checkQueueArguments(name, vhost, declaration.arguments);
  checkSameQueueArguments(name, vhost, current.arguments, declaration.arguments);
}

function checkSameProperty<T>(name: string, where: string, current: T, received: T): void {
  if (current === received) return;
  const difference = `received '${String(received)}' but current is '${String(current)}'`;
  const text = `inequivalent arg '${name}' for ${where}: ${difference}`;
  throw new AmqpError('PRECONDITION_FAILED', text, { reason: 'inequivalent' });
}
