// Owns the words between the window and the server around the broker: what it tells of connections
// and channels, and what it does for tools. Never does anything.

import type { JsonObject } from '../../util/json/json.ts';
import type { Rows } from '../../util/rows.ts';
import type { Grants } from '../access/grants.ts';
import type { MessageCounts } from '../stats/counts.ts';
import type { CountsView, RateView } from '../stats/rates.ts';
import type { Vhost } from '../vhost/vhost.ts';
import type { OwnerView } from './rows.ts';

/** A connection, with RabbitMQ's names for what its HTTP API shows. */
export interface ConnectionView {
  readonly name: string;
  readonly user: string;
  readonly vhost: string;
  readonly node: string;
  readonly type: 'network';
  readonly protocol: 'AMQP 0-9-1';
  readonly host: string;
  readonly port: number;
  readonly peer_host: string;
  readonly peer_port: number;
  readonly ssl: boolean;
  readonly ssl_protocol: string | null;
  readonly ssl_cipher: string | null;
  readonly ssl_hash: null;
  readonly ssl_key_exchange: null;
  /** Of the certificate that the client showed; null: it showed none. */
  readonly peer_cert_subject: string | null;
  readonly peer_cert_issuer: string | null;
  readonly peer_cert_validity: string | null;
  readonly auth_mechanism: string;
  readonly state: 'starting' | 'running' | 'blocked' | 'blocking' | 'flow' | 'closing';
  readonly channels: number;
  readonly channel_max: number;
  readonly frame_max: number;
  /** Seconds between heartbeats; 0: none. */
  readonly timeout: number;
  readonly connected_at: number;
  readonly client_properties: JsonObject;
  /** What the client calls itself; left out where it does not say. */
  readonly user_provided_name?: string;
  readonly user_who_performed_action: string;
  readonly recv_oct: number;
  readonly recv_oct_details: RateView;
  readonly send_oct: number;
  readonly send_oct_details: RateView;
  /** Bytes that wait to be sent. */
  readonly send_pend: number;
}

/** A channel, with RabbitMQ's names. */
export interface ChannelView {
  readonly name: string;
  readonly number: number;
  readonly node: string;
  readonly user: string;
  readonly vhost: string;
  readonly state: 'running' | 'closing';
  readonly confirm: boolean;
  readonly transactional: boolean;
  readonly consumer_count: number;
  readonly prefetch_count: number;
  readonly global_prefetch_count: number;
  readonly messages_unacknowledged: number;
  readonly messages_unconfirmed: number;
  readonly messages_uncommitted: number;
  readonly acks_uncommitted: number;
  readonly connection_details: {
    readonly name: string;
    readonly peer_host: string;
    readonly peer_port: number;
    /** What the client calls itself; left out where it does not say. */
    readonly user_provided_name?: string;
  };
  readonly user_who_performed_action: string;
  readonly idle_since?: string;
  /** Left out until something has happened. */
  readonly message_stats: CountsView | undefined;
}

/** A connection or a channel that is closed, and why. */
export interface ClosedView {
  readonly kind: 'connection' | 'channel';
  /** When it closed, ms since the Unix epoch. */
  readonly time: number;
  readonly connection: string;
  /** What the client called itself, its first 255 characters; left out where it did not say. */
  readonly user_provided_name?: string;
  /** The number of a channel; 0 for a connection. */
  readonly channel: number;
  readonly user: string;
  readonly vhost: string;
  readonly by: 'broker' | 'client' | 'network';
  /** The reply code; 0 where there was none. */
  readonly code: number;
  readonly text: string;
  /** The method that was to blame, such as `queue.declare`, or ''. */
  readonly method: string;
  /** What to do about it, in plain words; '' when nothing need be done. */
  readonly advice: string;
}

/** Where the broker listens. */
export interface ListenerView {
  readonly node: string;
  readonly protocol: string;
  readonly ip_address: string;
  readonly port: number;
}

/** A certificate that clients are shown. */
export interface CertificateView {
  readonly port: number;
  readonly subject: string;
  readonly expiresMs: number;
}

/** A message that a tool publishes. */
export interface ToolMessage {
  readonly exchange: string;
  readonly routingKey: string;
  /** The payload of a content-header frame. */
  readonly header: Buffer;
  readonly body: Buffer;
}

/** What connections and channels are chosen by, before anything else of them is looked at. */
export interface PeerPlace {
  /** The name of the connection. */
  readonly connection: string;
  readonly user: string;
  readonly vhost: string;
  /** The number of the channel; 0 for a connection. */
  readonly channel: number;
}

/** Which connections or channels are wanted. */
export type PeerFilter = (place: PeerPlace) => boolean;

/** The name of a channel: that of its connection, and its number. */
export function channelName(connection: string, channel: number): string {
  return `${connection} (${channel})`;
}

/** What a connection that has opened its vhost did so far. */
export interface PeerTraffic {
  readonly vhost: string;
  readonly received: number;
  readonly sent: number;
  /** The counts of its open channels. */
  channels(): Iterable<MessageCounts>;
}

/** What pauses taking connections of AMQP. */
export interface Intake {
  /** Whether an operator wants no new connections for a while. */
  readonly suspended: boolean;
  /** Takes no new connections until `resume`; those that there are stay. */
  suspend(): void;
  /** Takes connections again. Rejects with a Refusal when a port cannot be opened; the others are open then. */
  resume(): Promise<void>;
}

/** What the window needs of the server around a broker. */
export interface ServerPort {
  readonly intake: Intake;
  connections(wanted?: PeerFilter): Rows<ConnectionView>;
  channels(wanted?: PeerFilter): Rows<ChannelView>;
  /** What is shown of the connection that a queue belongs to; null: it is not open. */
  ownerOf(owner: object): OwnerView | null;
  /** What closed last, the newest first. */
  closed(): readonly ClosedView[];
  listeners(): readonly ListenerView[];
  /** The certificates in use, with when they expire, ms since the Unix epoch. */
  certificates(): readonly CertificateView[];
  /** The counts of all open channels. */
  channelCounts(): Iterable<MessageCounts>;
  /** What the open connections have done, with their vhosts. */
  peers(): Rows<PeerTraffic>;
  /** Objects whose traffic is counted, with their bytes in and out. */
  traffic(): Iterable<{ readonly key: object; readonly values: readonly number[] }>;
  /** Ends the connections of these names with 320 and this reason. */
  closeConnections(names: ReadonlySet<string>, reason: string): void;
  /** Resolves when `batch` is durable. */
  durable(batch: number): Promise<void>;
  /** Publishes as a client would; resolves, once it is safe, with whether any queue took it. */
  publish(grants: Grants, vhost: Vhost, message: ToolMessage): Promise<boolean>;
}

/** For a broker without a server: the data folder of a stopped one. */
export const NO_SERVER: ServerPort = {
  connections: () => [],
  channels: () => [],
  ownerOf: () => null,
  closed: () => [],
  listeners: () => [],
  intake: { suspended: false, suspend: () => {}, resume: () => Promise.resolve() },
  certificates: () => [],
  channelCounts: () => [],
  peers: () => [],
  traffic: () => [],
  closeConnections: () => {},
  durable: () => Promise.resolve(),
  publish: () => Promise.reject(new Error('the broker does not run')),
};
