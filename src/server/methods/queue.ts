// Owns the methods of class queue. Never holds rules: the vhost does.

import { QUEUE_DELETE } from '../../amqp/constants.ts';
import { AmqpError } from '../../amqp/errors.ts';
import type { Method } from '../../amqp/spec.ts';
import { REPLY_TO } from '../../broker/routing/reply-names.ts';
import { checkBindingRights } from '../../broker/vhost/binding-rights.ts';
import type { LongAct } from '../../broker/vhost/unbinding.ts';
import { assertNever } from '../../util/assert.ts';
import type { Channel } from '../channel/channel.ts';
import type { MethodConnection } from './method-connection.ts';
import { replyWhenDurable } from './reply.ts';

type QueueMethod = Method<
  'queue.bind' | 'queue.declare' | 'queue.delete' | 'queue.purge' | 'queue.unbind'
>;

/** Handles a method of class queue. */
export function handleQueueMethod(
  connection: MethodConnection,
  channel: Channel,
  method: QueueMethod,
): void {
  switch (method.name) {
    case 'queue.declare':
      return declare(connection, channel, method);
    case 'queue.bind':
      return bind(connection, channel, method);
    case 'queue.unbind':
      return unbind(connection, channel, method);
    case 'queue.purge':
      return purge(connection, channel, method);
    case 'queue.delete':
      return remove(connection, channel, method);
    default:
      return assertNever(method, 'a method of class queue');
  }
}

/** A queue name as sent, or for an empty one the queue that the channel declared last. */
export function resolveQueueName(channel: Channel, name: string): string {
  if (name !== '') return name;
  if (channel.currentQueue === '') {
    throw new AmqpError('NOT_FOUND', 'no previously declared queue');
  }
  return channel.currentQueue;
}

function declare(
  connection: MethodConnection,
  channel: Channel,
  method: Method<'queue.declare'>,
): void {
  const { vhost, grants } = connection;
  const name = stripLineBreaks(method.queue);
  if (name.startsWith(REPLY_TO)) {
    lookForReplies(connection, channel, name, method.noWait);
    return;
  }
  const queue = method.passive
    ? vhost.queue(name, connection)
    : vhost.declareQueue(
        {
          name,
          durable: method.durable,
          autoDelete: method.autoDelete,
          owner: method.exclusive ? connection : null,
          arguments: method.arguments,
        },
        connection,
        grants,
      );
  channel.currentQueue = queue.name;
  queue.use();
  if (method.noWait) return;
  replyWhenDurable(connection, channel, () => {
    queue.catchUp();
    channel.send('queue.declare-ok', {
      queue: queue.name,
      messageCount: queue.readyCount,
      consumerCount: queue.consumers.length,
    });
  });
}

/**
 * Any declaration of a queue for replies asks whether its consumer is still there, and changes nothing.
 */
function lookForReplies(
  connection: MethodConnection,
  channel: Channel,
  name: string,
  noWait: boolean,
): void {
  const { vhost } = connection;
  if (name !== REPLY_TO && vhost.replies.get(name) === undefined) {
    throw new AmqpError('NOT_FOUND', `no queue '${name}' in vhost '${vhost.name}'`, {
      reason: 'no-queue',
    });
  }
  channel.currentQueue = name;
  if (noWait) return;
  channel.send('queue.declare-ok', { queue: name, messageCount: 0, consumerCount: 1 });
}

function bind(connection: MethodConnection, channel: Channel, method: Method<'queue.bind'>): void {
  const { vhost } = connection;
  const name = resolveQueueName(channel, stripLineBreaks(method.queue));
  const source = stripLineBreaks(method.exchange);
  // With no queue and no key named, the current queue's name stands for both (§1.7.2.3).
  const key = method.queue === '' && method.routingKey === '' ? name : method.routingKey;
  checkBindingRights(vhost, connection.grants, 'queue', name, source, key);
  const exchange = vhost.exchange(source);
  const queue = vhost.queue(name, connection);
  vhost.bindings.bind(exchange, queue, key, method.arguments);
  if (method.noWait) return;
  replyWhenDurable(connection, channel, () => channel.send('queue.bind-ok', {}));
}

function unbind(
  connection: MethodConnection,
  channel: Channel,
  method: Method<'queue.unbind'>,
): void {
  const { vhost } = connection;
  const name = resolveQueueName(channel, stripLineBreaks(method.queue));
  const source = stripLineBreaks(method.exchange);
  const key = method.queue === '' && method.routingKey === '' ? name : method.routingKey;
  checkBindingRights(vhost, connection.grants, 'queue', name, source, key);
  const exchange = vhost.exchanges.get(source);
  const queue = vhost.queues.get(name);
  if (exchange !== undefined && queue !== undefined) {
    const bound = vhost.bindings.has(exchange, queue, key, method.arguments);
    if (bound)
      vhost.bindings.unbind(exchange, vhost.queue(name, connection), key, method.arguments);
  }
  replyWhenDurable(connection, channel, () => channel.send('queue.unbind-ok', {}));
}

function purge(
  connection: MethodConnection,
  channel: Channel,
  method: Method<'queue.purge'>,
): void {
  const name = resolveQueueName(channel, method.queue);
  connection.grants.requireQueue('read', name);
  const { vhost } = connection;
  const messageCount = vhost.purgeQueue(vhost.queue(name, connection));
  if (method.noWait) return;
  replyWhenDurable(connection, channel, () => channel.send('queue.purge-ok', { messageCount }));
}

function remove(
  connection: MethodConnection,
  channel: Channel,
  method: Method<'queue.delete'>,
): void {
  const { vhost } = connection;
  const name = resolveQueueName(channel, stripLineBreaks(method.queue));
  connection.grants.requireQueue('configure', name);
  const then = (messageCount: number): void => {
    if (method.noWait) return;
    replyWhenDurable(connection, channel, () => {
      channel.send('queue.delete-ok', { messageCount });
      channel.sendNotices();
    });
  };
  if (!vhost.queues.has(name)) return then(0);
  const queue = vhost.queue(name, connection);
  queue.catchUp();
  if (!method.noWait) channel.holdNotices();
  const act: LongAct = (steps, end) => channel.act(steps, end, true, QUEUE_DELETE);
  vhost.deleteQueueBy(act, queue, method.ifUnused, method.ifEmpty, (messageCount) => {
    connection.core.setAside.dropOf(queue.id);
    then(messageCount);
  });
}

/** RabbitMQ takes line breaks out of names that are declared, bound and deleted, and out of no others. */
export function stripLineBreaks(name: string): string {
  return name.replace(/[\r\n]/g, '');
}
