// Owns what is remembered of connections and channels that closed: who closed them, why, and what to
// do about it. Never closes anything.

import { methodNameOf } from '../../amqp/method-codec.ts';
import type { ClosedView } from '../../broker/view/host.ts';

/** So many are remembered; the oldest are forgotten first. */
const CLOSED_MAX = 500;

/** The end of a connection or a channel, before anybody has thought about it. */
export interface Closing {
  readonly kind: ClosedView['kind'];
  readonly time: number;
  readonly connection: string;
  readonly channel: number;
  readonly user: string;
  readonly vhost: string;
  readonly by: ClosedView['by'];
  readonly code: number;
  readonly text: string;
  /** The method to blame, as `methodKey` makes it; 0: none. */
  readonly key: number;
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
      .map(({ key, ...closing }) => ({
        ...closing,
        method: key === 0 ? '' : (methodNameOf(key) ?? ''),
        advice: adviceFor(closing.code, closing.text),
      }))
      .reverse();
  }
}

/** What to do about a reply code with this text; the first that fits. */
const ADVICE: readonly (readonly [code: number, text: RegExp, advice: string])[] = [
  [
    406,
    /inequivalent arg/,
    'The client declares something that is there already with other properties. Declare it with the ' +
      'same ones, or delete it first and let the client make it anew.',
  ],
  [
    406,
    /unknown delivery tag/,
    'The client settled a delivery twice, or on another channel than it came on. Ack each delivery ' +
      'once, on the channel that brought it; look for automatic acks beside manual ones.',
  ],
  [
    406,
    /timed out/,
    'A consumer held a message longer than consumer_timeout. Ack earlier, or raise the timeout for ' +
      'the queue (x-consumer-timeout), a policy (consumer-timeout), or all (consumer_timeout).',
  ],
  [
    406,
    /larger than configured max size/,
    'The message is too large. Send a reference to the content instead, or raise max_message_size.',
  ],
  [
    406,
    /in use|not empty/,
    'It was to be deleted only if nobody uses it, or only if it is empty, and it is not so.',
  ],
  [
    404,
    /no queue/,
    'The queue is not there (any more). Declare it before it is used; look for auto-delete, ' +
      'exclusive or expiring queues, and for the right vhost.',
  ],
  [
    404,
    /no exchange/,
    'The exchange is not there. Declare it before publishing or binding; look for the right vhost.',
  ],
  [
    403,
    /Login was refused/,
    'The user or its password is wrong, or the user may log in from this machine only ' +
      '(loopback_users). The log says which.',
  ],
  [
    403,
    /access to .* refused for user/,
    'The user lacks that permission. Grant it: leveret set_permissions, or PUT /api/permissions.',
  ],
  [
    403,
    /exclusive use/,
    'Another consumer has the queue to itself. Wait for it, or drop exclusive.',
  ],
  [
    405,
    /exclusive access/,
    'The queue is exclusive to another connection. Use a queue of its own for each connection.',
  ],
  [
    320,
    /shutdown/,
    'The broker was stopped. Clients should connect again by themselves: enable automatic recovery.',
  ],
  [320, /./, 'An operator, or a deleted user or vhost, ended the connection.'],
  [530, /limit/, 'A limit was reached: raise it, or look for a client that leaks connections.'],
  [530, /vhost/, 'The vhost is not there, or the user has no permissions in it.'],
  [
    530,
    /consumer tag/,
    'Two consumers of one channel have the same tag. Let the broker choose it: send an empty one.',
  ],
  [
    504,
    /./,
    'The client used a channel that is not open, or opened one twice. Do not share a channel between ' +
      'threads, and open a new one after an error closed it.',
  ],
  [
    505,
    /./,
    'Frames of two messages came mixed up. Do not publish on one channel from several threads.',
  ],
  [
    501,
    /./,
    'The client sent a frame that is none, or is larger than agreed on: is it AMQP 0-9-1?',
  ],
  [540, /./, 'The client asked for what this broker, like RabbitMQ, does not do.'],
  [541, /./, 'That is a bug of the broker: please report it with what the log says.'],
  [
    0,
    /no heartbeat|heartbeat/,
    'The client was silent for two heartbeats: it hangs, its thread is busy, or the network is gone. ' +
      'Do long work outside of the thread that serves the connection, or ask for a longer heartbeat.',
  ],
  [
    0,
    /hung up|ECONNRESET/,
    'The client went away without closing the connection: it crashed, was killed, or never closes.',
  ],
  [0, /took too long/, 'The client did not finish the handshake, or the close, in time.'],
  [
    0,
    /takes nothing|does not read|stalled/,
    'The client does not read what it is sent: it hangs, or is too slow. Set a prefetch.',
  ],
];

function adviceFor(code: number, text: string): string {
  const found = ADVICE.find(([of, words]) => of === code && words.test(text));
  return found?.[2] ?? '';
}
