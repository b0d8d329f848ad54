// Owns a publish on whose route exchanges look for duplicates: it is counted where it is one, and else its key is known
// from now on. Never finds the route.

import type { BrokerCore } from '../../../broker/core/core.ts';
import { ENQUEUED_STORED, enqueue, refusalsIn } from '../../../broker/core/enqueue.ts';
import type { Route } from '../../../broker/routing/route.ts';
import type { RouteKeys } from '../../../broker/routing/route-keys.ts';
import type { Chunk } from '../../../message/chunk.ts';
import { FLAG_PERSISTENT, recordFlags } from '../../../message/record.ts';

/** Puts a publish into its queues, of which there may be none; as `enqueue`. */
export function enqueueKeyed(
  core: BrokerCore,
  chunk: Chunk,
  start: number,
  end: number,
  bodyBytes: number,
  { queues, keep, keys, unroutable }: Route,
  flags: number,
): number {
  keys?.count();
  if (queues.length === 0) {
    // The first one may not be on the disk yet: the confirm of a duplicate has to wait for that as well.
    const waits = !unroutable && (recordFlags(chunk.bytes, start) & FLAG_PERSISTENT) !== 0;
    return waits ? ENQUEUED_STORED : 0;
  }
  const outcome = enqueue(core, chunk, start, end, bodyBytes, queues, keep, flags);
  takeKeys(keys, outcome);
  return outcome;
}

/** The keys of a message are known from now on, unless a queue refused it: then it will come again. */
export function takeKeys(keys: RouteKeys | null, outcome: number): void {
  if (keys !== null && refusalsIn(outcome) === 0) keys.take((outcome & ENQUEUED_STORED) !== 0);
}
