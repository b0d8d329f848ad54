// Owns how a connection or a channel ended. Never ends one.

import type { AmqpError } from '../../amqp/errors.ts';

/** How something ended: by which side, the reply code or 0, the method to blame or 0, and why. */
export interface Ending {
  readonly by: 'broker' | 'client' | 'network';
  readonly code: number;
  readonly key: number;
  text: string;
}

/** The ending that an error of the peer's brings about. */
export function byBroker(error: AmqpError, key: number): Ending {
  return { by: 'broker', code: error.code, key, text: error.replyText };
}
