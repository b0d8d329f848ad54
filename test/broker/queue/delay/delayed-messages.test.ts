// Owns the tests of messages that wait for their time: in which order they become ready, what a crash leaves of them,
// and that a queue with very many keeps few in memory.

import { expect, test } from 'vitest';
import { readPolicy } from '../../../../src/broker/policy/policy.ts';
import type { Queue } from '../../../../src/broker/queue/queue.ts';
import { TABLE_DELAYS } from '../../../../src/store/tables.ts';
import { type Random, withSeed } from '../../../amqp/random.ts';
import { wrongReferences } from '../../inspect.ts';
import { NOW_MS, SmallBroker } from '../../small-broker.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Spans of all kinds: some due together, some far off. */
const SPANS = [5, 50, 1_000, 60_000, HOUR, DAY, 40 * DAY, 300 * DAY];

function delayed(small: SmallBroker, body: string, delayMs: number, stored = true): void {
  const headers = new Map([['x-delay', { type: 'l', value: delayMs } as const]]);
  const properties = { headers, ...(stored ? { deliveryMode: 2 } : {}) };
  small.publish({ routingKey: 'q', properties }, Buffer.from(body));
}

function fewInMemory(small: SmallBroker): void {
  small.broker.core.delayRows.bounds = {
    heapMax: 40,
    heapKept: 10,
    awayMin: 30,
    openMax: 20,
    openPages: 1,
  };
}

test('messages become ready in the order of their times, and of two at once the first that came', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  for (const [body, ms] of Object.entries({ c: 300, a: 100, b: 200, a2: 100 })) {
    delayed(small, body, ms);
  }
  expect(queue.readyCount).toBe(0);
  expect(queue.delays.count).toBe(4);
  small.pass(99);
  expect(small.readyNow(queue)).toEqual([]);
  small.pass(1);
  expect(small.readyNow(queue)).toEqual(['a', 'a2']);
  small.pass(1_000);
  expect(small.readyNow(queue)).toEqual(['b', 'c']);
  small.commit();
  expect(small.disk.keys(TABLE_DELAYS)).toEqual([]);
  expect(wrongReferences(small.broker, [queue])).toBeNull();
});

test('what came due while the broker was down is ready first, in order', () => {
  const small = new SmallBroker();
  small.declare('q');
  for (const ms of [3_000, 1_000, 2_000, DAY]) delayed(small, `${ms}`, ms);
  small.commit();
  small.nowMs += HOUR;
  const again = small.crashed();
  again.pass(0);
  expect(again.readyNow(again.queue('q'))).toEqual(['1000', '2000', '3000']);
  expect(again.queue('q').delays.count).toBe(1);
});

test('neither a clock that is set back nor one that is set forward loses or hurries a message', () => {
  for (const jumpMs of [-DAY, DAY]) {
    const small = new SmallBroker();
    const queue = small.declare('q');
    delayed(small, 'x', 10_000);
    small.pass(5_000);
    small.jumpedMs += jumpMs;
    small.pass(4_000);
    expect(queue.readyCount, `${jumpMs}`).toBe(0);
    small.pass(1_000);
    expect(small.readyNow(queue), `${jumpMs}`).toEqual(['x']);
  }
});

test('a time of day that is past as the message gets to its queue is no delay', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  for (const [body, afterMs] of Object.entries({ past: -50_000, now: 0, later: 50_000 })) {
    const headers = new Map([['x-deliver-at', { type: 'l', value: NOW_MS + afterMs } as const]]);
    small.publish({ routingKey: 'q', properties: { headers } }, Buffer.from(body));
  }
  expect(small.readyNow(queue)).toEqual(['past', 'now']);
  small.pass(50_000);
  expect(small.readyNow(queue)).toEqual(['later']);
});

test('of very many that wait a limit drops some in each turn, until it is kept', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  for (let n = 0; n < 2_000; n++) delayed(small, `${n}`, 10_000 + n);
  small.commit();
  const definition = { 'max-length': 100 };
  small.vhost.policies.set('policy', readPolicy('policy', 'p', { pattern: '^q$', definition }));
  const left: number[] = [queue.delays.count];
  while (queue.deliver()) left.push(queue.delays.count);
  left.push(queue.delays.count);
  for (let n = 1; n < left.length; n++) {
    expect((left[n - 1] as number) - (left[n] as number)).toBeLessThanOrEqual(1_024);
  }
  expect(left.at(-1)).toBe(100);
  small.pass(DAY);
  expect(small.readyNow(queue)[0]).toBe('1900');
});

test('a full queue takes no more that waits than it may, however many come in one turn', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, { 'x-max-length': { type: 'I', value: 100 } });
  for (let n = 0; n < 1_000; n++) {
    delayed(small, `${n}`, 10_000 + n);
    expect(queue.delays.count).toBeLessThanOrEqual(100);
  }
  small.pass(DAY);
  expect(small.readyNow(queue)[0]).toBe('900');
});

