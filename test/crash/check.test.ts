// The judge of the crash test, tested by histories made by hand: it must be silent about what is
// allowed, and find each kind of broken promise.
import { expect, test } from 'vitest';
import type { Entry, History } from './check.mjs';
import { check } from './check.mjs';
import { MUTANTS, runMutants } from './mutants.mjs';

const FAN = ['crash.fan.1', 'crash.fan.2'];
const SECOND_SPAWN = 10_000;

/** Writes a history line by line; time goes on by one with each. */
class Story {
  t = 0;
  readonly publisher: Entry[] = [];
  readonly consumer: Entry[] = [];
  readonly history: History = {
    spawns: [0, SECOND_SPAWN],
    drainedSpawn: 1,
    queues: {
      'crash.fan.1': { ordered: true, deadLetterTo: null },
      'crash.fan.2': { ordered: false, deadLetterTo: null },
      'crash.work': { ordered: true, deadLetterTo: 'crash.dead' },
      'crash.dead': { ordered: false, deadLetterTo: null },
      'crash.transient': { ordered: true, deadLetterTo: null },
      'crash.ttl': { ordered: false, deadLetterTo: 'crash.ttl.dead', diesOf: 'expired' },
      'crash.ttl.dead': { ordered: false, deadLetterTo: null },
      'crash.limit': {
        ordered: false,
        deadLetterTo: 'crash.limit.dead',
        diesOf: 'delivery_limit',
        deliveryLimit: 2,
      },
      'crash.limit.dead': { ordered: false, deadLetterTo: null },
      'crash.priority': { ordered: true, deadLetterTo: null, priorityMax: 4 },
      'crash.later': { ordered: false, deadLetterTo: null, delayMax: 400 },
      'crash.retry': {
        ordered: false,
        deadLetterTo: 'crash.retry.dead',
        diesOf: 'delivery_limit',
        deliveryLimit: 2,
        retryMin: 60,
      },
      'crash.retry.dead': { ordered: false, deadLetterTo: null },
    },
    seqBase: {},
    journals: { publisher: this.publisher, consumer: this.consumer },
    lookups: [],
    incidents: [],
  };
  private readonly tags = new Map<string, number>();

  /** Both processes connect; `attempt` 2 is after the kill. */
  connect(attempt: 1 | 2, ...queues: string[]): this {
    if (attempt === 2) this.t = SECOND_SPAWN;
    this.publisher.push({ e: 'open', conn: `p#${attempt}`, t: ++this.t });
    for (const queue of queues) {
      this.consumer.push({ e: 'open', conn: `${queue}#${attempt}`, t: ++this.t });
    }
    return this;
  }

  private nextTag(conn: string): number {
    const tag = (this.tags.get(conn) ?? 0) + 1;
    this.tags.set(conn, tag);
    return tag;
  }

  pub(attempt: 1 | 2, seq: number, to: string[], more: Partial<Entry & { e: 'pub' }> = {}): this {
    const conn = `p#${attempt}`;
    const tag = this.nextTag(conn);
    const entry = {
      e: 'pub',
      conn,
      tag,
      pub: 'p',
      seq,
      to,
      persistent: true,
      priority: 0,
      group: null,
    } as const;
    this.publisher.push({ ...entry, ...more });
    return this;
  }

  conf(attempt: 1 | 2, tag: number, multiple = false): this {
    this.publisher.push({ e: 'conf', conn: `p#${attempt}`, tag, multiple });
    return this;
  }

  dlv(
    attempt: 1 | 2,
    queue: string,
    seq: number,
    redelivered = false,
    more: Partial<Entry & { e: 'dlv' }> = {},
  ): this {
    const conn = `${queue}#${attempt}`;
    const tag = this.nextTag(conn);
    const fault = null;
    const t = ++this.t;
    const common = { conn, t, tag, queue, pub: 'p', seq, redelivered, fault };
    this.consumer.push({ e: 'dlv', ...common, priority: 0, count: 0, ...more });
    return this;
  }

