// Owns when a queue has to be looked at again: its next message expires or may go out, or it has been unused for too
// long. Never drops anything.

import type { HostedQueue, QueueHome, QueueHost } from '../ports.ts';
import type { QueueRules } from '../rules.ts';

/** A queue with something that may expire or waits for its time, or that expires itself. */
interface TimedQueue extends HostedQueue {
  readonly name: string;
  readonly rules: QueueRules;
  readonly endings: {
    /** When the next message may expire, ms since the Unix epoch; Infinity: none will. */
    nextExpiryMs(): number;
  };
  readonly delays: {
    /** When a message that waits is due, or made ready for it, ms since the Unix epoch; Infinity: none waits. */
    readonly nextDueMs: number;
  };
  /** When the next message may go out at its pace; null: it has none. */
  readonly pace: { readonly nextMs: number } | null;
}

/** The deadline of one queue. */
export class QueueDeadline {
  private readonly queue: TimedQueue;
  private readonly host: QueueHost;
  private readonly home: QueueHome;
  private lastUsedMs: number;

  constructor(queue: TimedQueue, host: QueueHost, home: QueueHome) {
    this.queue = queue;
    this.host = host;
    this.home = home;
    this.lastUsedMs = host.nowMs;
  }

  /** A client uses the queue, or did until now: that renews `x-expires`. */
  used(): void {
    this.lastUsedMs = this.host.nowMs;
    this.refresh();
  }

  /** Sees to it that the host calls when the next message, or the queue, may expire, or one may go out. */
  refresh(): void {
    const { queue } = this;
    const unusedMs =
      queue.consumers.length > 0 ? Infinity : this.lastUsedMs + queue.rules.expiresMs;
    const paceMs = queue.pace?.nextMs ?? Infinity;
    const dueMs = Math.min(unusedMs, queue.endings.nextExpiryMs(), queue.delays.nextDueMs, paceMs);
    if (dueMs < queue.watchedMs) this.host.watch(queue, dueMs);
  }

  /** The time that was asked for has come: something may have expired. */
  passed(): void {
    const { queue } = this;
    const { expiresMs } = queue.rules;
    const unused = queue.consumers.length === 0 && expiresMs !== Infinity;
    if (unused && this.lastUsedMs + expiresMs <= this.host.nowMs)
      this.home.queueExpired(queue.name);
    else if (!queue.touched) this.host.touch(queue);
  }
}
