// The part of the judge that knows streams, tested by histories made by hand: it must be silent about what is allowed, and find
// each kind of broken promise.
import { expect, test } from 'vitest';
import { check, type Entry } from './check.mjs';
import { EVENTS, KEPT, STREAM, Story } from './story.ts';
import {
  keptStoryOfStream,
  OLD,
  OTHER,
  oldStream,
  seqsUpTo,
  takenOver,
} from './story-of-stream.ts';

test('nothing is wrong with a stream that keeps its promises', () => {
  const { violations, counts } = check(keptStoryOfStream().history);
  expect(violations).toEqual([]);
  expect(counts).toMatchObject({ 'a stream read as a whole': 3, 'read by a group': 6 });
});

/** One message to a queue and the stream; what is said of it next begins after a kill. */
function published(seen: 'by the queue' | 'by the group' | 'by none', confirmed: boolean): Story {
  const [queue] = EVENTS as [string];
  const story = oldStream().pub(1, OLD + 1, EVENTS);
  if (seen === 'by the queue') story.dlv(1, queue, OLD + 1);
  if (seen === 'by the group') story.read(1, OLD, OLD + 1);
  if (confirmed) story.conf(1, 1);
  return story.connect(2, ...EVENTS);
}

test('what is confirmed is in the stream, and what is not may be lost', () => {
  const gone = (story: Story) => story.reading(0, seqsUpTo(0)).rules();
  expect(gone(published('by none', false))).toEqual([]);
  expect(gone(published('by the queue', false))).toEqual([]);
  expect(gone(published('by none', true))).toEqual(['I1', 'I20']);
});

test('what was delivered from a stream was durable: it stays there, and its queue has it', () => {
  const there = (story: Story) => story.read(2, OLD, OLD + 1).reading(0, seqsUpTo(1));
  const [queue] = EVENTS as [string];
  const kept = there(published('by the group', false)).dlv(2, queue, OLD + 1);
  expect(kept.settle(2, queue, 'ack').rules()).toEqual([]);
  expect(there(published('by the group', false)).rules()).toEqual(['I7']);
  const gone = published('by the group', false)
    .dlv(2, queue, OLD + 1)
    .settle(2, queue, 'ack');
  expect(gone.reading(0, seqsUpTo(0)).rules()).toEqual(['I21']);
});

test('an offset names one message, as the group and all readings see it', () => {
  const [queue] = EVENTS as [string];
  const story = published('by the group', false)
    .pub(2, OLD + 2, EVENTS)
    .read(2, OLD, OLD + 2);
  for (const n of [1, 2]) story.dlv(2, queue, OLD + n).settle(2, queue, 'ack');
  expect(story.reading(0, seqsUpTo(1)).rules()).toEqual(['I21']);
});

test('a stream begins no later than what it is to keep, and lets go of what is more', () => {
  const old = KEPT + 1_000;
  const rules = (first: number) => {
    const story = new Story();
    story.history.seqBase = { p: old };
    const seqs = Array.from({ length: old - first }, (_, i) => first + i + 1);
    return story.reading(first, seqs, { before: true }).connect(2).reading(first, seqs).rules();
  };
  expect(rules(1_000)).toEqual([]);
  expect(rules(800)).toEqual([]);
  expect(rules(1_001)).toEqual(['I20']);
});

test('what retention took before anything read it is not missed, and what lies beside it is', () => {
  const take = (missing: number) => {
    const story = new Story().connect(1, ...EVENTS);
    const [queue] = EVENTS as [string];
    const seqs = Array.from({ length: KEPT + 2 }, (_, i) => i + 1);
    for (const seq of seqs) {
      story.pub(1, seq, EVENTS).dlv(1, queue, seq).settle(1, queue, 'ack');
    }
    const left = seqs.slice(1).filter((seq) => seq !== missing);
    story.conf(1, seqs.length, true);
    for (const [i, seq] of left.entries()) story.read(1, i + 1, seq);
    story
      .settle(1, STREAM, 'ack', true)
      .connect(2, ...EVENTS)
      .reading(1, left);
    return story.rules();
  };
  expect(take(1)).toEqual([]);
  expect(take(100)).toEqual(['I20']);
});

