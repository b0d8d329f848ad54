// Owns the methods of class basic but for publish and the short way of ack. Never holds the rules
// of queues.

import { BASIC_GET } from '../../amqp/constants.ts';
import { AmqpError } from '../../amqp/errors.ts';
import type { Method } from '../../amqp/spec.ts';
import { queueIn } from '../../broker/names-in-texts.ts';
import { checkConsumerArguments } from '../../broker/queue/arguments/check-arguments.ts';
import type { ConsumerSource } from '../../broker/queue/consumer.ts';
import { REPLY_TO } from '../../broker/routing/reply-names.ts';
import { notStream } from '../../broker/vhost/declare-rules.ts';
import { generateName } from '../../broker/vhost/generated-name.ts';
import { assert, assertNever } from '../../util/assert.ts';
import type { Channel } from '../channel/channel.ts';
import { shareCredit } from '../channel/deliveries.ts';
import { SETTLE_FAIL, SETTLE_REJECT, SETTLE_REQUEUE } from '../channel/publish/transaction.ts';
import { type SeenMessage, seeGot } from '../wire/message-writer.ts';
import type { MethodConnection } from './method-connection.ts';
import { resolveQueueName } from './queue.ts';
import { consumeStream, consumeSuperStream } from './stream-consume.ts';

type BasicMethod = Method<
  | 'basic.ack'
  | 'basic.cancel'
  | 'basic.cancel-ok'
  | 'basic.consume'
  | 'basic.get'
  | 'basic.nack'
  | 'basic.publish'
  | 'basic.qos'
  | 'basic.recover'
  | 'basic.recover-async'
  | 'basic.reject'
>;

/** Handles a method of class basic. */
export function handleBasicMethod(
  connection: MethodConnection,
  channel: Channel,
  method: BasicMethod,
): void {
  switch (method.name) {
    case 'basic.ack':
      return channel.deliveries.ack(method.deliveryTag, method.multiple);
    case 'basic.nack':
      return channel.deliveries.reject(
        method.deliveryTag,
        method.multiple,
        method.requeue ? SETTLE_REQUEUE : SETTLE_REJECT,
      );
    case 'basic.reject':
      return channel.deliveries.reject(
        method.deliveryTag,
        false,
        method.requeue ? SETTLE_FAIL : SETTLE_REJECT,
      );
    case 'basic.get':
      return get(connection, channel, method);
    case 'basic.consume':
      return consume(connection, channel, method);
    case 'basic.cancel':
      return cancel(channel, method);
    case 'basic.qos':
      return qos(channel, method);
    case 'basic.recover':
      return recover(channel, method.requeue, () => channel.send('basic.recover-ok', {}));
    case 'basic.recover-async':
      return recover(channel, method.requeue, () => {});
    case 'basic.cancel-ok':
      return;
    case 'basic.publish':
      assert(false, 'the connection hands basic.publish to the publisher');
      return;
    default:
      return assertNever(method, 'a method of class basic');
  }
}

function get(connection: MethodConnection, channel: Channel, method: Method<'basic.get'>): void {
  const name = resolveQueueName(channel, method.queue);
  connection.grants.requireQueue('read', name);
  const { vhost } = connection;
  const queue: ConsumerSource = notStream(vhost.queue(name, connection), vhost.name, 'basic.get');
  if (queue.rules.singleActiveConsumer && !queue.type.getBesideSingleActive) {
    const where = queueIn(connection.vhost.name, queue.name);
    throw new AmqpError(
      'RESOURCE_LOCKED',
      `cannot obtain access to locked ${where}. basic.get operations are not supported by ` +
        `${queue.type.name} queues with single active consumer`,
    );
  }
  let seen: SeenMessage | undefined;
  const entry = queue.get(method.noAck, (taken) => {
    seen = seeGot(connection.core.log, queue, taken);
  });
  if (entry !== null) {
    channel.deliverGet(queue, entry, method.noAck, seen as SeenMessage);
  } else if (queue.paused) {
    getEmpty(channel);
  } else if (queue.overdue) {
    const again = (): void => get(connection, channel, method);
    channel.act(queue.droppingExpired(), again, false, BASIC_GET);
  } else if (queue.waitsForMark) {
    // The message may go out only once the disk knows that it may have been delivered.
    const { batch } = connection.core.store;
    connection.waits.forDisk(batch, channel.number, BASIC_GET, () =>
      get(connection, channel, method),
    );
  } else {
    getEmpty(channel);
  }
}

