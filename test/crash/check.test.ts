// The judge of the crash test, tested by histories made by hand: it must be silent about what is
// allowed, and find each kind of broken promise.
import { expect, test } from 'vitest';
import type { Entry } from './check.d.mts';
import { check } from './check.mjs';
import { MUTANTS, runMutants } from './mutants.mjs';
import { FAN, LEASE_US, Story, SURE } from './story.ts';
import { keptStoryOfStream, OLD, OTHER, seqsUpTo, takenOver } from './story-of-stream.ts';

/** A run with one kill in which everything happened and every promise was kept. */
function keptStory(): Story {
  const [one, two] = FAN as [string, string];
  const story = new Story();
  story.connect(1, one, two, 'crash.work', 'crash.dead', 'crash.transient', ...SURE);
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
  story.pub(1, 9, SURE);
  for (const queue of SURE) story.dlv(1, queue, 9).settle(1, queue, 'ack');
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
  const dying = ['crash.ttl', 'crash.ttl.dead', 'crash.limit', 'crash.priority'];
  const queues = [...dying, ...times, 'crash.lease', 'crash.grouped', 'crash.once'];
  queues.push('crash.job', 'crash.first.1', 'crash.first.2');
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
  story.pub(1, 9, ['crash.lease']).conf(1, 9).dlv(1, 'crash.lease', 9, false, { t: 2_000 });
  const later = 2_000 + LEASE_US;
  story.dlv(1, 'crash.lease', 9, true, { t: later }).settle(1, 'crash.lease', 'ack');
  for (const seq of [200, 201]) story.pub(1, seq, ['crash.once'], { once: 'key' });
  story.conf(1, 10).conf(1, 11);
  for (const seq of [10, 60, 110]) story.pub(1, seq, ['crash.grouped']);
  story.dlv(1, 'crash.grouped', 10, false, { t: later });
  story.settle(1, 'crash.grouped', 'requeue', false, { t: later + 8_000 });
  story.dlv(1, 'crash.grouped', 10, true, { t: later + 8_500 });
  story.settle(1, 'crash.grouped', 'ack', false, { t: later + 8_600 });
  for (const [seq, t] of [
    [60, later + 9_000],
    [110, later + 10_000],
  ] as const) {
    story.dlv(1, 'crash.grouped', seq, false, { t });
    story.settle(1, 'crash.grouped', 'ack', false, { t: t + 1 });
  }
  story.pub(1, 300, ['crash.job'], { once: 'job', t: 1 }).conf(1, 15);
  story.dlv(1, 'crash.job', 300, false, { t: later }).settle(1, 'crash.job', 'ack', false, {
    t: later + 8_000,
  });
  story.t = later + 9_000;
  story.barrier(1, 'crash.job', 1);
  story.pub(1, 301, ['crash.job'], { once: 'job', t: later + 10_000 }).conf(1, 16);
  story.dlv(1, 'crash.job', 301, false, { t: later + 11_000 });
  story.settle(1, 'crash.job', 'ack', false, { t: later + 11_001 });
  const first = ['crash.first.1', 'crash.first.2'];
  story.pub(1, 310, first, { once: 'first' }).conf(1, 17);
  for (const queue of first) story.dlv(1, queue, 310).settle(1, queue, 'ack');
  const once = later + 50_000;
  story.dlv(1, 'crash.once', 200, false, { t: once }).settle(1, 'crash.once', 'ack');
  story.history.ticks.push({ published: 3, found: 3, most: 4 });
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
  expect(counts).toMatchObject({ published: 9, confirmed: 5, unconfirmed: 4, 'dead-lettered': 1 });
  const ofQueues = check(keptStoryOfQueues().history);
  expect(ofQueues.violations).toEqual([]);
  expect(ofQueues.counts).toMatchObject({
    'dead-lettered: expired': 1,
    'by priority after a restart': 2,
  });
});

