// Owns what is known of streams, which there are not: policies may be meant for them. Never declares one.

import type { KnownQueueType } from './queue-type.ts';

export const STREAM = {
  name: 'stream',
  applyTo: 'streams',
} as const satisfies KnownQueueType;
