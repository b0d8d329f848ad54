// Owns the one table of all methods: which side sends them, their fields in wire order, their answers.
// Never reads or writes bytes: method-codec.ts does that, from this table.
import type { Buffer } from 'node:buffer';
import * as wire from './constants.ts';
import type { FieldTable } from './field-table.ts';

/** The basic wire types of method fields, §4.2.5; the spec's domains are resolved to these. */
export type FieldDomain =
  | 'octet'
  | 'short'
  | 'long'
  | 'longlong'
  | 'bit'
  | 'shortstr'
  | 'longstr'
  | 'table';

export type FieldSpec = readonly [name: string, domain: FieldDomain];

export type Sender = 'client' | 'server' | 'both';

export interface MethodSpec<
  S extends Sender = Sender,
  F extends readonly FieldSpec[] = readonly FieldSpec[],
> {
  readonly classId: number;
  readonly methodId: number;
  /** Which side may send it. */
  readonly from: S;
  /** Whether a content header and body frames follow. */
  readonly content: boolean;
  /** In wire order, reserved ones included. */
  readonly fields: F;
  /** The methods that answer it; empty when it needs none. */
  readonly reply: readonly string[];
}

const octet = <const N extends string>(name: N) => [name, 'octet'] as const;
const short = <const N extends string>(name: N) => [name, 'short'] as const;
const long = <const N extends string>(name: N) => [name, 'long'] as const;
const longlong = <const N extends string>(name: N) => [name, 'longlong'] as const;
const bit = <const N extends string>(name: N) => [name, 'bit'] as const;
const shortstr = <const N extends string>(name: N) => [name, 'shortstr'] as const;
const longstr = <const N extends string>(name: N) => [name, 'longstr'] as const;
const table = <const N extends string>(name: N) => [name, 'table'] as const;

function method<S extends Sender, const F extends readonly FieldSpec[]>(
  from: S,
  key: number,
  fields: F,
  ...reply: readonly string[]
): MethodSpec<S, F> {
  return { classId: key >>> 16, methodId: key & 0xffff, from, content: false, fields, reply };
}

function contentMethod<S extends Sender, const F extends readonly FieldSpec[]>(
  from: S,
  key: number,
  fields: F,
): MethodSpec<S, F> {
  return { ...method(from, key, fields), content: true };
}