  /** Settles the newest delivery of this queue. */
  settle(attempt: 1 | 2, queue: string, how: 'ack' | 'requeue' | 'reject', multiple = false): this {
    const conn = `${queue}#${attempt}`;
    const tag = this.tags.get(conn) ?? 0;
    this.consumer.push({ e: 'settle', conn, tag, multiple, how });
    return this;
  }

  barrier(attempt: 1 | 2, queue: string, n: number): this {
    const conn = `${queue}#${attempt}`;
    this.consumer.push({ e: 'barrier', conn, n });
    this.consumer.push({ e: 'passed', conn, n, t: ++this.t });
    return this;
  }

  rules(): string[] {
    return check(this.history).violations.map(({ rule }) => rule);
  }
}

/** A run with one kill in which everything happened and every promise was kept. */
function keptStory(): Story {
  const [one, two] = FAN as [string, string];
  const story = new Story().connect(1, one, two, 'crash.work', 'crash.dead', 'crash.transient');
  story.pub(1, 1, FAN).pub(1, 2, FAN).pub(1, 3, ['crash.work']).pub(1, 4, []);
  story.publisher.push({ e: 'return', conn: 'p#1', pub: 'p', seq: 4 });
  story.conf(1, 4, true);
  story.pub(1, 5, ['crash.transient'], { persistent: false }).conf(1, 5);
  story.pub(1, 6, FAN);
  story.pub(1, 7, [one], { group: 'p/7' }).pub(1, 8, ['crash.work'], { group: 'p/7' });
  story.dlv(1, one, 1).dlv(1, one, 2).settle(1, one, 'ack', true).barrier(1, one, 1);
  story.dlv(1, two, 1).settle(1, two, 'requeue').dlv(1, two, 1, true).dlv(1, two, 2);
  story.settle(1, two, 'ack', true).barrier(1, two, 1);
  story.dlv(1, 'crash.work', 3).settle(1, 'crash.work', 'reject').barrier(1, 'crash.work', 1);
  story.dlv(1, 'crash.transient', 5).settle(1, 'crash.transient', 'ack');
  story.connect(2, one, two, 'crash.work', 'crash.dead', 'crash.transient');
  story.dlv(2, one, 6, true).dlv(2, one, 7).settle(2, one, 'ack', true);
  story.dlv(2, two, 6).settle(2, two, 'ack');
  story.dlv(2, 'crash.work', 8).settle(2, 'crash.work', 'ack');
  story.dlv(2, 'crash.dead', 3).settle(2, 'crash.dead', 'ack').barrier(2, 'crash.dead', 1);
  story.history.lookups.push({ what: 'queue', name: 'q', expected: true, found: true });
  story.history.lookups.push({ what: 'policy', name: 'full', expected: true, found: true });
  return story;
}

