// Owns where a channel is, for tools that look at consumers. Never looks at the channel itself.

import type { ChannelDetails } from '../../broker/queue/consumer.ts';
import { channelName } from '../../broker/view/server-port.ts';

/** What is known of the connection of a channel. */
export interface ChannelPeer {
  readonly name: string;
  readonly peerHost: string;
  readonly peerPort: number;
  /** What the client calls itself; '' when it does not say. */
  readonly clientName: string;
}

/** What the client calls itself, its `connection_name`, as tools are shown it; nothing where it does not say. */
export function ownName({ clientName }: Pick<ChannelPeer, 'clientName'>): {
  readonly user_provided_name?: string;
} {
  return clientName === '' ? {} : { user_provided_name: clientName };
}

/** Where a channel is, as consumers are shown with it. */
export function channelDetails(
  facts: ChannelPeer,
  user: string,
  number: number,
  node: string,
): ChannelDetails {
  return {
    connection_name: facts.name,
    name: channelName(facts.name, number),
    node,
    number,
    peer_host: facts.peerHost,
    peer_port: facts.peerPort,
    user,
    ...ownName(facts),
  };
}