/** The methods of AMQP 0-9-1 with RabbitMQ's extensions, named class.method as the spec does. */
export const METHODS = {
  'connection.start': method(
    'server',
    wire.CONNECTION_START,
    [
      octet('versionMajor'),
      octet('versionMinor'),
      table('serverProperties'),
      longstr('mechanisms'),
      longstr('locales'),
    ],
    'connection.start-ok',
  ),
  'connection.start-ok': method('client', wire.CONNECTION_START_OK, [
    table('clientProperties'),
    shortstr('mechanism'),
    longstr('response'),
    shortstr('locale'),
  ]),
  'connection.secure': method(
    'server',
    wire.CONNECTION_SECURE,
    [longstr('challenge')],
    'connection.secure-ok',
  ),
  'connection.secure-ok': method('client', wire.CONNECTION_SECURE_OK, [longstr('response')]),
  'connection.tune': method(
    'server',
    wire.CONNECTION_TUNE,
    [short('channelMax'), long('frameMax'), short('heartbeat')],
    'connection.tune-ok',
  ),
  'connection.tune-ok': method('client', wire.CONNECTION_TUNE_OK, [
    short('channelMax'),
    long('frameMax'),
    short('heartbeat'),
  ]),
  'connection.open': method(
    'client',
    wire.CONNECTION_OPEN,
    [shortstr('virtualHost'), shortstr('reserved1'), bit('reserved2')],
    'connection.open-ok',
  ),
  'connection.open-ok': method('server', wire.CONNECTION_OPEN_OK, [shortstr('reserved1')]),
  'connection.close': method(
    'both',
    wire.CONNECTION_CLOSE,
    [short('replyCode'), shortstr('replyText'), short('classId'), short('methodId')],
    'connection.close-ok',
  ),
  'connection.close-ok': method('both', wire.CONNECTION_CLOSE_OK, []),
  'connection.blocked': method('server', wire.CONNECTION_BLOCKED, [shortstr('reason')]),
  'connection.unblocked': method('server', wire.CONNECTION_UNBLOCKED, []),
  'connection.update-secret': method(
    'client',
    wire.CONNECTION_UPDATE_SECRET,
    [longstr('newSecret'), shortstr('reason')],
    'connection.update-secret-ok',
  ),
  'connection.update-secret-ok': method('server', wire.CONNECTION_UPDATE_SECRET_OK, []),

  'channel.open': method('client', wire.CHANNEL_OPEN, [shortstr('reserved1')], 'channel.open-ok'),
  'channel.open-ok': method('server', wire.CHANNEL_OPEN_OK, [longstr('reserved1')]),
  'channel.flow': method('both', wire.CHANNEL_FLOW, [bit('active')], 'channel.flow-ok'),
  'channel.flow-ok': method('both', wire.CHANNEL_FLOW_OK, [bit('active')]),
  'channel.close': method(
    'both',
    wire.CHANNEL_CLOSE,
    [short('replyCode'), shortstr('replyText'), short('classId'), short('methodId')],
    'channel.close-ok',
  ),
  'channel.close-ok': method('both', wire.CHANNEL_CLOSE_OK, []),

  'access.request': method(
    'client',
    wire.ACCESS_REQUEST,
    [shortstr('realm'), bit('exclusive'), bit('passive'), bit('active'), bit('write'), bit('read')],
    'access.request-ok',
  ),
  'access.request-ok': method('server', wire.ACCESS_REQUEST_OK, [short('ticket')]),

  'exchange.declare': method(
    'client',
    wire.EXCHANGE_DECLARE,
    [
      short('reserved1'),
      shortstr('exchange'),
      shortstr('type'),
      bit('passive'),
      bit('durable'),
      bit('autoDelete'),
      bit('internal'),
      bit('noWait'),
      table('arguments'),
    ],
    'exchange.declare-ok',
  ),
  'exchange.declare-ok': method('server', wire.EXCHANGE_DECLARE_OK, []),
  'exchange.delete': method(
    'client',
    wire.EXCHANGE_DELETE,
    [short('reserved1'), shortstr('exchange'), bit('ifUnused'), bit('noWait')],
    'exchange.delete-ok',
  ),
  'exchange.delete-ok': method('server', wire.EXCHANGE_DELETE_OK, []),
  'exchange.bind': method(
    'client',
    wire.EXCHANGE_BIND,
    [
      short('reserved1'),
      shortstr('destination'),
      shortstr('source'),
      shortstr('routingKey'),
      bit('noWait'),
      table('arguments'),
    ],
    'exchange.bind-ok',
  ),
  'exchange.bind-ok': method('server', wire.EXCHANGE_BIND_OK, []),
  'exchange.unbind': method(
    'client',
    wire.EXCHANGE_UNBIND,
    [
      short('reserved1'),
      shortstr('destination'),
      shortstr('source'),
      shortstr('routingKey'),
      bit('noWait'),
      table('arguments'),
    ],
    'exchange.unbind-ok',
  ),
  'exchange.unbind-ok': method('server', wire.EXCHANGE_UNBIND_OK, []),

  'queue.declare': method(
    'client',
    wire.QUEUE_DECLARE,
    [
      short('reserved1'),
      shortstr('queue'),
      bit('passive'),
      bit('durable'),
      bit('exclusive'),
      bit('autoDelete'),
      bit('noWait'),
      table('arguments'),
    ],
    'queue.declare-ok',
  ),
  'queue.declare-ok': method('server', wire.QUEUE_DECLARE_OK, [
    shortstr('queue'),
    long('messageCount'),
    long('consumerCount'),
  ]),
  'queue.bind': method(
    'client',
    wire.QUEUE_BIND,
    [
      short('reserved1'),
      shortstr('queue'),
      shortstr('exchange'),
      shortstr('routingKey'),
      bit('noWait'),
      table('arguments'),
    ],
    'queue.bind-ok',
  ),
  'queue.bind-ok': method('server', wire.QUEUE_BIND_OK, []),
  'queue.purge': method(
    'client',
    wire.QUEUE_PURGE,
    [short('reserved1'), shortstr('queue'), bit('noWait')],
    'queue.purge-ok',
  ),
  'queue.purge-ok': method('server', wire.QUEUE_PURGE_OK, [long('messageCount')]),
  'queue.delete': method(
    'client',
    wire.QUEUE_DELETE,
    [short('reserved1'), shortstr('queue'), bit('ifUnused'), bit('ifEmpty'), bit('noWait')],
    'queue.delete-ok',
  ),
  'queue.delete-ok': method('server', wire.QUEUE_DELETE_OK, [long('messageCount')]),
  'queue.unbind': method(
    'client',
    wire.QUEUE_UNBIND,
    [
      short('reserved1'),
      shortstr('queue'),
      shortstr('exchange'),
      shortstr('routingKey'),
      table('arguments'),
    ],
    'queue.unbind-ok',
  ),
  'queue.unbind-ok': method('server', wire.QUEUE_UNBIND_OK, []),

  'basic.qos': method(
    'client',
    wire.BASIC_QOS,
    [long('prefetchSize'), short('prefetchCount'), bit('global')],
    'basic.qos-ok',
  ),
  'basic.qos-ok': method('server', wire.BASIC_QOS_OK, []),
  'basic.consume': method(
    'client',
    wire.BASIC_CONSUME,
    [
      short('reserved1'),
      shortstr('queue'),
      shortstr('consumerTag'),
      bit('noLocal'),
      bit('noAck'),
      bit('exclusive'),
      bit('noWait'),
      table('arguments'),
    ],
    'basic.consume-ok',
  ),
  'basic.consume-ok': method('server', wire.BASIC_CONSUME_OK, [shortstr('consumerTag')]),
  'basic.cancel': method(
    'both',
    wire.BASIC_CANCEL,
    [shortstr('consumerTag'), bit('noWait')],
    'basic.cancel-ok',
  ),
  'basic.cancel-ok': method('both', wire.BASIC_CANCEL_OK, [shortstr('consumerTag')]),
  'basic.publish': contentMethod('client', wire.BASIC_PUBLISH, [
    short('reserved1'),
    shortstr('exchange'),
    shortstr('routingKey'),
    bit('mandatory'),
    bit('immediate'),
  ]),
  'basic.return': contentMethod('server', wire.BASIC_RETURN, [
    short('replyCode'),
    shortstr('replyText'),
    shortstr('exchange'),
    shortstr('routingKey'),
  ]),
  'basic.deliver': contentMethod('server', wire.BASIC_DELIVER, [
    shortstr('consumerTag'),
    longlong('deliveryTag'),
    bit('redelivered'),
    shortstr('exchange'),
    shortstr('routingKey'),
  ]),
  'basic.get': method(
    'client',
    wire.BASIC_GET,
    [short('reserved1'), shortstr('queue'), bit('noAck')],
    'basic.get-ok',
    'basic.get-empty',
  ),
  'basic.get-ok': contentMethod('server', wire.BASIC_GET_OK, [
    longlong('deliveryTag'),
    bit('redelivered'),
    shortstr('exchange'),
    shortstr('routingKey'),
    long('messageCount'),
  ]),
  'basic.get-empty': method('server', wire.BASIC_GET_EMPTY, [shortstr('reserved1')]),
  'basic.ack': method('both', wire.BASIC_ACK, [longlong('deliveryTag'), bit('multiple')]),
  'basic.reject': method('client', wire.BASIC_REJECT, [longlong('deliveryTag'), bit('requeue')]),
  'basic.recover-async': method('client', wire.BASIC_RECOVER_ASYNC, [bit('requeue')]),
  'basic.recover': method('client', wire.BASIC_RECOVER, [bit('requeue')], 'basic.recover-ok'),
  'basic.recover-ok': method('server', wire.BASIC_RECOVER_OK, []),
  'basic.nack': method('both', wire.BASIC_NACK, [
    longlong('deliveryTag'),
    bit('multiple'),
    bit('requeue'),
  ]),

  'confirm.select': method('client', wire.CONFIRM_SELECT, [bit('noWait')], 'confirm.select-ok'),
  'confirm.select-ok': method('server', wire.CONFIRM_SELECT_OK, []),

  'tx.select': method('client', wire.TX_SELECT, [], 'tx.select-ok'),
  'tx.select-ok': method('server', wire.TX_SELECT_OK, []),
  'tx.commit': method('client', wire.TX_COMMIT, [], 'tx.commit-ok'),
  'tx.commit-ok': method('server', wire.TX_COMMIT_OK, []),
  'tx.rollback': method('client', wire.TX_ROLLBACK, [], 'tx.rollback-ok'),
  'tx.rollback-ok': method('server', wire.TX_ROLLBACK_OK, []),
} as const;

