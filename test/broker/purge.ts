// Owns purges in one go, for tests. Never asserts.

import type { Queue } from '../../src/broker/queue/queue.ts';
import { finish } from '../../src/broker/turn/slices.ts';
import { atOnce } from '../../src/broker/vhost/unbinding.ts';
import type { Vhost } from '../../src/broker/vhost/vhost.ts';

/** Removes all ready messages of a queue; returns how many. */
export function purgeNow(queue: Queue): number {
  let count = 0;
  finish(
    queue.purging((ready) => {
      count = ready;
    }),
  );
  return count;
}

/** The same as an act of a client, of which the next batch knows. */
export function purgeIn(vhost: Vhost, queue: Queue): number {
  let count = 0;
  vhost.purgeQueueBy(atOnce, queue, (ready) => {
    count = ready;
  });
  return count;
}