test('the time to live of a message begins when it is ready', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, { 'x-message-ttl': { type: 'I', value: 1_000 } });
  delayed(small, 'x', 5_000);
  small.commit();
  const again = small.crashed();
  again.pass(5_900);
  expect(again.queue('q').readyCount).toBe(1);
  again.commit();
  const third = again.crashed();
  third.pass(99);
  expect(third.queue('q').readyCount).toBe(1);
  third.pass(1);
  expect(third.queue('q').readyCount).toBe(0);
  expect(queue.delays.count).toBe(1);
});

test('all can be made ready at once, or dropped, whatever their times', () => {
  const stays = (n: number): boolean => n % 3 > 0;
  for (const [what, crashes] of [
    ['hasten', false],
    ['hasten', true],
    ['drop', false],
    ['drop', true],
  ] as const) {
    let small = new SmallBroker();
    fewInMemory(small);
    small.declare('q');
    for (let n = 0; n < 300; n++) delayed(small, `${n}`, 1_000 + (n % 7) * DAY, stays(n));
    small.commit();
    small.queue('q').delays[what]();
    small.pass(0);
    expect(small.queue('q').delays.count, what).toBe(0);
    if (crashes) small = small.crashed();
    small.pass(0);
    const left = crashes ? 200 : 300;
    expect(small.readyNow(small.queue('q')), what).toHaveLength(what === 'drop' ? 0 : left);
    small.commit();
    expect(wrongReferences(small.broker, [small.queue('q')])).toBeNull();
    delayed(small, 'later', 10);
    small.commit();
    const last = small.crashed();
    last.pass(10);
    expect(last.readyNow(last.queue('q'))).toEqual(['later']);
  }
});

test('one can be taken out before its time, in memory and from a bucket, and stays out over a crash', () => {
  const small = new SmallBroker();
  fewInMemory(small);
  const queue = small.declare('q');
  for (let n = 0; n < 200; n++) delayed(small, `${n}`, 1_000 + n * HOUR);
  small.commit();
  const { waiting } = queue.delays;
  const taken: number[] = [];
  for (const n of [3, 150, 199]) {
    expect(waiting?.take(NOW_MS + 1_000 + n * HOUR, n + 1, ({ id }) => taken.push(id))).toBe(true);
    expect(waiting?.take(NOW_MS + 1_000 + n * HOUR, n + 1, ({ id }) => taken.push(id))).toBe(false);
  }
  expect(taken).toEqual([4, 151, 200]);
  small.commit();
  const again = small.crashed();
  expect(again.queue('q').delays.count).toBe(197);
});

test('a deleted queue leaves no row behind, also where the broker ends amid that', () => {
  const small = new SmallBroker();
  fewInMemory(small);
  Object.assign(small.broker.core.sweeps, { batchPages: 2, firstPages: 2 });
  small.declare('q');
  for (let n = 0; n < 300; n++) delayed(small, `${n}`, 1_000 + n * DAY);
  small.commit();
  const id = small.queue('q').id;
  small.queue('q').discard();
  small.vhost.queues.delete('q');
  small.commit();
  expect(small.disk.keys(TABLE_DELAYS).length).toBeGreaterThan(2);
  const again = small.crashed();
  expect(again.queue('q').id).toBe(id);
  expect(again.queue('q').delays.count, 'pages of a deletion count as gone').toBe(0);
  for (let n = 0; n < 200; n++) again.commit();
  expect(again.disk.keys(TABLE_DELAYS)).toEqual([]);
});

/** A message as the test knows it. */
interface Known {
  readonly body: string;
  readonly dueMs: number;
  readonly stored: boolean;
}

class Run {
  small = new SmallBroker();
  readonly random: Random;
  private known: Known[] = [];
  private durable: Known[] = [];
  private sent = 0;

  constructor(random: Random) {
    this.random = random;
    fewInMemory(this.small);
    this.small.declare('q');
    this.commit();
  }

  get queue(): Queue {
    return this.small.queue('q');
  }

  publish(): void {
    const { random, small } = this;
    for (let n = random.below(60); n >= 0; n--) {
      const delayMs = 1 + random.below(SPANS[random.below(SPANS.length)] as number);
      const stored = random.below(4) > 0;
      const body = `${this.sent++}`;
      delayed(small, body, delayMs, stored);
      this.known.push({ body, dueMs: small.nowMs + delayMs, stored });
    }
    // As the queue has it: by time, then as they came.
    this.known.sort((a, b) => a.dueMs - b.dueMs || Number(a.body) - Number(b.body));
  }

  commit(): void {
    this.small.commit();
    this.durable = this.known.filter(({ stored }) => stored);
  }

  pass(): void {
    const { small, random } = this;
    this.commit();
    small.pass(random.below(SPANS[random.below(SPANS.length)] as number));
    const due = this.known.filter(({ dueMs }) => dueMs <= small.nowMs);
    this.known = this.known.filter(({ dueMs }) => dueMs > small.nowMs);
    expect(small.readyNow(this.queue)).toEqual(due.map(({ body }) => body));
    this.commit();
  }

  crash(): void {
    this.small = this.small.crashed();
    fewInMemory(this.small);
    this.known = [...this.durable];
  }