/** A run in which one member of a group took over from another, and its acks alone are durable. */
function keptStoryOfGroup(): Story {
  return takenOver([OTHER])
    .read(2, OLD + 2, OLD + 3)
    .reading(0, seqsUpTo(3));
}

test('every way to spoil one of these histories is found, and named by its rule', () => {
  const stories = [keptStory(), keptStoryOfQueues(), keptStoryOfStream(), keptStoryOfGroup()];
  const verdicts = stories.map(({ history }) => runMutants(history));
  expect(verdicts.flat().filter(({ found }) => found === false)).toEqual([]);
  const isFound = (_: unknown, i: number) => verdicts.some((each) => each[i]?.found === true);
  expect(MUTANTS.filter((mutant, i) => !isFound(mutant, i))).toEqual([]);
});

/** Whether each mutant of a name was found in a history; null where it had no place there. */
function foundOf(story: Story, name: string): (boolean | null)[] {
  expect(story.rules()).toEqual([]);
  const { history } = story;
  return runMutants(history)
    .filter((mutant) => mutant.name === name)
    .map(({ found }) => found);
}

test('what a kill may have undone is no place to spoil, and the next one is', () => {
  for (const [from, to, name] of [
    ['crash.work', 'crash.dead', 'a rejected message is in both queues'],
    ['crash.work', 'crash.dead', 'a rejected message is in neither queue'],
    ['crash.ttl', 'crash.ttl.dead', 'an expired message is in both queues'],
  ] as const) {
    const move = (covered: boolean) => {
      const story = new Story().connect(1, from, to);
      for (const seq of [1, 2, 3]) story.pub(1, seq, [from]);
      story.conf(1, 3, true).dlv(1, from, 1).settle(1, from, 'ack');
      for (const seq of [2, 3]) {
        if (from === 'crash.work') story.dlv(1, from, seq).settle(1, from, 'reject');
        story.dlv(1, to, seq).settle(1, to, 'ack');
        if (seq === 2 && covered) story.barrier(1, to, 1);
      }
      return story.connect(2, from, to);
    };
    expect(foundOf(move(false), name), name).toEqual([null]);
    expect(foundOf(move(true), name), name).toEqual([true]);
  }
});