export type MethodName = keyof typeof METHODS;

type FieldOf<N extends MethodName> = (typeof METHODS)[N]['fields'][number];

type DomainValue<D> = D extends 'bit'
  ? boolean
  : D extends 'shortstr'
    ? string
    : D extends 'longstr'
      ? Buffer
      : D extends 'table'
        ? FieldTable
        : number;

/** A method's arguments by name; reserved fields are left out, their values mean nothing. */
export type MethodFields<N extends MethodName> = {
  readonly [F in FieldOf<N> as F[0] extends `reserved${number}` ? never : F[0]]: DomainValue<F[1]>;
};

/** A decoded method: its name, which tells the union's members apart, and its arguments. */
export type Method<N extends MethodName> = N extends MethodName
  ? { readonly name: N } & MethodFields<N>
  : never;

export type AnyMethod = Method<MethodName>;

type SentBy<S extends Sender> = {
  [N in MethodName]: (typeof METHODS)[N]['from'] extends S | 'both' ? N : never;
}[MethodName];

export type ClientMethodName = SentBy<'client'>;

/** The methods that a client may send. */
export type ClientMethod = Method<ClientMethodName>;

/** Whether `method` is one that a client may send. */
export function isClientMethod(method: AnyMethod): method is ClientMethod {
  return METHODS[method.name].from !== 'server';
}
