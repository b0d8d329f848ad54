// Owns what a connection needs of the server around it. Never does anything.

import type { Logger } from 'pino';
import type { Clock } from '../../util/clock.ts';
import type { Guard } from '../../util/guard.ts';
import type { TimerWheel } from '../../util/timers.ts';
import type { PeerWatches } from '../backpressure/peer-watches.ts';
import type { Channel } from '../channel/channel.ts';
import type { TimeoutRules } from '../channel/delivery-timeouts.ts';
import type { MethodConnection, MethodHost } from '../methods/method-connection.ts';
import type { ServerPorts } from '../ports.ts';
import type { ServerSettings } from '../settings.ts';
import type { Turn } from '../turn/turn.ts';
import type { Ending } from './ending.ts';
import type { HandedOver } from './hand-over.ts';
import type { NodeLimits } from './node-limits.ts';

/** The server around a connection. */
export interface ConnectionHost extends MethodHost {
  readonly log: Logger;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly peerGuard: Guard;
  readonly timeoutRules: TimeoutRules;
  readonly watches: PeerWatches;
  readonly ports: ServerPorts;
  readonly turn: Turn;
  readonly settings: ServerSettings;
  readonly limits: NodeLimits;
  /** The sockets of connections that other nodes serve. */
  readonly handedOver: HandedOver;
  /** A connection has logged in: its socket gives way to no other any more. */
  connectionKnown(connection: MethodConnection): void;
  /** A connection or one channel of it is closed; null: the connection. */
  connectionEnded(connection: MethodConnection, channel: Channel | null, how: Ending): void;
  /** Nothing waits for the connection any more. */
  connectionGone(connection: MethodConnection): void;
  /** Whether what was thrown ends the broker. */
  isFatal(error: unknown): boolean;
}
