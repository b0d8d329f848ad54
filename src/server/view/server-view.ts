// Owns what tools are told of connections and channels, and what they may have done through the
// server. Never decides which users may look: management/ does.

import type { Grants } from '../../broker/access/grants.ts';
import type { Broker } from '../../broker/broker.ts';
import { argumentsToJson } from '../../broker/definitions/arguments-json.ts';
import type { MessageCounts } from '../../broker/stats/counts.ts';
import { type Rates, valuesOf } from '../../broker/stats/rates.ts';
import type { Vhost } from '../../broker/vhost/vhost.ts';
import { idleSince, type OwnerView, shownStats } from '../../broker/view/rows.ts';
import {
  type CertificateView,
  type ChannelView,
  type ClosedView,
  type ConnectionView,
  channelName,
  type Intake,
  type ListenerView,
  type PeerFilter,
  type PeerPlace,
  type PeerTraffic,
  type ServerPort,
  type ToolMessage,
} from '../../broker/view/server-port.ts';
import type { JsonObject } from '../../util/json/json.ts';
import type { Rows } from '../../util/rows.ts';
import { PAUSED_BY_ALARM, PAUSED_BY_FLOW, PAUSED_BY_STORE } from '../backpressure/read-gate.ts';
import type { Channel } from '../channel/channel.ts';
import { ownName } from '../channel/channel-details.ts';
import type { PublishLimits } from '../channel/publish/publisher.ts';
import type { Connection } from '../connection/connection.ts';
import type { Ending } from '../connection/ending.ts';
import { forceClose } from '../connection/forced-close.ts';
import type { ListenAddress } from '../listen/listener.ts';
import { CHANNEL_OPEN_STATE, CLOSING, RUNNING } from '../states.ts';
import { CloseHistory } from './close-history.ts';
import { publishForTool } from './management-publish.ts';

/** So much of a client's own name is remembered of a connection that closed. */
const CLOSED_NAME_MAX = 255;
const EVERY: PeerFilter = () => true;

/** What is needed of the server. */
export interface ViewedServer {
  readonly broker: Broker;
  readonly settings: PublishLimits;
  readonly addresses: readonly ListenAddress[];
  readonly intake: Intake;
  readonly certificates: readonly CertificateView[];
  readonly openConnections: ReadonlySet<Connection>;
  readonly turn: { untilDurable(batch: number): Promise<void> };
}

/** The server as the window needs it. */
export class ServerView implements ServerPort {
  private readonly server: ViewedServer;
  private readonly closedList = new CloseHistory();

  constructor(server: ViewedServer) {
    this.server = server;
  }

  *connections(wanted: PeerFilter = EVERY): Rows<ConnectionView> {
    const { rates, core } = this.server.broker;
    for (const connection of this.server.openConnections) {
      yield wanted(placeOf(connection, 0))
        ? viewConnection(connection, rates, core.nodeName)
        : null;
    }
  }

  ownerOf(owner: object): OwnerView | null {
    const connection = owner as Connection;
    if (!this.server.openConnections.has(connection)) return null;
    // Asked for each exclusive queue of a list: the three facts alone.
    const { name, facts } = connection;
    return { name, peer_host: facts.peerHost, peer_port: facts.peerPort };
  }

  *channels(wanted: PeerFilter = EVERY): Rows<ChannelView> {
    const { rates, core } = this.server.broker;
    for (const connection of this.server.openConnections) {
      yield null;
      for (const channel of connection.channels.each()) {
        const place = placeOf(connection, channel.number);
        yield wanted(place) ? viewChannel(connection, channel, rates, core.nodeName) : null;
      }
    }
  }

  *traffic(): Iterable<{ key: object; values: readonly number[] }> {
    for (const { facts } of this.server.openConnections) {
      yield { key: facts, values: [facts.received, facts.sent] };
    }
    for (const counts of this.channelCounts()) yield { key: counts, values: valuesOf(counts) };
  }

  *peers(): Rows<PeerTraffic> {
    for (const connection of this.server.openConnections) {
      const { facts, identity, channels } = connection;
      if (identity.vhost === '') yield null;
      else {
        const { received, sent } = facts;
        yield { vhost: identity.vhost, received, sent, channels: () => countsOf(channels) };
      }
    }
  }

  *channelCounts(): Iterable<MessageCounts> {
    for (const [, channel] of this.openChannels()) yield channel.counts;
  }

  closed(): readonly ClosedView[] {
    return this.closedList.view();
  }

  /** Told that a connection, or one channel of it, is closed. */
  ended(connection: Connection, channel: Channel | null, how: Ending): void {
    // A probe of the port, which connects and goes: it would push out what an operator looks for.
    if (connection.facts.received === 0 && how.by === 'network' && how.reason !== 'took-too-long')
      return;
    this.closedList.add({
      kind: channel === null ? 'connection' : 'channel',
      time: this.server.broker.core.clock.wallMs(),
      connection: connection.name,
      ...ownName({ clientName: connection.facts.clientName.slice(0, CLOSED_NAME_MAX) }),
      channel: channel?.number ?? 0,
      ...connection.identity,
      ...how,
    });
  }

