// Owns the methods of class queue. Never holds rights or rules: broker/vhost/vhost-actor.ts does.

import { QUEUE_DELETE, QUEUE_PURGE } from '../../amqp/constants.ts';
import { AmqpError } from '../../amqp/errors.ts';
import type { Method } from '../../amqp/spec.ts';
import { REPLY_TO } from '../../broker/routing/reply-names.ts';
import { noQueue } from '../../broker/vhost/declare-rules.ts';
import type { LongAct } from '../../broker/vhost/unbinding.ts';
import { assertNever } from '../../util/assert.ts';
import type { Channel } from '../channel/channel.ts';
import { actorOf, type MethodConnection } from './method-connection.ts';
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
  const { vhost } = connection;
  const name = stripLineBreaks(method.queue);
  if (name.startsWith(REPLY_TO)) {
    lookForReplies(connection, channel, name, method.noWait);
    return;
  }
  const queue = method.passive
    ? vhost.queue(name, connection)
    : actorOf(connection).declareQueue({
        name,
        durable: method.durable,
        autoDelete: method.autoDelete,
        owner: method.exclusive ? connection : null,
        arguments: method.arguments,
      });
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
    throw noQueue(vhost.name, name);
  }
  channel.currentQueue = name;
  if (noWait) return;
  channel.send('queue.declare-ok', { queue: name, messageCount: 0, consumerCount: 1 });
}

function bind(connection: MethodConnection, channel: Channel, method: Method<'queue.bind'>): void {
  const { source, to, key } = endsOf(channel, method);
  actorOf(connection).bind(source, to, key, method.arguments);
  if (method.noWait) return;
  replyWhenDurable(connection, channel, () => channel.send('queue.bind-ok', {}));
}

function unbind(
  connection: MethodConnection,
  channel: Channel,
  method: Method<'queue.unbind'>,
): void {
  const { source, to, key } = endsOf(channel, method);
  actorOf(connection).unbind(source, to, key, method.arguments);
  replyWhenDurable(connection, channel, () => channel.send('queue.unbind-ok', {}));
}

/** What is bound to what, as it was declared. */
function endsOf(channel: Channel, method: Method<'queue.bind' | 'queue.unbind'>) {
  const name = resolveQueueName(channel, stripLineBreaks(method.queue));
  // With no queue and no key named, the current queue's name stands for both (§1.7.2.3).
  const key = method.queue === '' && method.routingKey === '' ? name : method.routingKey;
  return { source: stripLineBreaks(method.exchange), to: { kind: 'queue', name } as const, key };
}

function purge(
  connection: MethodConnection,
  channel: Channel,
  method: Method<'queue.purge'>,
): void {
  const name = resolveQueueName(channel, method.queue);
  const act: LongAct = (steps, end) => channel.act(steps, end, true, QUEUE_PURGE);
  actorOf(connection).purgeQueue(name, act, (messageCount) => {
    if (method.noWait) return;
    replyWhenDurable(connection, channel, () => channel.send('queue.purge-ok', { messageCount }));
  });
}

function remove(
  connection: MethodConnection,
  channel: Channel,
  method: Method<'queue.delete'>,
): void {
  const name = resolveQueueName(channel, stripLineBreaks(method.queue));
  const then = (readyCount: number | null): void => {
    if (method.noWait) return;
    replyWhenDurable(connection, channel, () => {
      // As in RabbitMQ, a queue that is not there is as good as one that was empty.
      channel.send('queue.delete-ok', { messageCount: readyCount ?? 0 });
      channel.notices.release();
    });
  };
  if (!method.noWait && connection.vhost.queues.has(name)) channel.notices.hold();
  const act: LongAct = (steps, end) => channel.act(steps, end, true, QUEUE_DELETE);
  actorOf(connection).deleteQueue(name, method, act, then);
}

/** RabbitMQ takes line breaks out of names that are declared, bound and deleted, and out of no others. */
export function stripLineBreaks(name: string): string {
  return name.replace(/[\r\n]/g, '');
}