  check(): void {
    const { delays } = this.queue;
    expect(delays.count).toBe(this.known.length);
    expect(wrongReferences(this.small.broker, [this.queue])).toBeNull();
    expect(delays.waiting?.firstDueMs ?? Infinity).toBe(this.known[0]?.dueMs ?? Infinity);
    expect(delays.waiting?.['heap'].size ?? 0, 'in memory').toBeLessThanOrEqual(300);
  }
}

test('whatever happens, each message becomes ready once, at its time, and in order', () => {
  withSeed((random) => {
    for (let n = 0; n < 12; n++) {
      const run = new Run(random);
      for (let step = 0; step < 60; step++) {
        const what = random.below(10);
        if (what < 5) run.publish();
        else if (what < 7) run.commit();
        else if (what < 9) run.pass();
        else run.crash();
        run.check();
      }
    }
  });
});

test('a message that has waited goes out once the disk knows it as ready, and is flagged after a crash', () => {
  const small = new SmallBroker();
  small.declare('q');
  delayed(small, 'x', 100);
  small.commit();
  small.nowMs += 100;
  small.broker.core.tick();
  const queue = small.queue('q');
  expect(queue.get(), 'a crash now would have it wait again').toBeNull();
  expect(queue.readyCount).toBe(1);
  small.commit();
  expect(queue.get()).toMatchObject({ redelivered: false });
  const again = small.crashed();
  expect(again.queue('q').get()).toMatchObject({ redelivered: true });
});

test.each(['amid its batch', 'behind it'])(
  'neither a mark that ran ahead nor a batch under way lets it out too early: a crash %s',
  (when) => {
    const small = new SmallBroker();
    small.declare('q');
    const properties = { deliveryMode: 2 };
    for (const body of ['a', 'b'])
      small.publish({ routingKey: 'q', properties }, Buffer.from(body));
    delayed(small, 'x', 100);
    small.commit();
    // The mark runs ahead of these, and so above the number that the other one will have.
    const queue = small.queue('q');
    expect(small.readyNow(queue)).toEqual(['a', 'b']);
    small.commit();
    small.nowMs += 100;
    small.broker.core.tick();
    expect(queue.get(), 'not sealed').toBeNull();
    small.broker.core.seal();
    expect(queue.get(), 'not durable').toBeNull();
    if (when === 'behind it') {
      small.store.sync();
      expect(queue.get()).toMatchObject({ redelivered: false });
    }
    const again = small.crashed();
    again.pass(0);
    const first = again.queue('q').get();
    if (when === 'behind it') {
      expect(first).toMatchObject({ redelivered: true });
      return;
    }
    expect(first, 'it waited again').toBeNull();
    again.commit();
    expect(again.queue('q').get()).toMatchObject({ redelivered: false });
  },
);

test.each([40, 200])(
  'what comes near is divided in pieces, so that no turn is long: %s days',
  (days) => {
    const small = new SmallBroker();
    fewInMemory(small);
    const queue = small.declare('q');
    for (let n = 0; n < 2_000; n++) delayed(small, `${n}`, days * DAY + n);
    small.commit();
    const { waiting } = queue.delays;
    if (waiting === null) throw new Error('nothing waits');
    const pages = waiting['pages'];
    const eachOf = pages.eachOf.bind(pages);
    let looks = 0;
    pages.eachOf = (...args) => {
      looks += 1;
      return eachOf(...args);
    };
    let turns = 0;
    for (let more = true; more; turns++) {
      looks = 0;
      more = waiting.promote(NOW_MS + (days + 1) * DAY, 10_000, () => {});
      // Four pages, and one look at the page behind each.
      expect(looks).toBeLessThanOrEqual(8);
      small.commit();
    }
    expect(turns).toBeGreaterThan(10);
    expect(waiting.count).toBe(0);
  },
);

test('one taken out does not have another leave at its time', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  for (const ms of [100, 10_000]) delayed(small, `${ms}`, ms);
  expect(queue.delays.waiting?.take(NOW_MS + 100, 1, () => {})).toBe(true);
  small.pass(100);
  expect(small.readyNow(queue)).toEqual([]);
  small.pass(9_900);
  expect(small.readyNow(queue)).toEqual(['10000']);
});

test('a walk over what waits sees all of it, though others begin, end and are given up meanwhile', () => {
  const small = new SmallBroker();
  fewInMemory(small);
  const queue = small.declare('q');
  for (let n = 0; n < 600; n++) delayed(small, `${n}`, (n % 2 === 0 ? HOUR : 40 * DAY) + n);
  small.commit();
  const step = (cursor: number, seen: Set<number>) => {
    return queue.visitPage(cursor, (position) => seen.add(position));
  };
  const seen = new Set<number>();
  let steps = 0;
  for (let cursor = 0; cursor >= 0; steps++) {
    cursor = step(cursor, seen);
    const other = new Set<number>();
    for (let at = 0; at >= 0; ) at = step(at, other);
    expect(other.size).toBe(600);
    step(0, other);
  }
  expect(steps).toBeGreaterThan(2);
  expect(seen.size).toBe(600);
});
