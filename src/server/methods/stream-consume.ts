// Owns subscribing to a stream: what a consumer of one has to ask for, and what it may not. Never holds where it reads.

import { AmqpError } from '../../amqp/errors.ts';
import type { Method } from '../../amqp/spec.ts';
import { queueIn } from '../../broker/names-in-texts.ts';
import { readingSpecOf } from '../../broker/queue/stream/reading/reading-spec.ts';
import type { Stream } from '../../broker/queue/stream/stream.ts';
import type { Channel } from '../channel/channel.ts';

/** Throws RabbitMQ's AmqpError where a consumer of a stream has no prefetch of its own, or does not ack. */
function checkReader(channel: Channel, vhost: string, name: string, noAck: boolean): void {
  const where = queueIn(vhost, name);
  if (channel.prefetch === 0) {
    const text = `consumer prefetch count is not set for '${where}'`;
    throw new AmqpError('PRECONDITION_FAILED', text);
  }
  if (noAck) {
    const text = `automatic acknowledgement not supported by stream queues ${where}`;
    throw new AmqpError('NOT_IMPLEMENTED', text);
  }
  if (channel.credit.limit !== 0) {
    throw new AmqpError('NOT_IMPLEMENTED', `${where} does not support global qos`);
  }
}

/** Subscribes to a stream; the arguments were checked. Throws AmqpErrors for what is not allowed. */
export function consumeStream(
  channel: Channel,
  stream: Stream,
  tag: string,
  method: Method<'basic.consume'>,
): void {
  checkReader(channel, channel.vhost.name, stream.name, method.noAck);
  const spec = readingSpecOf(method.arguments, tag, method.consumerTag !== '');
  const reading = stream.reading(spec);
  if (!method.noWait) channel.send('basic.consume-ok', { consumerTag: tag });
  channel.addConsumer(reading, tag, false, false, method.arguments);
}
