// Owns where the groups of vhosts of a cluster are, as a broker of one of them sees it. Never finds it out.

import type { Socket } from 'node:net';
import type { ProxiedPeer } from '../util/proxy/proxy-line.ts';

/** Where the groups of vhosts of a cluster are. */
export interface GroupPlaces {
  /** The group of this server. */
  readonly own: string;
  /** Where clients reach the node that leads a group, `host:port`; null: that is not known. */
  addressOf(group: string): string | null;
  /** Whether another group is known, so that a client may have to be given to it. */
  readonly others: boolean;
  /** A connection to the node that leads a group, as one of this client. Rejects with an error that says why there is none. */
  open(group: string, client: ProxiedPeer): Promise<Socket>;
}