/** The same for what queues do by themselves: expiry, delivery counts and priorities. */
function keptStoryOfQueues(): Story {
  const times = ['crash.later', 'crash.retry'];
  const queues = ['crash.ttl', 'crash.ttl.dead', 'crash.limit', 'crash.priority', ...times];
  const story = new Story().connect(1, ...queues);
  story.pub(1, 1, ['crash.ttl']).pub(1, 2, ['crash.ttl']).pub(1, 3, ['crash.limit']);
  story.pub(1, 4, ['crash.priority'], { priority: 1 });
  story.pub(1, 5, ['crash.priority'], { priority: 3 }).conf(1, 5, true);
  story.dlv(1, 'crash.ttl', 1).settle(1, 'crash.ttl', 'ack');
  story.dlv(1, 'crash.ttl.dead', 2).settle(1, 'crash.ttl.dead', 'ack');
  story.barrier(1, 'crash.ttl.dead', 1);
  story.dlv(1, 'crash.limit', 3).settle(1, 'crash.limit', 'requeue');
  story.dlv(1, 'crash.limit', 3, true, { count: 1 }).settle(1, 'crash.limit', 'requeue');
  story.pub(1, 6, ['crash.limit']).conf(1, 6).dlv(1, 'crash.limit', 6);
  story.settle(1, 'crash.limit', 'requeue').barrier(1, 'crash.limit', 1);
  story.pub(1, 7, ['crash.later'], { delay: 60, t: 10 }).pub(1, 8, ['crash.retry']);
  story.dlv(1, 'crash.later', 7, false, { t: 60_010 }).settle(1, 'crash.later', 'ack');
  story.dlv(1, 'crash.retry', 8).settle(1, 'crash.retry', 'requeue');
  story.dlv(1, 'crash.retry', 8, true, { count: 1, t: 60_500 }).settle(1, 'crash.retry', 'ack');
  story.connect(2, ...queues);
  story.dlv(2, 'crash.limit', 6, true, { count: 1 }).settle(2, 'crash.limit', 'ack');
  story.dlv(2, 'crash.limit', 3, true, { count: 2 }).settle(2, 'crash.limit', 'ack');
  story.dlv(2, 'crash.priority', 5, false, { priority: 3 });
  story.dlv(2, 'crash.priority', 4, false, { priority: 1 });
  story.settle(2, 'crash.priority', 'ack', true);
  return story;
}

test('nothing is wrong with a history in which every promise was kept', () => {
  const { violations, counts } = check(keptStory().history);
  expect(violations).toEqual([]);
  expect(counts).toMatchObject({ published: 8, confirmed: 5, unconfirmed: 3, 'dead-lettered': 1 });
  const ofQueues = check(keptStoryOfQueues().history);
  expect(ofQueues.violations).toEqual([]);
  expect(ofQueues.counts).toMatchObject({
    'dead-lettered: expired': 1,
    'by priority after a restart': 2,
  });
});

test('every way to spoil one of these histories is found, and named by its rule', () => {
  const verdicts = runMutants(keptStory().history);
  const ofQueues = runMutants(keptStoryOfQueues().history);
  expect(verdicts.filter(({ found }) => found === false)).toEqual([]);
  expect(ofQueues.filter(({ found }) => found === false)).toEqual([]);
  const found = MUTANTS.map((_, i) => verdicts[i]?.found ?? ofQueues[i]?.found ?? null);
  expect(found.map((yes, i) => (yes ? 'found' : MUTANTS[i]?.name))).toEqual(
    MUTANTS.map(() => 'found'),
  );
});

test('a move that was not durable may be undone by a kill and made once more', () => {
  const queues = ['crash.ttl', 'crash.ttl.dead'];
  const story = new Story()
    .connect(1, ...queues)
    .pub(1, 1, ['crash.ttl'])
    .conf(1, 1);
  story
    .dlv(1, 'crash.ttl.dead', 1)
    .settle(1, 'crash.ttl.dead', 'ack')
    .connect(2, ...queues);
  story.dlv(2, 'crash.ttl.dead', 1).settle(2, 'crash.ttl.dead', 'ack');
  expect(story.rules()).toEqual([]);
});

test('a message that comes a second time where it was acked on the same connection is a copy', () => {
  const story = new Story().connect(1, 'crash.ttl.dead').pub(1, 1, ['crash.ttl']).conf(1, 1);
  story.dlv(1, 'crash.ttl.dead', 1).settle(1, 'crash.ttl.dead', 'ack');
  story.dlv(1, 'crash.ttl.dead', 1, true).settle(1, 'crash.ttl.dead', 'ack');
  expect(story.rules()).toEqual(['I8']);
});

test('a message that expired may not be in its queue while the same broker lives', () => {
  const queues = ['crash.ttl', 'crash.ttl.dead'];
  const story = new Story()
    .connect(1, ...queues)
    .pub(1, 1, ['crash.ttl'])
    .conf(1, 1);
  story.dlv(1, 'crash.ttl.dead', 1).settle(1, 'crash.ttl.dead', 'ack');
  story.dlv(1, 'crash.ttl', 1, true).settle(1, 'crash.ttl', 'ack');
  expect(story.rules()).toEqual(['I8']);
});

