// Owns the places at which a program that runs a broker inside itself may take part: which connections come in, and
// what their channels are made of. Never takes part itself.

import type { UnfinishedBytes } from './backpressure/unfinished-bytes.ts';
import { Channel } from './channel/channel.ts';
import type { MethodConnection } from './methods/method-connection.ts';

/** Where faults for tests come in. */
export interface ServerPorts {
  /** Whether one more connection may come, if the server has room for it. */
  admits(): boolean;
  makeChannel(number: number, connection: MethodConnection, holdings: UnfinishedBytes): Channel;
}

/** A server without faults. */
export const SOUND_PORTS: ServerPorts = {
  admits: () => true,
  makeChannel: (number, connection, holdings) => new Channel(number, connection, holdings),
};
