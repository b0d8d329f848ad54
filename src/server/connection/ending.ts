// Owns how a connection or a channel ended. Never ends one.

import type { AmqpError, ErrorReason } from '../../amqp/errors.ts';

/** Why something ended, where more can be said about it than its code and text do. */
export type EndReason =
  | ErrorReason
  | 'foreign-protocol'
  | 'hung-up'
  | 'no-heartbeat'
  | 'reads-nothing'
  | 'took-too-long';

/** How something ended: by which side, the reply code or 0, the method to blame or 0, and why. */
export interface Ending {
  readonly by: 'broker' | 'client' | 'network';
  readonly code: number;
  readonly key: number;
  text: string;
  reason: EndReason | null;
}

/** The ending that an error of the peer's brings about. */
export function byBroker(error: AmqpError, key: number): Ending {
  return { by: 'broker', code: error.code, key, text: error.replyText, reason: error.reason };
}

/** Whether the error of a socket says that its peer is gone. */
export function hasHungUp({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNRESET' || code === 'EPIPE';
}
