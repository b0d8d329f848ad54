// Owns what a channel needs of its connection. Never does anything.

import type { AmqpError } from '../../amqp/errors.ts';
import type { Grants } from '../../broker/access/grants.ts';
import type { User } from '../../broker/access/user.ts';
import type { BrokerCore } from '../../broker/core/core.ts';
import type { Vhost } from '../../broker/vhost/vhost.ts';
import type { ActGate } from '../backpressure/act-gate.ts';
import type { Outbox } from '../wire/outbox.ts';
import type { ChannelPeer } from './channel-details.ts';
import type { TimeoutRules } from './delivery-timeouts.ts';
import type { PublishLimits } from './publish/publisher.ts';

/** A channel with confirms to send. */
export interface ConfirmingChannel {
  /** Whether the server has it on its list. */
  confirmsListed: boolean;
  /** Sends what is safe now that `durableBatch` is durable; returns whether others still wait. */
  flushConfirms(durableBatch: number): boolean;
}

/** What a channel needs of its connection. */
export interface ChannelConnection {
  readonly name: string;
  readonly facts: ChannelPeer;
  readonly user: User;
  readonly grants: Grants;
  readonly core: BrokerCore;
  readonly vhost: Vhost;
  readonly outbox: Outbox;
  /** The largest frame the peer takes. */
  readonly peerFrameMax: number;
  readonly settings: PublishLimits & { readonly unackedMaxPerChannel: number };
  /** Whether the peer wants to be told of consumers that the broker cancels. */
  readonly wantsCancelNotice: boolean;
  readonly timeoutRules: TimeoutRules;
  /** Asks that `flushConfirms` be called at the end of the turn. */
  listConfirms(channel: ConfirmingChannel): void;
  /** Where long acts make the peer wait. */
  readonly acts: ActGate;
  /** Closes the channel over an error that no method is to blame for. */
  channelFailed(channel: { readonly number: number }, error: AmqpError): void;
}
