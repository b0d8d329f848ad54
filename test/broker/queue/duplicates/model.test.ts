// Owns the test of queues that look for duplicates against a simple model, through random acts, restarts and crashes.

import { expect, test } from 'vitest';
import type { Field, FieldTable } from '../../../../src/amqp/field-table.ts';
import { TABLE_KEYS } from '../../../../src/store/tables.ts';
import { type Random, withSeed } from '../../../amqp/random.ts';
import { purgeNow } from '../../purge.ts';
import { SmallBroker } from '../../small-broker.ts';

const int = (value: number): Field => ({ type: 'l', value });
const text = (value: string): Field => ({ type: 'S', value });
const ONCE = { 'x-message-deduplication': { type: 't', value: true } } as const;

/** A message of the model. */
interface Held {
  readonly key: string;
  readonly persistent: boolean;
  seq: number | null;
}

/** What is known in the model, in the order of coming. */
interface Known {
  readonly key: string;
  readonly untilMs: number;
  readonly persistent: boolean;
}

interface State {
  held: Held[];
  known: Known[];
}

/** The queue and its model, with the states that batches have. */
class Pair {
  small = new SmallBroker();
  state: State = { held: [], known: [] };
  private durable: State = { held: [], known: [] };
  private readonly ttlMs: number | null;
  private readonly size: number;

  constructor(ttlMs: number | null, size: number | null, priorities: boolean) {
    this.ttlMs = ttlMs;
    this.size = size ?? Infinity;
    this.small.declare('q', true, {
      ...ONCE,
      'x-cache-release': text(ttlMs === null ? 'ack' : 'ttl'),
      ...(ttlMs === null ? {} : { 'x-cache-ttl': int(ttlMs) }),
      ...(size === null ? {} : { 'x-cache-size': int(size) }),
      ...(priorities ? { 'x-max-priority': int(3) } : {}),
    });
    this.small.commit();
  }

  get queue() {
    return this.small.queue('q');
  }

  knows(key: string): boolean {
    const { held, known } = this.state;
    if (this.ttlMs === null) return held.some((each) => each.key === key);
    return known.some((each) => each.key === key && each.untilMs > this.small.nowMs);
  }

  publish(key: string, persistent: boolean, priority: number): void {
    const { state } = this;
    const headers: FieldTable = new Map([['x-deduplication-header', text(key)]]);
    const { duplicates } = this.queue.counts;
    const properties = { deliveryMode: persistent ? 2 : 1, headers, priority } as const;
    this.small.publish({ routingKey: 'q', properties }, Buffer.from(key));
    const dropped = this.queue.counts.duplicates > duplicates;
    expect(dropped, `is ${key} a duplicate`).toBe(this.knows(key));
    if (dropped) return;
    state.held.push({ key, persistent, seq: null });
    if (this.ttlMs === null) return;
    const untilMs = this.small.nowMs + this.ttlMs;
    state.known = state.known.filter((each) => each.key !== key);
    state.known.push({ key, untilMs, persistent });
    // Keys whose time is over may still take places of the size: so far the model has no times where it has a size.
    state.known.splice(0, Math.max(0, state.known.length - this.size));
  }

  take(): void {
    let taken = this.queue.get();
    if (taken === null) {
      this.commit();
      taken = this.queue.get();
    }
    if (taken === null) return;
    const { seq, position } = taken;
    const key = this.small.bodyAt(position);
    const held = this.state.held.find((each) => each.key === key && each.seq === null);
    expect(held, `${key} is in the queue`).toBeDefined();
    (held as Held).seq = seq;
  }

  end(at: number, requeue: boolean): void {
    const taken = this.state.held.filter(({ seq }) => seq !== null);
    const held = taken[at % Math.max(1, taken.length)];
    if (held === undefined) return;
    if (requeue) {
      this.queue.requeue(held.seq as number);
      held.seq = null;
      return;
    }
    this.queue.settle(held.seq as number);
    this.state.held = this.state.held.filter((each) => each !== held);
  }

  purge(): void {
    purgeNow(this.queue);
    this.state.held = this.state.held.filter(({ seq }) => seq !== null);
  }

  commit(): void {
    this.small.commit();
    this.keep();
  }

  /** What there is now is what a crash leaves. */
  private keep(): void {
    const { held, known } = this.state;
    this.durable = { held: held.map((each) => ({ ...each })), known: [...known] };
  }

  crash(): void {
    this.small = this.small.crashed();
    const { held, known } = this.durable;
    this.state = {
      held: held.filter(({ persistent }) => persistent).map((each) => ({ ...each, seq: null })),
      known: known.filter(({ persistent }) => persistent),
    };
    this.keep();
    expect(this.queue.readyCount).toBe(this.state.held.length);
  }
}

const RULES = [
  ['keys that leave with their messages', null, null, false],
  ['the same with priorities', null, null, true],
  ['keys that last for a time', 5_000, null, false],
  ['keys of which there are so many at most', 1e9, 40, false],
] as const;

for (const [name, ttlMs, size, priorities] of RULES) {
  test(`${name}: the queue drops what the model knows, through crashes`, () => {
    withSeed((random: Random) => {
      const pair = new Pair(ttlMs, size, priorities);
      const keys = 20 + random.below(1_500);
      for (let n = 0; n < 1_500; n++) {
        const act = random.below(100);
        if (act < 60) {
          pair.publish(`k${random.below(keys)}`, random.below(5) > 0, random.below(4));
        } else if (act < 75) pair.take();
        else if (act < 90) pair.end(random.below(1_000), random.below(5) === 0);
        else if (act < 94) pair.commit();
        else if (act < 97) {
          pair.commit();
          pair.small.nowMs += random.below(2_000);
          pair.small.broker.core.tick();
        } else if (act === 97 && random.below(4) === 0) pair.purge();
        else if (act === 98 && random.below(4) === 0) pair.crash();
      }
      pair.commit();
      pair.crash();
      // All that the model knows the queue does, and nothing else.
      for (let key = 0; key < keys; key++) pair.publish(`k${key}`, true, 0);
    });
  });
}

test('of keys that come and go, few take memory, and few rows are left', () => {
  for (const ttlMs of [null, 1_000]) {
    const pair = new Pair(ttlMs, null, false);
    for (let n = 0; n < 6_000; n++) {
      pair.publish(`k${n}`, true, 0);
      pair.small.nowMs += 1;
      pair.small.broker.core.tick();
      if (n >= 500) {
        pair.take();
        pair.end(0, false);
      }
      if (n % 500 === 0) pair.commit();
      // The model looks at all of them.
      if (ttlMs !== null) pair.state.known = pair.state.known.slice(-ttlMs);
    }
    pair.commit();
    expect(pair.queue.duplicates?.keys.count).toBeLessThan(2_500);
    expect(pair.small.disk.keys(TABLE_KEYS).length).toBeLessThan(30);
  }
});