/** A group that has acked two of three messages, the first behind a barrier, and goes on after a kill. */
function goesOn(at: number): string[] {
  const story = oldStream();
  const [queue] = EVENTS as [string];
  for (const n of [1, 2, 3]) {
    story
      .pub(1, OLD + n, EVENTS)
      .dlv(1, queue, OLD + n)
      .settle(1, queue, 'ack');
  }
  story.conf(1, 3, true).barrier(1, queue, 1);
  story
    .read(1, OLD, OLD + 1)
    .settle(1, STREAM, 'ack')
    .barrier(1, STREAM, 1);
  story
    .read(1, OLD + 1, OLD + 2)
    .settle(1, STREAM, 'ack')
    .read(1, OLD + 2, OLD + 3);
  story.connect(2, ...EVENTS);
  for (let offset = at; offset < OLD + 3; offset++) story.read(2, offset, offset + 1);
  return story.reading(0, seqsUpTo(3)).rules();
}

test('a group goes on between what is acked for good and what it has acked', () => {
  expect(goesOn(OLD + 1)).toEqual([]);
  expect(goesOn(OLD + 2)).toEqual([]);
  expect(goesOn(OLD)).toEqual(['I22']);
  expect(goesOn(OLD + 3 - 4)).toEqual(['I22']);
});

test('one that took over and acked nothing for good does not say that what was acked before it is durable', () => {
  const rules = (covered: string[], at: number) => {
    const story = takenOver(covered);
    for (let offset = at; offset < OLD + 3; offset++) story.read(2, offset, offset + 1);
    return story.reading(0, seqsUpTo(3)).rules();
  };
  for (const at of [OLD, OLD + 1, OLD + 2]) expect(rules([], at)).toEqual([]);
  expect(rules([STREAM], OLD)).toEqual(['I22']);
  expect(rules([STREAM], OLD + 1)).toEqual([]);
  for (const at of [OLD, OLD + 1]) expect(rules([OTHER], at)).toEqual(['I22']);
  expect(rules([OTHER], OLD + 2)).toEqual([]);
});

test('a group that goes on ahead of what it acked has passed something by', () => {
  const story = oldStream();
  const [queue] = EVENTS as [string];
  for (const n of [1, 2]) {
    story
      .pub(1, OLD + n, EVENTS)
      .dlv(1, queue, OLD + n)
      .settle(1, queue, 'ack');
  }
  story
    .conf(1, 2, true)
    .barrier(1, queue, 1)
    .read(1, OLD, OLD + 1)
    .connect(2, ...EVENTS);
  story.read(2, OLD + 1, OLD + 2).reading(0, seqsUpTo(2));
  expect(story.rules()).toEqual(['I22']);
});

test('only what was sent to a stream is in it, and not what was refused', () => {
  const [queue] = EVENTS as [string];
  const begin = (to: string[]) =>
    oldStream()
      .pub(1, OLD + 1, to)
      .dlv(1, queue, OLD + 1);
  const end = (story: Story) => {
    return story
      .settle(1, queue, 'ack')
      .read(1, OLD, OLD + 1)
      .reading(0, seqsUpTo(1))
      .rules();
  };
  expect(end(begin(EVENTS))).toEqual([]);
  expect(end(begin([queue]))).toEqual(['I2']);
  const refused = oldStream().pub(1, OLD + 1, EVENTS);
  refused.publisher.push({ e: 'refuse', conn: 'p#1', tag: 1, multiple: false });
  refused.read(1, OLD, OLD + 1).reading(0, seqsUpTo(1));
  expect(refused.rules()).toEqual(['I2']);
});

test('a group is given all that a stream has, with the bytes as they were', () => {
  const [queue] = EVENTS as [string];
  const begin = () => {
    const story = oldStream()
      .pub(1, OLD + 1, EVENTS)
      .dlv(1, queue, OLD + 1);
    return story.settle(1, queue, 'ack');
  };
  expect(begin().reading(0, seqsUpTo(1)).rules()).toEqual(['I22']);
  const given = begin()
    .read(1, OLD, OLD + 1)
    .reading(0, seqsUpTo(1));
  expect(given.rules()).toEqual([]);
  const read = given.consumer.at(-1) as Entry & { e: 'read' };
  given.consumer.splice(-1, 1, { ...read, fault: 'the body does not match its CRC' });
  expect(given.rules()).toEqual(['I3']);
});
