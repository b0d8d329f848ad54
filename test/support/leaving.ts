// Owns what a peer may have sent before it leaves, for tests that try each beside each way to leave.

import type { RawConnection } from './amqp-raw.ts';
import { encodeMethod } from './amqp-wire.ts';

/** The close that a client sends. */
export const CLOSE = encodeMethod(0, 'connection.close', { replyCode: 200, replyText: 'bye' });

/** What came before. */
export const BEFORE_LEAVING: Record<string, (raw: RawConnection) => Promise<unknown> | unknown> = {
  'says no more': () => {},
  'sends its close': (raw) => raw.write(CLOSE),
  'has its answer': (raw) => {
    raw.write(CLOSE);
    return raw.next();
  },
  'was sent a close': (raw) => raw.call(0, 'channel.open'),
};