test('a count that was behind a passed barrier is there after a kill', () => {
  const queue = 'crash.limit';
  const story = new Story().connect(1, queue).pub(1, 1, [queue]).conf(1, 1);
  story.dlv(1, queue, 1).settle(1, queue, 'requeue').barrier(1, queue, 1).connect(2, queue);
  story.dlv(2, queue, 1, true, { count: 0 }).settle(2, queue, 'ack');
  expect(story.rules()).toEqual(['I13']);
});

test('an unconfirmed message may be lost, also after a delivery the kill cut short', () => {
  const story = new Story().connect(1, 'crash.fan.1').pub(1, 1, FAN).dlv(1, 'crash.fan.1', 1);
  expect(story.connect(2).rules()).toEqual([]);
});

test('a confirmed message that was delivered but not acked before the kill must come again', () => {
  const story = new Story().connect(1, 'crash.work').pub(1, 1, ['crash.work']).conf(1, 1);
  story.dlv(1, 'crash.work', 1);
  expect(story.rules()).toEqual(['I1']);
});

test('an ack without a barrier may come back after a kill, flagged', () => {
  const queue = 'crash.fan.1';
  const story = new Story().connect(1, queue).pub(1, 1, [queue]).conf(1, 1);
  story.dlv(1, queue, 1).settle(1, queue, 'ack').connect(2, queue);
  story.dlv(2, queue, 1, true).settle(2, queue, 'ack');
  expect(story.rules()).toEqual([]);
});

test('a barrier covers the acks before it and not those after it', () => {
  const queue = 'crash.fan.1';
  const story = new Story()
    .connect(1, queue)
    .pub(1, 1, [queue])
    .pub(1, 2, [queue])
    .conf(1, 2, true);
  story.dlv(1, queue, 1).settle(1, queue, 'ack').barrier(1, queue, 1);
  story.dlv(1, queue, 2).settle(1, queue, 'ack').connect(2, queue);
  story.dlv(2, queue, 2, true).settle(2, queue, 'ack');
  expect(story.rules()).toEqual([]);
  story.dlv(2, queue, 1, true).settle(2, queue, 'ack');
  expect(story.rules()).toContain('I4');
});

test('an id of an earlier part that comes again was settled long ago', () => {
  const story = new Story().connect(1, 'crash.work');
  story.history.seqBase = { p: 5 };
  story.dlv(1, 'crash.work', 4, true).settle(1, 'crash.work', 'ack');
  expect(story.rules()).toEqual(['I4']);
});

test('a message that came back from a dead-letter move may be acked, but not be in both', () => {
  const story = new Story().connect(1, 'crash.work').pub(1, 1, ['crash.work']).conf(1, 1);
  story.dlv(1, 'crash.work', 1).settle(1, 'crash.work', 'reject');
  story.connect(2, 'crash.work', 'crash.dead');
  story.dlv(2, 'crash.work', 1, true).settle(2, 'crash.work', 'ack');
  expect(story.rules()).toEqual([]);
  story.dlv(2, 'crash.dead', 1).settle(2, 'crash.dead', 'ack');
  expect(story.rules()).toEqual(['I7']);
});

test('a kill may undo a move that the dead-letter consumer saw, but not behind its barrier', () => {
  const story = new Story().connect(1, 'crash.work', 'crash.dead').pub(1, 1, ['crash.work']);
  story.conf(1, 1).dlv(1, 'crash.work', 1).settle(1, 'crash.work', 'reject');
  story.dlv(1, 'crash.dead', 1).settle(1, 'crash.dead', 'ack');
  const undone = structuredClone(story.history.journals);
  story.connect(2, 'crash.work').dlv(2, 'crash.work', 1, true).settle(2, 'crash.work', 'ack');
  expect(story.rules()).toEqual([]);
  const later = story.consumer.splice(undone['consumer']?.length ?? 0);
  story.barrier(1, 'crash.dead', 1).consumer.push(...later);
  expect(story.rules()).toEqual(['I7']);
});

