// Owns the methods of class exchange. Never holds rights or rules: broker/vhost/vhost-actor.ts does.

import { EXCHANGE_DELETE } from '../../amqp/constants.ts';
import type { Method } from '../../amqp/spec.ts';
import { unlistedExchange } from '../../broker/exchange/predeclared.ts';
import { refuseDefaultExchange } from '../../broker/vhost/declare-rules.ts';
import type { LongAct } from '../../broker/vhost/unbinding.ts';
import { assertNever } from '../../util/assert.ts';
import type { Channel } from '../channel/channel.ts';
import { actorOf, type MethodConnection } from './method-connection.ts';
import { stripLineBreaks } from './queue.ts';
import { replyWhenDurable } from './reply.ts';

type ExchangeMethod = Method<
  'exchange.bind' | 'exchange.declare' | 'exchange.delete' | 'exchange.unbind'
>;

/** Handles a method of class exchange. */
export function handleExchangeMethod(
  connection: MethodConnection,
  channel: Channel,
  method: ExchangeMethod,
): void {
  switch (method.name) {
    case 'exchange.declare':
      return declare(connection, channel, method);
    case 'exchange.delete':
      return remove(connection, channel, method);
    case 'exchange.bind':
    case 'exchange.unbind':
      return bindOrUnbind(connection, channel, method);
    default:
      assertNever(method, 'a method of class exchange');
  }
}

function declare(
  connection: MethodConnection,
  channel: Channel,
  method: Method<'exchange.declare'>,
): void {
  const { type, durable, autoDelete, internal } = method;
  const name = stripLineBreaks(method.exchange);
  if (method.passive) {
    refuseDefaultExchange(name);
    if (unlistedExchange(name) === undefined) connection.vhost.exchange(name);
  } else {
    const declaration = { name, type, durable, autoDelete, internal, arguments: method.arguments };
    actorOf(connection).declareExchange(declaration);
  }
  if (method.noWait) return;
  replyWhenDurable(connection, channel, () => channel.send('exchange.declare-ok', {}));
}

function remove(
  connection: MethodConnection,
  channel: Channel,
  method: Method<'exchange.delete'>,
): void {
  const name = stripLineBreaks(method.exchange);
  const act: LongAct = (steps, end) => channel.act(steps, end, true, EXCHANGE_DELETE);
  actorOf(connection).deleteExchange(name, method.ifUnused, act, () => {
    if (method.noWait) return;
    replyWhenDurable(connection, channel, () => channel.send('exchange.delete-ok', {}));
  });
}

function bindOrUnbind(
  connection: MethodConnection,
  channel: Channel,
  method: Method<'exchange.bind' | 'exchange.unbind'>,
): void {
  const source = stripLineBreaks(method.source);
  const to = { kind: 'exchange', name: stripLineBreaks(method.destination) } as const;
  const actor = actorOf(connection);
  if (method.name === 'exchange.bind') actor.bind(source, to, method.routingKey, method.arguments);
  else actor.unbind(source, to, method.routingKey, method.arguments);
  if (method.noWait) return;
  const reply = `${method.name}-ok` as const;
  replyWhenDurable(connection, channel, () => channel.send(reply, {}));
}
