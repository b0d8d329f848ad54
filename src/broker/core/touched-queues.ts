// Owns the queues that have something to deliver or to drop, and in which turn they do. Never decides what
// a queue delivers.

import type { Clock } from '../../util/clock.ts';
import type { FlowQuotas } from '../queue/flow-quota.ts';
import type { HostedQueue } from '../queue/ports.ts';
import type { CalledLines } from '../queue/waiting-line.ts';

/** What one turn may take; a queue that is at it goes on for a moment. */
const TURN_MS = 5;
/** The time is looked at after so many queues. */
const QUEUES_PER_LOOK = 16;

/** The queues that were touched, each once. */
export class TouchedQueues {
  delivering = false;
  private queues: HostedQueue[] = [];
  private readonly flowQuotas: FlowQuotas;
  private readonly lines: CalledLines;
  private readonly clock: Clock;
  /** Whether dead letters have had their share of the turn. */
  private readonly letters: { readonly over: boolean };

  constructor(
    flowQuotas: FlowQuotas,
    lines: CalledLines,
    clock: Clock,
    letters: { readonly over: boolean },
  ) {
    this.letters = letters;
    this.flowQuotas = flowQuotas;
    this.lines = lines;
    this.clock = clock;
  }

  get count(): number {
    return this.queues.length;
  }

  add(queue: HostedQueue): void {
    queue.touched = true;
    this.queues.push(queue);
  }

  /**
   * Delivers from every queue, or from as many as a turn has time for. Returns whether some queue has
   * more to give out as soon as the others have had their turn.
   */
  deliver(): boolean {
    const { queues, lines } = this;
    if (queues.length === 0 && !lines.any) return false;
    this.queues = [];
    const endMs = this.clock.monotonicMs() + TURN_MS;
    this.delivering = true;
    // Queues that wait for something they share with other queues go first.
    let more = lines.any && lines.serve();
    for (let i = 0; i < queues.length; i++) {
      const look = i % QUEUES_PER_LOOK === QUEUES_PER_LOOK - 1;
      if ((look && this.clock.monotonicMs() >= endMs) || (i > 0 && this.letters.over)) {
        // Those that are left come first in the next turn.
        const left = queues.slice(i);
        this.queues = left.concat(this.queues);
        more = true;
        break;
      }
      const queue = queues[i] as HostedQueue;
      queue.touched = false;
      if (queue.deleted) continue;
      if (queue.deliver() && !queue.touched) {
        this.add(queue);
        more = true;
      }
      this.flowQuotas.check(queue);
    }
    this.delivering = false;
    return more;
  }
}
