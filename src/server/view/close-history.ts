// Owns what is remembered of connections and channels that closed: who closed them, why, and what to
// do about it. Never closes anything.

import { REPLY_CODES } from '../../amqp/errors.ts';
import { methodNameOf } from '../../amqp/method-codec.ts';
import type { ClosedView } from '../../broker/view/server-port.ts';
import type { EndReason } from '../connection/ending.ts';

/** So many are remembered; the oldest are forgotten first. */
const CLOSED_MAX = 500;

/** The end of a connection or a channel, as it was, without advice. */
export interface Closing {
  readonly kind: ClosedView['kind'];
  readonly time: number;
  readonly connection: string;
  readonly user_provided_name?: string;
  readonly channel: number;
  readonly user: string;
  readonly vhost: string;
  readonly by: ClosedView['by'];
  readonly code: number;
  readonly text: string;
  /** The method to blame, as `methodKey` makes it; 0: none. */
  readonly key: number;
  readonly reason: EndReason | null;
}

/** The connections and channels that closed last. */
export class CloseHistory {
  private readonly list: Closing[] = [];

  add(closing: Closing): void {
    this.list.push(closing);
    if (this.list.length > CLOSED_MAX) this.list.shift();
  }

  /** The newest first. */
  view(): ClosedView[] {
    return this.list
      .map((each) => {
        const { key, reason: _, ...closing } = each;
        const method = key === 0 ? '' : (methodNameOf(key) ?? '');
        return { ...closing, method, advice: adviceFor(each) };
      })
      .reverse();
  }
}

/** What to do about it, by the reason of an ending. */
const BY_REASON: Readonly<Record<EndReason, string>> = {
  inequivalent:
    'The client declares something that is there already with other properties. Declare it with the ' +
    'same ones, or delete it first and let the client make it anew.',
  'unknown-delivery':
    'The client settled a delivery twice, or on another channel than it came on. Ack each delivery ' +
    'once, on the channel that brought it; look for automatic acks beside manual ones.',
  'delivery-timeout':
    'A consumer held a message longer than consumer_timeout. Ack earlier, or raise the timeout for ' +
    'the queue (x-consumer-timeout), a policy (consumer-timeout), or all (consumer_timeout).',
  'message-too-large':
    'The message is too large. Send a reference to the content instead, or raise max_message_size.',
  'in-use': 'It was to be deleted only if it is unused, or only if it is empty, and it is not so.',
  'no-queue':
    'The queue is not there (any more). Declare it before it is used; look for auto-delete, ' +
    'exclusive or expiring queues, and for the right vhost.',
  'no-exchange':
    'The exchange is not there. Declare it before publishing or binding; look for the right vhost.',
  'login-refused':
    'The user or its password is wrong, or the user may log in from this machine only ' +
    '(loopback_users). The log says which.',
  'access-refused':
    'The user lacks that permission. Grant it: leveret set_permissions, or PUT /api/permissions.',
  'exclusive-consumer': 'Another consumer has the queue to itself. Wait for it, or drop exclusive.',
  'exclusive-queue':
    'The queue is exclusive to another connection. Use a queue of its own for each connection.',
  stopped:
    'The broker was stopped. Clients should connect again by themselves: enable automatic recovery.',
  'limit-reached': 'A limit was reached: raise it, or look for a client that leaks connections.',
  'no-vhost': 'The vhost is not there, or the user has no permissions in it.',
  'consumer-tag-used':
    'Two consumers of one channel have the same tag. Let the broker choose it: send an empty one.',
  'no-heartbeat':
    'The client was silent for two heartbeats: it hangs, its thread is busy, or the network is gone. ' +
    'Do long work outside of the thread that serves the connection, or ask for a longer heartbeat.',
  'foreign-protocol':
    'This port is for AMQP 0-9-1. Use the port of listeners.ssl for TLS, and that of management for ' +
    'HTTP; look for a health check or a scanner that only connects.',
  'hung-up':
    'The client went away without closing the connection: it crashed, was killed, or never closes.',
  'took-too-long': 'The client did not finish the handshake, or the close, in time.',
  'reads-nothing':
    'The client does not read what it is sent: it hangs, or is too slow. Set a prefetch.',
};

/** The same by the reply code of the broker, where an error has no reason of its own. */
const BY_CODE: ReadonlyMap<number, string> = new Map([
  [REPLY_CODES.CONNECTION_FORCED, 'An operator, or a deleted user or vhost, ended the connection.'],
  [
    REPLY_CODES.CHANNEL_ERROR,
    'The client used a channel that is not open, or opened one twice. Do not share a channel between ' +
      'threads, and open a new one after an error closed it.',
  ],
  [
    REPLY_CODES.UNEXPECTED_FRAME,
    'Frames of two messages came mixed up. Do not publish on one channel from several threads.',
  ],
  [
    REPLY_CODES.FRAME_ERROR,
    'The client sent a frame that is none, or is larger than agreed on: is it AMQP 0-9-1?',
  ],
  [
    REPLY_CODES.NOT_IMPLEMENTED,
    'The client asked for what this broker, like RabbitMQ, does not do.',
  ],
  [
    REPLY_CODES.INTERNAL_ERROR,
    'That is a bug of the broker: please report it with what the log says.',
  ],
]);

function adviceFor({ by, code, reason }: Closing): string {
  if (reason !== null) return BY_REASON[reason];
  return by === 'broker' ? (BY_CODE.get(code) ?? '') : '';
}