  listeners(): readonly ListenerView[] {
    return this.server.addresses.map(({ host, port, tls }) => ({
      node: this.server.broker.core.nodeName,
      protocol: tls ? 'amqp/ssl' : 'amqp',
      ip_address: host,
      port,
    }));
  }

  get intake(): Intake {
    return this.server.intake;
  }

  certificates(): readonly CertificateView[] {
    return this.server.certificates;
  }

  closeConnections(names: ReadonlySet<string>, reason: string): void {
    const named = [...this.server.openConnections].filter(({ name }) => names.has(name));
    forceClose(named, reason, this.server.broker.core.slices);
  }

  durable(batch: number): Promise<void> {
    return this.server.turn.untilDurable(batch);
  }

  publish(grants: Grants, vhost: Vhost, message: ToolMessage): Promise<boolean> {
    const { routed, batch } = publishForTool(
      this.server.broker,
      vhost,
      grants,
      message,
      this.server.settings,
    );
    return batch === 0 ? Promise.resolve(routed) : this.durable(batch).then(() => routed);
  }

  private *openChannels(): Iterable<readonly [Connection, Channel]> {
    for (const connection of this.server.openConnections) {
      for (const channel of connection.channels.each()) yield [connection, channel];
    }
  }
}

function* countsOf(channels: Connection['channels']): Iterable<MessageCounts> {
  for (const { counts } of channels.each()) yield counts;
}

function placeOf({ name, identity: place }: Connection, channel: number): PeerPlace {
  return { connection: name, user: place.user, vhost: place.vhost, channel };
}

function viewConnection(connection: Connection, rates: Rates, node: string): ConnectionView {
  const { facts, channels } = connection;
  const { tls } = facts;
  return {
    name: connection.name,
    ...connection.identity,
    node,
    type: 'network',
    protocol: 'AMQP 0-9-1',
    host: facts.host,
    port: facts.port,
    peer_host: facts.peerHost,
    peer_port: facts.peerPort,
    ssl: tls !== null,
    ssl_protocol: tls?.protocol.toLowerCase() ?? null,
    ssl_cipher: tls?.cipher ?? null,
    // TLS 1.3 has neither, and OpenSSL names a suite as a whole.
    ssl_hash: null,
    ssl_key_exchange: null,
    ...facts.certificate,
    auth_mechanism: facts.mechanism,
    state: stateOf(connection),
    channels: channels.count,
    channel_max: channels.max,
    frame_max: connection.peerFrameMax,
    timeout: facts.heartbeatSeconds,
    connected_at: facts.connectedMs,
    ...ownName(facts),
    user_who_performed_action: connection.identity.user,
    client_properties: argumentsToJson(facts.clientProperties)['arguments'] as JsonObject,
    recv_oct: facts.received,
    recv_oct_details: rates.of(facts, 0),
    send_oct: facts.sent,
    send_oct_details: rates.of(facts, 1),
    send_pend: facts.unsent,
  };
}

function stateOf({ state, gate, guard }: Connection): ConnectionView['state'] {
  if (state >= CLOSING) return 'closing';
  if (state < RUNNING) return 'starting';
  if (gate.isPausedBy(PAUSED_BY_ALARM)) return 'blocked';
  if (guard.on) return 'blocking';
  return gate.isPausedBy(PAUSED_BY_FLOW) || gate.isPausedBy(PAUSED_BY_STORE) ? 'flow' : 'running';
}

function viewChannel(
  connection: Connection,
  channel: Channel,
  rates: Rates,
  node: string,
): ChannelView {
  const { facts } = connection;
  const { confirms, transaction } = channel;
  return {
    name: channelName(connection.name, channel.number),
    number: channel.number,
    node,
    ...connection.identity,
    state: channel.state === CHANNEL_OPEN_STATE ? 'running' : 'closing',
    confirm: confirms !== null,
    transactional: transaction !== null,
    consumer_count: channel.consumers.size,
    prefetch_count: channel.prefetch,
    global_prefetch_count: channel.credit.limit,
    messages_unacknowledged: channel.deliveries.unacked.count,
    messages_unconfirmed: confirms?.unconfirmed ?? 0,
    messages_uncommitted: transaction?.publishes.length ?? 0,
    acks_uncommitted: transaction?.tags.length ?? 0,
    connection_details: {
      name: connection.name,
      peer_host: facts.peerHost,
      peer_port: facts.peerPort,
      ...ownName(facts),
    },
    user_who_performed_action: connection.identity.user,
    message_stats: shownStats(rates.view(channel.counts, channel.counts, 'channels')),
    ...idleSince(rates, channel.counts),
  };
}
