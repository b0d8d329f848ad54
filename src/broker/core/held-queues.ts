// Owns the queues of a vhost that is being read back while the broker runs: none of them gives out, drops or dead-letters
// anything before all are there. Never reads one back.

import type { HostedQueue, Watched } from '../queue/ports.ts';
import type { Steps } from '../turn/slices.ts';

/** What is asked of the core for such queues, once they are released. */
interface HeldHost {
  readonly nowMs: number;
  touch(queue: HostedQueue): void;
  watch(who: Watched, dueMs: number): void;
}

/** Queues that are touched, or wait for a time, and are held. As long as they are, they ask no more. */
export class HeldQueues {
  private readonly touched: HostedQueue[] = [];
  private readonly watched: Watched[] = [];

  touch(queue: HostedQueue): void {
    queue.touched = true;
    this.touched.push(queue);
  }

  watch(who: Watched): void {
    who.watchedMs = -Infinity;
    this.watched.push(who);
  }

  /** Lets all of them go on; each looks anew at what it waits for. */
  *releasing(host: HeldHost): Steps {
    for (const queue of this.touched) {
      queue.touched = false;
      if (!queue.deleted) host.touch(queue);
      yield;
    }
    for (const who of this.watched) {
      who.watchedMs = Infinity;
      host.watch(who, host.nowMs);
      yield;
    }
  }
}
