// Owns subscribing to a stream: what a consumer of one has to ask for, and what it may not. Never holds where it reads.

import { AmqpError } from '../../amqp/errors.ts';
import { type FieldTable, textField } from '../../amqp/field-table.ts';
import type { Method } from '../../amqp/spec.ts';
import { queueIn } from '../../broker/names-in-texts.ts';
import { checkConsumerArguments } from '../../broker/queue/arguments/check-arguments.ts';
import type { StreamReading } from '../../broker/queue/stream/reading/reading.ts';
import { readingSpecOf } from '../../broker/queue/stream/reading/reading-spec.ts';
import type { Stream } from '../../broker/queue/stream/stream.ts';
import { QUEUE_TYPE } from '../../broker/queue/types/registry.ts';
import type { SuperStream } from '../../broker/vhost/super-streams.ts';
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

/** What super streams are consumed with is what streams are. */
const STREAM_ARGUMENTS: FieldTable = new Map([[QUEUE_TYPE, textField('stream')]]);

/**
 * Subscribes to all partitions of a super stream, as one of a group; reading from its name was allowed. Throws AmqpErrors for
 * what is not allowed.
 */
export function consumeSuperStream(
  channel: Channel,
  superStream: SuperStream,
  tag: string,
  method: Method<'basic.consume'>,
): void {
  const { name, partitions } = superStream;
  const vhost = channel.vhost.name;
  for (const { stream } of partitions) channel.grants.requireQueue('read', stream.name);
  checkConsumerArguments(name, vhost, STREAM_ARGUMENTS, method.arguments);
  checkReader(channel, vhost, name, method.noAck);
  const spec = readingSpecOf(method.arguments, tag, method.consumerTag !== '');
  const { group } = spec;
  if (group === null) {
    const text = `super stream '${name}' in vhost '${vhost}' is consumed by groups: x-stream-group is missing`;
    throw new AmqpError('PRECONDITION_FAILED', text);
  }
  subscribe(channel, superStream.reading({ ...spec, group }), tag, method);
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
  subscribe(channel, stream.reading(spec), tag, method);
}

function subscribe(
  channel: Channel,
  reading: StreamReading,
  tag: string,
  method: Method<'basic.consume'>,
): void {
  if (!method.noWait) channel.send('basic.consume-ok', { consumerTag: tag });
  channel.addConsumer(reading, tag, false, false, method.arguments);
}
