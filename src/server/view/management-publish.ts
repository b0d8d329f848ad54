// Owns publishing on behalf of a tool: by the same publisher that clients have, on a channel that is
// none. Never writes to a socket.

import { PUBLISH_MANDATORY } from '../../amqp/constants.ts';
import { AmqpError } from '../../amqp/errors.ts';
import type { Grants } from '../../broker/access/grants.ts';
import type { Broker } from '../../broker/broker.ts';
import { MessageCounts } from '../../broker/stats/counts.ts';
import { finish, type Steps } from '../../broker/turn/slices.ts';
import type { Vhost } from '../../broker/vhost/vhost.ts';
import type { ToolMessage } from '../../broker/view/server-port.ts';
import { isShort, SHORT_BYTES_MAX } from '../../util/limits.ts';
import { AllUnfinishedBytes, UnfinishedBytes } from '../backpressure/unfinished-bytes.ts';
import { Confirms } from '../channel/publish/confirms.ts';
import { Publisher, type PublishLimits } from '../channel/publish/publisher.ts';
import type { PublisherChannel } from '../channel/publish/publisher-channel.ts';

/** Class, method and ticket stand before the exchange in the payload of basic.publish. */
const ADDRESS_OFFSET = 6;

/** A channel for one publish, which only notes what became of it. */
class ToolChannel implements PublisherChannel {
  readonly number = 0;
  readonly connectionName = 'management';
  readonly userName: string;
  readonly grants: Grants;
  readonly counts = new MessageCounts();
  readonly confirms = new Confirms();
  readonly transaction = null;
  readonly replyQueue = null;
  readonly deliveries = null;
  readonly leases = null;
  readonly holdings: UnfinishedBytes;
  routed = true;

  constructor(grants: Grants, broker: Broker) {
    this.grants = grants;
    this.userName = grants.user.name;
    this.holdings = new UnfinishedBytes(new AllUnfinishedBytes(broker.core));
  }

  returnUnroutable(): void {
    this.routed = false;
  }

  confirmsChanged(): void {}

  act(steps: Steps, then: () => void): void {
    finish(steps);
    then();
  }

  rest(): void {}
}

/** What became of a publish: whether any queue took it, and the batch it is safe with, 0 for none. */
export interface ToolPublish {
  readonly routed: boolean;
  readonly batch: number;
}

/** Publishes a message as a client with these rights would. Throws its AmqpErrors. */
export function publishForTool(
  broker: Broker,
  vhost: Vhost,
  grants: Grants,
  message: ToolMessage,
  limits: PublishLimits,
): ToolPublish {
  const channel = new ToolChannel(grants, broker);
  const publisher = new Publisher(broker.core, vhost, channel, limits);
  const { assembly } = publisher;
  const method = publishPayload(message.exchange, message.routingKey);
  assembly.begin(method, 0, method.length);
  let complete = assembly.header(message.header, 0, message.header.length);
  if (!complete) complete = assembly.body(message.body, 0, message.body.length);
  const { batch } = broker.core.store;
  try {
    publisher.publishAssembled();
  } finally {
    // The channel is closed by now, so to say.
    broker.core.counts.closed.messages.add(channel.counts);
    vhost.closed.messages.add(channel.counts);
  }
  if (channel.confirms.takeNack() !== 0) {
    throw new AmqpError(
      'PRECONDITION_FAILED',
      'a queue refused the message: it is full, or a stream where another id is expected',
    );
  }
  return { routed: channel.routed, batch: channel.confirms.waiting ? batch : 0 };
}

function publishPayload(exchange: string, routingKey: string): Buffer {
  const names = [exchange, routingKey].map((name) => {
    const bytes = Buffer.from(name);
    if (isShort(bytes)) return bytes;
    const text = `an exchange or a routing key is longer than ${SHORT_BYTES_MAX} bytes`;
    throw new AmqpError('PRECONDITION_FAILED', text);
  });
  const [exchangeBytes, keyBytes] = names as [Buffer, Buffer];
  const payload = Buffer.alloc(ADDRESS_OFFSET + exchangeBytes.length + keyBytes.length + 3);
  let at = payload.writeUInt8(exchangeBytes.length, ADDRESS_OFFSET);
  at += exchangeBytes.copy(payload, at);
  at = payload.writeUInt8(keyBytes.length, at);
  at += keyBytes.copy(payload, at);
  payload[at] = PUBLISH_MANDATORY;
  return payload;
}
