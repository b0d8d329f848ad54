// Owns which settings can change while the broker runs, and from when a change of each holds. Never changes one:
// live-settings.ts does. A setting that is not here is read once, at the start.

import type { Settings } from '../settings.ts';

/** From when a change holds. */
export type When = 'at once' | 'for new connections' | 'for new channels';

const CHANGEABLE: Partial<Readonly<Record<keyof Settings, When>>> = {
  memoryWatermark: 'at once',
  memoryWatermarkBytes: 'at once',
  memoryTotalBytes: 'at once',
  memoryIntervalMs: 'at once',
  diskFreeLimitBytes: 'at once',
  diskFreeLimitRelative: 'at once',
  flowBacklogMax: 'at once',
  flowBacklogBytesMax: 'at once',
  flowFloor: 'at once',
  logLevel: 'at once',
  loopbackUsers: 'at once',
  connectionMax: 'at once',
  channelMaxPerNode: 'at once',
  consumerMaxPerChannel: 'at once',
  consumerTimeoutMs: 'at once',
  consumerTimeoutAction: 'at once',
  managementOpenProbes: 'at once',
  managementAllowedHosts: 'at once',
  managementAllowedOrigins: 'at once',
  shutdownTimeoutMs: 'at once',
  heartbeatSeconds: 'for new connections',
  frameMaxBytes: 'for new connections',
  initialFrameMaxBytes: 'for new connections',
  channelMax: 'for new connections',
  handshakeTimeoutMs: 'for new connections',
  outboxHighWatermarkBytes: 'for new connections',
  unfinishedMaxBytes: 'for new connections',
  // What a connection may hold follows from it too.
  maxMessageBytes: 'for new connections',
  authMechanisms: 'for new connections',
  anonymousLoginUser: 'for new connections',
  unackedMaxPerChannel: 'for new channels',
  tableDepthMax: 'for new channels',
  tableEntriesMax: 'for new channels',
  maxTransactionBytes: 'for new channels',
};

/** From when a change of a setting holds; null: from the next start. */
export function changesWhen(field: keyof Settings): When | null {
  return CHANGEABLE[field] ?? null;
}
