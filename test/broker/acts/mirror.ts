// Owns what each queue of the simulation of long acts has to hold, told of everything that a queue does at the
// moment that it does it. Never decides what a queue should do: what an act does in whole, the test says.

import type { Broker } from '../../../src/broker/broker.ts';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import { readRecord } from '../inspect.ts';
import type { Actor } from './actor.ts';

/** A message in one queue. */
export interface Held {
  readonly id: number;
  /** The channel it was delivered to, and its tag there; null: it is ready. */
  out: { readonly channel: Actor; readonly tag: number } | null;
}

/** The number that the body of a message begins with, and that of its transaction. */
export function idsAt(broker: Broker, position: number): [id: number, transaction: number] {
  const { body } = readRecord(broker.core.log, position);
  return [body.readUInt32BE(0), body.readUInt32BE(4)];
}

/** One queue. */
export class Mirror {
  readonly queue: Queue;
  /** Whether messages have to come in the order of their numbers. */
  private readonly ascends: boolean;
  private readonly broker: Broker;
  /** In the order in which they came. */
  private readonly held = new Map<number, Held>();
  private highest = 0;

  constructor(broker: Broker, queue: Queue, ascends: boolean) {
    this.broker = broker;
    this.queue = queue;
    this.ascends = ascends;
    this.watch();
  }

  get ids(): number[] {
    return [...this.held.keys()];
  }

  get readyCount(): number {
    let count = 0;
    for (const { out } of this.held.values()) if (out === null) count += 1;
    return count;
  }

  /** Comes back from a disk that has these. */
  restore(ids: readonly number[]): void {
    for (const id of ids) this.held.set(id, { id, out: null });
    this.highest = Math.max(0, ...ids);
  }

  /** One is delivered: it has to be the first of those that are ready. */
  give(position: number, channel: Actor, tag: number): void {
    const [id] = idsAt(this.broker, position);
    const first = this.firstReady();
    if (first?.id !== id) throw new Error(`${this.queue.name} gives ${id}, not ${first?.id}`);
    first.out = { channel, tag };
  }

  private firstReady(): Held | null {
    for (const held of this.held.values()) if (held.out === null) return held;
    return null;
  }

  private heldAt(seq: number): Held {
    const [id] = idsAt(this.broker, this.queue.messages.positionOf(seq));
    const held = this.held.get(id);
    if (held === undefined) throw new Error(`${this.queue.name} has no message ${id}`);
    return held;
  }

  /** A message that was out ends, or comes back: each act settles in the order of its tags. */
  private settled(seq: number): Held {
    const held = this.heldAt(seq);
    if (held.out === null) throw new Error(`message ${held.id} is settled, and was not delivered`);
    held.out.channel.settles(held.out.tag);
    held.out = null;
    return held;
  }

  private watch(): void {
    const { queue, held } = this;
    const push = queue.push.bind(queue);
    queue.push = (position, bodyBytes, flags) => {
      const [id] = idsAt(this.broker, position);
      if (held.has(id)) throw new Error(`message ${id} comes twice to ${queue.name}`);
      held.set(id, { id, out: null });
      const taken = push(position, bodyBytes, flags);
      if (!taken) held.delete(id);
      else this.came(id);
      return taken;
    };
    const settle = queue.settle.bind(queue);
    queue.settle = (seq) => {
      held.delete(this.settled(seq).id);
      settle(seq);
    };
    const requeue = queue.requeue.bind(queue);
    queue.requeue = (seq) => {
      this.settled(seq);
      requeue(seq);
    };
    const { endings } = queue;
    const die = endings.die.bind(endings);
    endings.die = (seq, reason) => {
      const dead = reason === 'rejected' ? this.settled(seq) : this.heldAt(seq);
      if (dead !== this.firstReady() && reason === 'maxlen') {
        throw new Error(`${queue.name} drops ${dead.id}, which is not the oldest`);
      }
      held.delete(dead.id);
      die(seq, reason);
    };
    const purging = queue.purging.bind(queue);
    queue.purging = (told) =>
      purging((count) => {
        if (count !== this.readyCount) throw new Error(`${queue.name} purges ${count} messages`);
        for (const { id, out } of held.values()) if (out === null) held.delete(id);
        told(count);
      });
  }

  private came(id: number): void {
    if (this.ascends && id < this.highest) {
      throw new Error(`message ${id} comes to ${this.queue.name} behind ${this.highest}`);
    }
    this.highest = Math.max(this.highest, id);
  }
}
