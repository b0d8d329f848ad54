// Owns the deaths of one queue that take more than one turn: one whose dead letter goes to very many queues, and
// those behind it, in order. Never makes a dead letter, and never decides that a message is dead.

import type { Steps } from '../../turn/slices.ts';
import type { QueueMessages } from '../messages/queue-messages.ts';
import type { DeathReason, DyingQueue, HostedQueue, QueueHost } from '../ports.ts';

/** So many of the deaths that waited share one batch, so that nothing waits for all of them. */
const DEATHS_PER_BATCH = 256;

/** A message that is not ready any more, and waits for those that died before it. */
interface Death {
  readonly seq: number;
  readonly reason: DeathReason;
}

/** A queue whose messages end. */
export interface EndingQueue extends DyingQueue, HostedQueue {
  readonly messages: QueueMessages;
  readonly delays: {
    /** Whether it holds more than may be, with so much more. */
    isOver(moreCount: number, moreBytes: number): boolean;
    /** How many messages wait. */
    readonly count: number;
    /** Makes the message ready that is due first, whenever that is; false: none waits, or not in this turn. */
    promoteFirst(): boolean;
  };
}

/**
 * A message whose dead letter goes to thousands of queues leaves its own in the batch of the last of them: on disk
 * it is here or there. Until then it counts as unacked. Others that die meanwhile wait, so that dead letters
 * keep the order of the deaths.
 */
export class DeathLine {
  private readonly queue: EndingQueue;
  private readonly host: QueueHost;
  /** Ends the life of a message; returns the steps of its dead letter where they are many, and it has not ended. */
  private readonly end: (death: Death) => Steps | null;
  private waiting: Death[] = [];
  /** Whether a death is under way. */
  busy = false;

  constructor(queue: EndingQueue, host: QueueHost, end: (death: Death) => Steps | null) {
    this.queue = queue;
    this.host = host;
    this.end = end;
  }

  /** Hands on a dead letter in steps, and then ends its message. Must not be called while one is under way. */
  begin(seq: number, letter: Steps): void {
    this.busy = true;
    this.host.slices.whole(this.ending(seq, letter), this.next);
  }

  /** Has a message die behind those that are under way. */
  add(seq: number, reason: DeathReason): void {
    this.waiting.push({ seq, reason });
  }

  private *ending(seq: number, letter: Steps): Steps {
    yield* letter;
    // A deletion lets go of all messages by itself.
    if (!this.queue.deleted) this.queue.messages.end(seq);
  }

  private readonly next = (): void => {
    // At a stop those that wait stay in their queue, for the next start: they may be more than there is time for.
    if (this.waiting.length > 0 && !this.queue.deleted && !this.host.stopping) {
      // Not at once: one act within the end of the other would go deeper with each.
      this.host.slices.later(() => this.host.slices.whole(this.some(), this.next));
      return;
    }
    this.waiting = [];
    this.busy = false;
    // What expired, or is too much, waited as well.
    if (!this.queue.deleted && !this.queue.touched) this.host.touch(this.queue);
  };

  /** Ends those that wait, up to one that takes more than one turn. */
  private *some(): Steps {
    const deaths = this.waiting.splice(0, DEATHS_PER_BATCH);
    for (let at = 0; at < deaths.length && !this.queue.deleted; at++) {
      const death = deaths[at] as Death;
      const letter = this.end(death);
      if (letter !== null) {
        this.waiting.unshift(...deaths.slice(at + 1));
        yield* this.ending(death.seq, letter);
        return;
      }
      yield;
    }
  }
}
