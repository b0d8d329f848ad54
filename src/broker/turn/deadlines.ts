// Owns what is to be called at which time, the earliest first. Never reads a clock and never calls:
// the broker does both.

/**
 * A binary heap of times with what waits for each. Nothing is ever taken back: an object that is
 * called too early or for nothing looks at the time and asks again.
 */
export class Deadlines<T> {
  private readonly times: number[] = [];
  private readonly waiting: T[] = [];

  /** The earliest time, ms since the Unix epoch; Infinity: none. */
  get nextMs(): number {
    return this.times[0] ?? Infinity;
  }

  /** The earliest time that something else than one object waits for; Infinity: none. Looks at all of them. */
  nextMsWithout(who: T): number {
    let nextMs = Infinity;
    for (let at = 0; at < this.times.length; at++) {
      if (this.waiting[at] !== who) nextMs = Math.min(nextMs, this.times[at] as number);
    }
    return nextMs;
  }

  add(dueMs: number, who: T): void {
    const { times, waiting } = this;
    let at = times.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((times[parent] as number) <= dueMs) break;
      times[at] = times[parent] as number;
      waiting[at] = waiting[parent] as T;
      at = parent;
    }
    times[at] = dueMs;
    waiting[at] = who;
  }

  /** Takes out an object that is due by `nowMs`, the earliest; undefined: none is. */
  take(nowMs: number): T | undefined {
    const { times, waiting } = this;
    if (this.nextMs > nowMs) return undefined;
    const first = waiting[0] as T;
    const lastTime = times.pop() as number;
    const last = waiting.pop() as T;
    const size = times.length;
    if (size === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && (times[child + 1] as number) < (times[child] as number)) child += 1;
      if ((times[child] as number) >= lastTime) break;
      times[at] = times[child] as number;
      waiting[at] = waiting[child] as T;
      at = child;
    }
    times[at] = lastTime;
    waiting[at] = last;
    return first;
  }
}