function getEmpty(channel: Channel): void {
  channel.counts.getEmpty += 1;
  channel.send('basic.get-empty', {});
}

function consume(
  connection: MethodConnection,
  channel: Channel,
  method: Method<'basic.consume'>,
): void {
  const { vhost } = connection;
  if (method.queue === REPLY_TO) {
    consumeReplies(connection, channel, method);
    return;
  }
  const tag = newConsumerTag(connection, channel, method.consumerTag);
  const name = resolveQueueName(channel, method.queue);
  connection.grants.requireQueue('read', name);
  const superStream = vhost.superStreams.named(name);
  if (superStream !== null) return consumeSuperStream(channel, superStream, tag, method);
  const queue = vhost.queue(name, connection);
  checkConsumerArguments(queue.name, vhost.name, queue.arguments, method.arguments);
  if (queue.isStream) return consumeStream(channel, queue, tag, method);
  const wantsAlone = method.exclusive && queue.type.exclusiveConsumers;
  const shared = queue.consumers.length > 0 || queue.rules.singleActiveConsumer;
  if (queue.exclusiveConsumer !== null || (wantsAlone && shared)) {
    const where = queueIn(vhost.name, queue.name);
    throw new AmqpError('ACCESS_REFUSED', `${where} in exclusive use`, {
      reason: 'exclusive-consumer',
    });
  }
  // consume-ok is in the outbox before the turn's end can deliver anything.
  if (!method.noWait) channel.send('basic.consume-ok', { consumerTag: tag });
  channel.addConsumer(queue, tag, method.noAck, wantsAlone, method.arguments);
}

/** Consumes the replies to what this channel asks: RabbitMQ's direct reply-to. */
function consumeReplies(
  connection: MethodConnection,
  channel: Channel,
  method: Method<'basic.consume'>,
): void {
  const tag = newConsumerTag(connection, channel, method.consumerTag);
  if (!method.noAck) {
    throw new AmqpError('PRECONDITION_FAILED', 'reply consumer cannot acknowledge');
  }
  if (channel.replyQueue !== null) {
    throw new AmqpError('PRECONDITION_FAILED', 'reply consumer already set');
  }
  if (!method.noWait) channel.send('basic.consume-ok', { consumerTag: tag });
  channel.replyQueue = connection.vhost.replies.open();
  channel.addConsumer(channel.replyQueue, tag, true, false, new Map());
}

/** The tag of a consumer to be, made up if need be. Throws NOT_ALLOWED when there may be none. */
function newConsumerTag(connection: MethodConnection, channel: Channel, wanted: string): string {
  const tag = wanted === '' ? generateName('amq.ctag-') : wanted;
  if (channel.consumers.has(tag)) {
    throw new AmqpError('NOT_ALLOWED', `attempt to reuse consumer tag '${tag}'`, {
      reason: 'consumer-tag-used',
    });
  }
  const max = connection.server.settings.consumerMaxPerChannel;
  if (channel.consumers.size >= max) {
    throw new AmqpError('NOT_ALLOWED', `reached maximum (${max}) of consumers per channel`);
  }
  return tag;
}

function cancel(channel: Channel, { consumerTag, noWait }: Method<'basic.cancel'>): void {
  const then = (): void => {
    if (!noWait) channel.send('basic.cancel-ok', { consumerTag });
  };
  const consumer = channel.consumers.get(consumerTag);
  if (consumer === undefined) return then();
  consumer.queue.catchUp();
  channel.removeConsumer(consumer, then);
}

/** RabbitMQ's meaning: not global is for each consumer to come, global for the whole channel. */
function qos(channel: Channel, method: Method<'basic.qos'>): void {
  if (method.prefetchSize !== 0) {
    throw new AmqpError('NOT_IMPLEMENTED', `prefetch_size!=0 (${method.prefetchSize})`);
  }
  if (method.global) {
    shareCredit(channel, method.prefetchCount);
  } else {
    channel.prefetch = method.prefetchCount;
  }
  channel.send('basic.qos-ok', {});
}

function recover(channel: Channel, requeue: boolean, then: () => void): void {
  if (!requeue) throw new AmqpError('NOT_IMPLEMENTED', 'requeue=false');
  channel.act(channel.deliveries.requeueAll(), then);
}
