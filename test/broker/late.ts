// Owns what the model knows of leases: how many deliveries each consumer of a queue holds, and which consumers are late.
// Never knows times: a step of the simulation says that a lease is over.

/** What one consumer holds. */
interface Held {
  /** Deliveries that it has not settled, those included that were taken back from it. */
  count: number;
  /** Those that were taken back. */
  late: number;
  /** How many it held when the last one was taken back. */
  most: number;
}

/** The consumers of a queue, as far as they hold something. */
export class LateConsumers<C> {
  private readonly held = new Map<C, Held>();

  added(consumer: C): void {
    this.held.set(consumer, { count: 0, late: 0, most: 0 });
  }

  removed(consumer: C): void {
    this.held.delete(consumer);
  }

  /** It was given a message. Says what is wrong with that, or null: one that is late had its share already. */
  given(consumer: C): string | null {
    const held = this.held.get(consumer);
    if (held === undefined) return null;
    held.count += 1;
    const others = [...this.held.values()].some(({ late }) => late === 0);
    if (held.late === 0 || !others || held.count <= held.most) return null;
    return `a late consumer has ${held.count} messages, and had ${held.most}`;
  }

  /** It has settled one in time. */
  settled(consumer: C): void {
    const held = this.held.get(consumer);
    if (held !== undefined) held.count -= 1;
  }

  /** A message was taken back from it. */
  fellBehind(consumer: C): void {
    const held = this.held.get(consumer);
    if (held === undefined) return;
    held.late += 1;
    held.most = held.count;
  }

  /** It has settled one late. */
  settledLate(consumer: C): void {
    const held = this.held.get(consumer);
    if (held === undefined) return;
    held.late -= 1;
    held.count -= 1;
  }

  /** How many it holds, and how many of them were taken back. */
  of(consumer: C): readonly [number, number] {
    const { count = 0, late = 0 } = this.held.get(consumer) ?? {};
    return [count, late];
  }
}
