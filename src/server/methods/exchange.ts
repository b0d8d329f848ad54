// Owns the methods of class exchange. Never holds rules: the vhost does.

import { EXCHANGE_DELETE } from '../../amqp/constants.ts';
import type { Method } from '../../amqp/spec.ts';
import { checkBindingRights, checkExchangeRights } from '../../broker/vhost/binding-rights.ts';
import {
  refuseDefaultExchange,
  refuseSystemExchange,
  refuseUnknownType,
} from '../../broker/vhost/declare-rules.ts';
import type { LongAct } from '../../broker/vhost/unbinding.ts';
import { assertNever } from '../../util/assert.ts';
import type { Channel } from '../channel/channel.ts';
import type { MethodConnection } from './method-connection.ts';
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
  const { vhost, grants } = connection;
  switch (method.name) {
    case 'exchange.declare':
      declare(connection, channel, method);
      return;
    case 'exchange.delete': {
      const name = stripLineBreaks(method.exchange);
      refuseDefaultExchange(name);
      refuseSystemExchange(vhost.name, name);
      grants.requireExchange('configure', name);
      const act: LongAct = (steps, end) => channel.act(steps, end, true, EXCHANGE_DELETE);
      vhost.deleteExchange(name, method.ifUnused, act, () => {
        if (method.noWait) return;
        replyWhenDurable(connection, channel, () => channel.send('exchange.delete-ok', {}));
      });
      return;
    }
    case 'exchange.bind': {
      const { from, to, routingKey } = endsOf(method);
      checkBindingRights(vhost, grants, 'exchange', to, from, routingKey);
      const destination = vhost.exchange(to);
      const source = vhost.exchange(from);
      vhost.bindings.bind(source, destination, routingKey, method.arguments);
      if (method.noWait) return;
      replyWhenDurable(connection, channel, () => channel.send('exchange.bind-ok', {}));
      return;
    }
    case 'exchange.unbind': {
      const { from, to, routingKey } = endsOf(method);
      checkBindingRights(vhost, grants, 'exchange', to, from, routingKey);
      const source = vhost.exchanges.get(from);
      const destination = vhost.exchanges.get(to);
      if (source !== undefined && destination !== undefined) {
        vhost.bindings.unbind(source, destination, routingKey, method.arguments);
      }
      if (method.noWait) return;
      replyWhenDurable(connection, channel, () => channel.send('exchange.unbind-ok', {}));
      return;
    }
    default:
      assertNever(method, 'a method of class exchange');
  }
}

/** The names of both ends, as they were declared. */
function endsOf(method: Method<'exchange.bind' | 'exchange.unbind'>) {
  const { source, destination, routingKey } = method;
  return { from: stripLineBreaks(source), to: stripLineBreaks(destination), routingKey };
}

function declare(
  connection: MethodConnection,
  channel: Channel,
  method: Method<'exchange.declare'>,
): void {
  const { vhost, grants } = connection;
  const { type, durable, autoDelete, internal } = method;
  const name = stripLineBreaks(method.exchange);
  if (method.passive) {
    refuseDefaultExchange(name);
    vhost.exchange(name);
  } else {
    const args = method.arguments;
    // As in RabbitMQ: what can never be declared is told before what this user may.
    refuseUnknownType(type);
    checkExchangeRights(vhost, grants, name, args);
    vhost.declareExchange({ name, type, durable, autoDelete, internal, arguments: args });
  }
  if (method.noWait) return;
  replyWhenDurable(connection, channel, () => channel.send('exchange.declare-ok', {}));
}
