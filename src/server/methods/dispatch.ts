// Owns finding the handler of a method on a channel, by its class. Never handles one itself.

import { AmqpError } from '../../amqp/errors.ts';
import type { ClientMethod } from '../../amqp/spec.ts';
import { assertNever } from '../../util/assert.ts';
import type { Channel } from '../channel/channel.ts';
import { handleBasicMethod } from './basic.ts';
import { handleExchangeMethod } from './exchange.ts';
import type { MethodConnection } from './method-connection.ts';
import { handleQueueMethod } from './queue.ts';
import { handleTxMethod } from './tx.ts';

/** Handles a method on an open channel. Throws the AmqpErrors of the rules that it breaks. */
export function handleChannelMethod(
  connection: MethodConnection,
  channel: Channel,
  method: ClientMethod,
): void {
  switch (method.name) {
    case 'basic.ack':
    case 'basic.cancel':
    case 'basic.cancel-ok':
    case 'basic.consume':
    case 'basic.get':
    case 'basic.nack':
    case 'basic.publish':
    case 'basic.qos':
    case 'basic.recover':
    case 'basic.recover-async':
    case 'basic.reject':
      return handleBasicMethod(connection, channel, method);
    case 'queue.bind':
    case 'queue.declare':
    case 'queue.delete':
    case 'queue.purge':
    case 'queue.unbind':
      return handleQueueMethod(connection, channel, method);
    case 'exchange.bind':
    case 'exchange.declare':
    case 'exchange.delete':
    case 'exchange.unbind':
      return handleExchangeMethod(connection, channel, method);
    case 'channel.open':
      throw new AmqpError('CHANNEL_ERROR', "second 'channel.open' seen");
    case 'channel.close':
      connection.acts.act(channel.closing(), channel.number, 0, () => {
        channel.send('channel.close-ok', {});
        connection.channels.free(channel);
      });
      return;
    case 'channel.flow':
      if (!method.active) throw new AmqpError('NOT_IMPLEMENTED', 'active=false');
      return channel.send('channel.flow-ok', { active: true });
    case 'channel.close-ok':
    case 'channel.flow-ok':
      return;
    case 'access.request':
      return channel.send('access.request-ok', { ticket: 1 });
    case 'confirm.select':
      channel.selectConfirms();
      if (!method.noWait) channel.send('confirm.select-ok', {});
      return;
    case 'tx.select':
    case 'tx.commit':
    case 'tx.rollback':
      return handleTxMethod(connection, channel, method);
    case 'connection.start-ok':
    case 'connection.secure-ok':
    case 'connection.tune-ok':
    case 'connection.open':
    case 'connection.close':
    case 'connection.close-ok':
    case 'connection.update-secret':
      throw new AmqpError('COMMAND_INVALID', 'unimplemented method');
    default:
      return assertNever(method, 'a method of a channel');
  }
}