test('a message in the dead-letter queue that nobody rejected was invented', () => {
  const story = new Story().connect(1, 'crash.work', 'crash.dead').pub(1, 1, ['crash.work']);
  story.conf(1, 1).dlv(1, 'crash.work', 1).settle(1, 'crash.work', 'ack');
  story.dlv(1, 'crash.dead', 1).settle(1, 'crash.dead', 'ack');
  expect(story.rules()).toEqual(['I2']);
});

test('a message refused by a nack is not delivered', () => {
  const story = new Story().connect(1, 'crash.work').pub(1, 1, ['crash.work']);
  story.publisher.push({ e: 'refuse', conn: 'p#1', tag: 1, multiple: false });
  story.dlv(1, 'crash.work', 1).settle(1, 'crash.work', 'ack');
  expect(story.rules()).toEqual(['I2']);
});

test('a transient message without a restart in between is not lost', () => {
  const story = new Story().connect(2, 'crash.transient');
  story.pub(2, 1, ['crash.transient'], { persistent: false }).conf(2, 1);
  expect(story.rules()).toEqual(['I1']);
});

test('a transaction that was never committed leaves nothing', () => {
  const story = new Story().connect(1).pub(1, 1, ['crash.work'], { group: 'g' });
  story.pub(1, 2, ['crash.work'], { group: 'g' }).connect(2, 'crash.work');
  expect(story.rules()).toEqual([]);
  story.dlv(2, 'crash.work', 2).settle(2, 'crash.work', 'ack');
  expect(story.rules()).toEqual(['I7']);
});

test('a multiple confirm settles what is below it, once', () => {
  const story = new Story().connect(1, 'crash.work');
  for (const seq of [1, 2, 3]) {
    story.pub(1, seq, ['crash.work']).dlv(1, 'crash.work', seq).settle(1, 'crash.work', 'ack');
  }
  expect(story.conf(1, 2).conf(1, 3, true).rules()).toEqual([]);
  expect(check(story.history).counts['confirmed']).toBe(3);
  expect(story.conf(1, 1).rules()).toEqual(['I9']);
});

test('redelivered messages in between do not disturb the order of first deliveries', () => {
  const queue = 'crash.work';
  const story = new Story().connect(1, queue);
  for (const seq of [1, 2, 3]) story.pub(1, seq, [queue]);
  story.conf(1, 3, true).dlv(1, queue, 1).dlv(1, queue, 2).settle(1, queue, 'requeue', true);
  story
    .dlv(1, queue, 1, true)
    .dlv(1, queue, 2, true)
    .dlv(1, queue, 3)
    .settle(1, queue, 'ack', true);
  expect(story.rules()).toEqual([]);
});

test('what was unacked at a kill is back in its place after it', () => {
  const queue = 'crash.work';
  const story = new Story().connect(1, queue).pub(1, 1, [queue]).pub(1, 2, [queue]);
  story.conf(1, 2, true).dlv(1, queue, 1).connect(2, queue);
  story.dlv(2, queue, 2).dlv(2, queue, 1, true).settle(2, queue, 'ack', true);
  expect(story.rules()).toEqual(['I6']);
});

test('what the supervisor saw itself counts too', () => {
  const story = new Story();
  story.history.lookups.push({ what: 'exchange', name: 'x', expected: false, found: true });
  story.history.lookups.push({ what: 'transient queue', name: 't', expected: false, found: true });
  story.history.incidents.push({ rule: 'I11', text: 'SIGTERM: exit code 1' });
  expect(story.rules().sort()).toEqual(['I10', 'I11', 'I12']);
});