test('a move is spoiled where what was moved was acked, and not where that is left open', () => {
  const [queue, name] = ['crash.ttl.dead', 'an expired message was moved twice'] as const;
  const story = new Story().connect(1, 'crash.ttl', queue).pub(1, 1, ['crash.ttl']);
  story.conf(1, 1).dlv(1, queue, 1).connect(2, queue);
  story.dlv(2, queue, 1, true).settle(2, queue, 'ack');
  expect(foundOf(story, name)).toEqual([true]);
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

test('what was seen after the commit is in all queues of its publish or transaction, confirmed or not', () => {
  const [one, two] = SURE as [string, string];
  const seen = (to: string[]) => {
    const story = new Story().connect(1, ...SURE).pub(1, 1, to);
    return story.dlv(1, one, 1).settle(1, one, 'ack').connect(2, two, 'crash.work');
  };
  expect(seen(SURE).rules()).toEqual(['I23']);
  const whole = seen(SURE).dlv(2, two, 1).settle(2, two, 'ack');
  expect(whole.rules()).toEqual([]);
  const unacked = new Story().connect(1, ...SURE).pub(1, 1, [one]);
  expect(unacked.dlv(1, one, 1).connect(2, one).rules()).toEqual(['I23']);
  const group = { group: 'p/1' };
  const commit = new Story().connect(1, one).pub(1, 1, [one], group);
  commit.pub(1, 2, ['crash.work'], group).dlv(1, one, 1).settle(1, one, 'ack').connect(2);
  expect(commit.rules()).toEqual(['I7']);
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

test('a step that was seen is not undone by a kill, as a move of the queue itself may be', () => {
  for (const [queue, rules] of [
    ['crash.ttl', []],
    ['crash.step', ['I8']],
  ] as const) {
    const next = queue === 'crash.ttl' ? 'crash.ttl.dead' : 'crash.step.done';
    const story = new Story().connect(1, queue, next).pub(1, 1, [queue]).dlv(1, next, 1);
    story.connect(2, queue, next).dlv(2, queue, 1, true).dlv(2, next, 1).settle(2, next, 'ack');
    expect(story.rules(), queue).toEqual(rules);
  }
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

test('a lease may be over, prolonged, left or given back before another worker has the message', () => {
  const queue = 'crash.lease';
  const begin = () => new Story().connect(1, queue, 'other').pub(1, 1, [queue]).conf(1, 1);
  const again = (story: Story, t: number) => {
    return story.dlv(1, queue, 1, true, { t }).settle(1, queue, 'ack');
  };
  const held = () => begin().dlv(1, queue, 1, false, { t: 100 });
  expect(again(held(), 99 + LEASE_US).rules(), 'clocks of two processes').toEqual([]);
  expect(again(held(), 100 + LEASE_US / 2).rules()).toEqual(['I16']);
  expect(again(held().settle(1, queue, 'requeue'), 500).rules()).toEqual([]);
  const late = { t: LEASE_US / 2 };
  const lateBack = again(held().settle(1, queue, 'requeue', false, late), 500);
  expect(lateBack.rules(), 'back after the other had it').toEqual(['I16']);
  expect(again(held().settle(1, queue, 'ack'), 500).rules()).toEqual(['I16']);
  const left = held();
  left.consumer.push({ e: 'leave', conn: `${queue}#1`, t: 300 });
  expect(again(left, 500).rules()).toEqual([]);
  const prolonged = held();
  const until = 100 + 3 * LEASE_US;
  prolonged.consumer.push({ e: 'prolonged', conn: `${queue}#1`, tag: 1, until });
  expect(again(prolonged, 100 + 2 * LEASE_US).rules()).toEqual(['I16']);
  const heldUp = held().dlv(1, queue, 1, true, { t: LEASE_US / 2, since: 200 });
  expect(heldUp.settle(1, queue, 'ack').rules(), 'read late').toEqual([]);
  const pulled = again(held(), 500);
  pulled.history.pulls = [{ epoch: 0, from: 50, to: 400 }];
  expect(pulled.rules(), 'no network for a while').toEqual([]);
  pulled.history.pulls = [{ epoch: 1, from: 50, to: 400 }];
  expect(pulled.rules(), 'that of another leader').toEqual(['I16']);
});

test('a lease is broken where it is neither over nor given up', () => {
  const [queue, name] = [
    'crash.lease',
    'another worker is given a message within a lease',
  ] as const;
  const held = (t: number, since: number, how: 'ack' | 'requeue', settledAt: number) => {
    const story = new Story().connect(1, queue).pub(1, 1, [queue]).conf(1, 1);
    story.dlv(1, queue, 1, false, { t, since }).settle(1, queue, how, false, { t: settledAt });
    if (how === 'ack') return story;
    story.dlv(1, queue, 1, true, { t: settledAt + 1, count: 1 });
    return story.settle(1, queue, 'ack', false, { t: settledAt + 2 });
  };
  const later = 3 * LEASE_US;
  expect(foundOf(held(later, later, 'ack', later + 50_000), name)).toEqual([true]);
  expect(foundOf(held(later, later, 'requeue', later + 2_000), name)).toEqual([null]);
  expect(foundOf(held(later, later - LEASE_US, 'ack', later + 50_000), name)).toEqual([null]);
});

test('a worker that reads late may note a message after the one that has it next', () => {
  const queue = 'crash.lease';
  const story = new Story().connect(1, queue, 'other').pub(1, 1, [queue]).conf(1, 1);
  const next = story.dlv(1, queue, 1, true, { t: 100 + LEASE_US, count: 1 });
  next.settle(1, queue, 'ack').barrier(1, queue, 1);
  const late = { t: 200 + LEASE_US, since: 50, conn: 'other#1' };
  expect(story.dlv(1, queue, 1, false, late).rules()).toEqual([]);
});

test('an ack within a lease is for good once its barrier has passed, and a late one is not', () => {
  const queue = 'crash.lease';
  const passed = (t: number) => {
    const story = new Story().connect(1, queue).pub(1, 1, [queue]).conf(1, 1);
    story.dlv(1, queue, 1, false, { t: 100 }).settle(1, queue, 'ack');
    story.t = t;
    story.barrier(1, queue, 1).dlv(1, queue, 1, true, { t: 3 * LEASE_US });
    return story.settle(1, queue, 'ack').rules();
  };
  expect(passed(500)).toEqual(['I4']);
  expect(passed(2 * LEASE_US)).toEqual([]);
});

test('a group goes on once its message was settled, or its consumer has left', () => {
  const queue = 'crash.grouped';
  const begin = () =>
    new Story()
      .connect(1, queue)
      .pub(1, 1, [queue])
      .pub(1, 51, [queue])
      .pub(1, 2, [queue])
      .conf(1, 3, true);
  const next = (story: Story, t: number, seq = 51) =>
    story.dlv(1, queue, seq, false, { t }).settle(1, queue, 'ack', false, { t: t + 1 });
  const held = () => begin().dlv(1, queue, 1, false, { t: 100 });
  const acked = () => held().settle(1, queue, 'ack', false, { t: 40_000 });
  const back = () => held().settle(1, queue, 'requeue', false, { t: 200 });
  const left = () => {
    const story = held();
    story.consumer.push({ e: 'leave', conn: `${queue}#1`, t: 300 });
    return story;
  };
  const isFault = (story: Story) => story.rules().includes('I18');
  expect(next(next(acked(), 40_100), 90_000, 2).rules()).toEqual([]);
  expect(next(next(acked(), 20_000), 90_000, 2).rules()).toEqual(['I18']);
  expect(isFault(next(acked(), 20_000, 2)), 'another group').toBe(false);
  expect(isFault(next(next(back(), 500, 1), 600))).toBe(false);
  expect(isFault(next(back(), 500))).toBe(true);
  expect(isFault(next(next(left(), 500, 1), 600))).toBe(false);
  expect(isFault(next(left(), 500))).toBe(true);
});

test('schedules have published what their queue has, and no more than their time allows', () => {
  const rules = (ticks: Story['history']['ticks']) => {
    const story = new Story();
    story.history.ticks = ticks;
    return story.rules();
  };
  expect(rules([{ published: 3, found: 3, most: 3 }])).toEqual([]);
  expect(rules([{ published: 3, found: 4, most: 9 }])).toEqual(['I17']);
  expect(rules([{ published: 4, found: 4, most: 3 }])).toEqual(['I17']);
});

test('of two messages with a key one is delivered, unless a kill took the first and its key', () => {
  const queue = 'crash.once';
  const both = (confirmed: boolean, attempt: 1 | 2) => {
    const story = new Story().connect(1, queue).pub(1, 1, [queue], { once: 'key' });
    if (confirmed) story.conf(1, 1);
    story.dlv(1, queue, 1).settle(1, queue, 'ack');
    if (attempt === 2) story.connect(2, queue);
    story.pub(attempt, 2, [queue], { once: 'key' });
    return story.dlv(attempt, queue, 2).settle(attempt, queue, 'ack').rules();
  };
  expect(both(true, 1)).toEqual(['I19']);
  expect(both(true, 2)).toEqual(['I19']);
  expect(both(false, 1)).toEqual(['I19']);
  expect(both(false, 2)).toEqual([]);
  const gone = new Story().connect(1, queue).pub(1, 1, [queue], { once: 'key' }).conf(1, 1);
  expect(gone.rules()).toEqual(['I19']);
});

test('where a key ends with its message, one is there at a time, and the next is taken once that is done', () => {
  const queue = 'crash.job';
  const pair = (settled: 'ack' | 'requeue', covered: boolean, delivered: boolean) => {
    const story = new Story()
      .connect(1, queue)
      .pub(1, 1, [queue], { once: 'key', t: 1 })
      .conf(1, 1);
    story.dlv(1, queue, 1).settle(1, queue, settled, false, { t: story.t });
    if (covered) story.barrier(1, queue, 1);
    story.pub(1, 2, [queue], { once: 'key', t: ++story.t }).conf(1, 2);
    if (delivered) story.dlv(1, queue, 2).settle(1, queue, 'ack', false, { t: story.t });
    return story;
  };
  expect(pair('ack', true, true).rules()).toEqual([]);
  expect(pair('ack', false, false).rules()).toEqual([]);
  expect(pair('ack', true, false).rules()).toEqual(['I19']);
  const again = pair('requeue', false, false).dlv(1, queue, 1, true, { count: 1 });
  expect(again.settle(1, queue, 'ack').rules()).toEqual([]);
  expect(pair('requeue', false, true).rules()).toContain('I19');
});

test('what passes an exchange that knows keys is delivered from all of its queues', () => {
  const [one, two] = ['crash.first.1', 'crash.first.2'] as const;
  const story = new Story().connect(1, one, two).pub(1, 1, [one, two], { once: 'key' });
  story.dlv(1, one, 1).settle(1, one, 'ack');
  expect(story.rules()).toEqual([]);
  expect(story.conf(1, 1).rules()).toEqual(['I19', 'I19']);
  expect(story.dlv(1, two, 1).settle(1, two, 'ack').rules()).toEqual([]);
});

/** A publisher sends to a leader that is paused a second later, and then another one leads. */
function storyOfTerms(sentAt: number, since: number, paused = true): Story {
  const story = new Story();
  story.history.terms = [
    { epoch: 4, t: 1_000 },
    { epoch: 9, t: 5_000_000 },
  ];
  if (paused) story.history.pauses = [{ epoch: 4, t: 1_000_000 }];
  story.publisher.push({ e: 'open', conn: 'p#1', t: 2_000, host: 0, at: 2_100, spawn: 4 });
  story.pub(1, 1, [FAN[0] as string], { t: sentAt });
  story.publisher.push({ e: 'conf', conn: 'p#1', tag: 1, multiple: false, t: since + 10, since });
  story.consumer.push({ e: 'open', conn: `${FAN[0]}#2`, t: 1, host: 1, at: 2, spawn: 9 });
  story.dlv(2, FAN[0] as string, 1).settle(2, FAN[0] as string, 'ack');
  return story;
}

test('a leader may be paused as it confirms, and go on with that after another one leads', () => {
  expect(storyOfTerms(900_000, 7_000_000).rules()).toEqual([]);
  expect(storyOfTerms(2_000_000, 4_900_000).rules()).toEqual([]);
});

test('a leader that confirms after another one leads what it was sent while it was paused is found', () => {
  expect(storyOfTerms(2_000_000, 7_000_000).rules()).toEqual(['I24']);
});

test('a leader that is cut off confirms nothing that it is sent after another one leads', () => {
  expect(storyOfTerms(4_900_000, 7_000_000, false).rules()).toEqual([]);
  const story = storyOfTerms(6_000_000, 7_000_000, false);
  expect(story.rules()).toEqual(['I24']);
  // It could not know, where another node's clock ran ahead.
  story.history.hurries = [4];
  expect(story.rules()).toEqual([]);
});

test('terms of leaders stand for broker processes: a transient message does not live on in the next', () => {
  const story = storyOfTerms(900_000, 4_900_000);
  const [, pub] = story.publisher;
  story.publisher[1] = { ...(pub as Entry & { e: 'pub' }), persistent: false };
  expect(story.rules()).toEqual(['I12']);
});
