// Owns what the methods of a client need of its connection, and the way from it to the door of its vhost. Never
// handles a method.

import type { Logger } from 'pino';
import type { AmqpError } from '../../amqp/errors.ts';
import type { FieldTable } from '../../amqp/field-table.ts';
import type { MethodFields, MethodName } from '../../amqp/spec.ts';
import type { Grants } from '../../broker/access/grants.ts';
import type { User } from '../../broker/access/user.ts';
import type { Broker } from '../../broker/broker.ts';
import type { Vhost } from '../../broker/vhost/vhost.ts';
import type { VhostActor } from '../../broker/vhost/vhost-actor.ts';
import type { Channel } from '../channel/channel.ts';
import type { ChannelConnection } from '../channel/channel-connection.ts';
import type { ChannelPeer } from '../channel/channel-details.ts';
import type { GroupPlaces } from '../group-places.ts';
import type { LineQuota } from '../log/line-quota.ts';
import type { TlsPeer } from '../tls/peer.ts';
import type { Outbox } from '../wire/outbox.ts';
import type { SaslSettings } from './sasl.ts';

/** The settings that methods go by. */
export interface MethodSettings extends SaslSettings {
  readonly frameMaxBytes: number;
  readonly channelMax: number;
  readonly heartbeatSeconds: number;
  readonly maxTransactionBytes: number;
  readonly consumerMaxPerChannel: number;
}

/** What methods need of the server. */
export interface MethodHost {
  readonly broker: Broker;
  readonly settings: MethodSettings;
  readonly version: string;
  readonly limits: { checkConnection(): void };
  /** Null: all vhosts are here. */
  readonly groups: GroupPlaces | null;
  readonly lines: LineQuota;
  readonly turn: {
    /** Keeps what an outbox is given from now on until `batch` is durable. */
    holdOutput(outbox: Outbox, batch: number): void;
  };
}

/** What methods learn of the peer, or tell of it. */
export interface MethodPeer extends ChannelPeer {
  /** What the handshake of TLS found out; null for a connection without TLS. */
  readonly tls: TlsPeer | null;
  clientProperties: FieldTable;
  mechanism: string;
  /** Seconds between heartbeats, as agreed on. */
  heartbeatSeconds: number;
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
  /** Gives it to the node that leads another group, which has its vhost; where that cannot be, closes it with the error. */
  handOver(group: string, otherwise: AmqpError): void;
  /** Keeps what a client says in its handshake, where it may have to be said again to another node. */
  noteHandshake(bytes: Buffer, start: number, end: number): void;
  readonly log: Logger;
  readonly broker: Broker;
  readonly settings: ChannelConnection['settings'] & MethodSettings;
  readonly facts: MethodPeer;
  readonly channels: ConnectionChannels;
  state: number;
  peerFrameMax: number;
  wantsCancelNotice: boolean;
  /** Whether the peer wants to be told of a refused login. */
  wantsLoginFailure: boolean;
  readonly frames: { frameMax: number; readonly pipelined: boolean };
  /** Why nothing is read now. */
  readonly gate: { pause(reason: number): void };
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
  failed(error: unknown, number?: number, key?: number): void;
  /** Sends connection.close and waits for the answer; `key` is the method to blame, 0 for none. */
  close(error: AmqpError, key: number): void;
  readonly waits: {
    /** Stops reading until `batch` is durable, then runs `resume` and reads on. */
    forDisk(batch: number, number: number, key: number, resume: () => void): void;
    /** Stops reading until a login is decided, then runs `resume` and reads on. */
    forLogin<T>(decision: Promise<T>, key: number, resume: (decided: T) => void): void;
    /** Runs a method that publishes, at once or when no alarm is on any more. */
    forSpace(number: number, key: number, act: () => void): void;
  };
  /** Reads on unless there are more reasons not to than this one. */
  readOn(reason: number): void;
}

/** The door to the vhost of a connection, with the rights of its user. */
export function actorOf(connection: MethodConnection): VhostActor {
  return connection.vhost.as(connection.grants, connection);
}
