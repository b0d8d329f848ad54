// Owns what the methods of a client need of its connection. Never does anything.

import type { Logger } from 'pino';
import type { AmqpError } from '../../amqp/errors.ts';
import type { MethodFields, MethodName } from '../../amqp/spec.ts';
import type { Grants } from '../../broker/access/grants.ts';
import type { User } from '../../broker/access/user.ts';
import type { Broker } from '../../broker/broker.ts';
import type { Vhost } from '../../broker/vhost/vhost.ts';
import type { Channel } from '../channel/channel.ts';
import type { ChannelConnection } from '../channel/channel-connection.ts';
import type { NodeLimits } from '../connection/node-limits.ts';
import type { LineQuota } from '../log/line-quota.ts';
import type { ServerSettings } from '../settings.ts';
import type { Outbox } from '../wire/outbox.ts';

/** What methods need of the server. */
export interface MethodHost {
  readonly broker: Broker;
  readonly settings: ServerSettings;
  readonly version: string;
  readonly limits: NodeLimits;
  readonly lines: LineQuota;
  /** Keeps what an outbox holds from now on until `batch` is durable. */
  holdOutput(outbox: Outbox, batch: number): void;
}

/** The open channels of a connection, those that wait for close-ok included. */
export interface ConnectionChannels {
  /** How many may be open at a time; 0: no limit. */
  max: number;
  at(number: number): Channel | null;
  /** Opens a channel and says so. Throws NOT_ALLOWED when too many are open. */
  open(number: number, connection: MethodConnection): void;
  /** Makes the number free again. */
  free(channel: Channel): void;
}

/** A connection as its methods see it. */
export interface MethodConnection extends ChannelConnection {
  readonly server: MethodHost;
  readonly log: Logger;
  readonly broker: Broker;
  readonly settings: ServerSettings;
  readonly channels: ConnectionChannels;
  state: number;
  peerFrameMax: number;
  wantsCancelNotice: boolean;
  /** Whether the peer wants to be told of a refused login. */
  wantsLoginFailure: boolean;
  readonly frames: { frameMax: number; readonly pipelined: boolean };
  /** Why nothing is read now. */
  readonly gate: { hold(reason: number): void };
  readonly heartbeat: { start(seconds: number): void };
  readonly guard: {
    /** Whether the peer wants to be told that an alarm holds it up. */
    wantsNotice: boolean;
    /** Whether an alarm is on. */
    readonly on: boolean;
    /** So many bytes of a content are still to come. */
    published(bytesLeft: number): void;
    completed(): void;
  };
  readonly closing: {
    byPeer(code: number, text: string): void;
    refuseLogin(mechanism: string, told: boolean): void;
    hangUp(): void;
  };
  send<N extends MethodName>(name: N, fields: MethodFields<N>): void;
  /** The user has proven its identity. */
  authenticated(user: User): void;
  /** Ends the handshake. */
  opened(vhost: Vhost, grants: Grants): void;
  /** Acts on what was thrown while method `key` of a channel was handled. */
  failed(error: unknown, number: number, key: number): void;
  /** Sends connection.close and waits for the answer; `key` is the method to blame, 0 for none. */
  close(error: AmqpError, key: number): void;
  /** Stops reading until `batch` is durable, then runs `resume` and reads on. */
  hold(batch: number, number: number, key: number, resume: () => void): void;
  /** Stops reading until a login is decided, then runs `resume` and reads on. */
  holdLogin<T>(decision: Promise<T>, key: number, resume: (decided: T) => void): void;
  /** Reads on unless there are more reasons not to than this one. */
  readOn(reason: number): void;
  /** Runs a method that publishes, at once or when no alarm is on any more. */
  whenAllowed(number: number, key: number, act: () => void): void;
}
