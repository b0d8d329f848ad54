// Owns the history of a stream made by hand, for the tests of the judge. Never judges by itself.

import { EVENTS, STREAM, Story } from './story.ts';

/** Another member of the group. */
export const OTHER = `${STREAM} by another`;

/** So many messages the stream has of before: ids and offsets that no retention comes near. */
export const OLD = 2_000;

/** The ids of these messages, and of so many more. */
export function seqsUpTo(more: number): number[] {
  return Array.from({ length: OLD + more }, (_, i) => i + 1);
}

/** A story of a stream that had messages, all of which the group has acked. */
export function oldStream(): Story {
  const story = new Story().reading(0, seqsUpTo(0), { before: true });
  story.history.seqBase = { p: OLD };
  return story.connect(1, ...EVENTS);
}

/**
 * A run with one kill in which every promise was kept: the ack of the first message is durable, that of the second is lost,
 * the third was not confirmed, and the fourth comes after the kill.
 */
export function keptStoryOfStream(): Story {
  const [queue] = EVENTS as [string];
  const story = oldStream();
  for (const n of [1, 2, 3]) story.pub(1, OLD + n, EVENTS);
  story.conf(1, 2, true);
  for (const n of [1, 2]) story.dlv(1, queue, OLD + n).settle(1, queue, 'ack');
  story.barrier(1, queue, 1);
  story
    .read(1, OLD, OLD + 1)
    .settle(1, STREAM, 'ack')
    .barrier(1, STREAM, 1);
  story
    .read(1, OLD + 1, OLD + 2)
    .settle(1, STREAM, 'requeue')
    .read(1, OLD + 2, OLD + 3);
  story
    .connect(2, ...EVENTS)
    .reading(0, seqsUpTo(3))
    .pub(2, OLD + 4, EVENTS)
    .conf(2, 1);
  for (const n of [3, 4]) story.dlv(2, queue, OLD + n).settle(2, queue, 'ack');
  for (const n of [2, 3, 4]) story.read(2, OLD + n - 1, OLD + n);
  return story.settle(2, STREAM, 'ack', true).barrier(2, STREAM, 1).reading(0, seqsUpTo(4));
}

/**
 * A group whose one member acks a message and leaves, after which the other gets the next one and acks that, before the kill.
 * `covered`: behind whose acks a barrier has passed. What the group is given after the kill comes next.
 */
export function takenOver(covered: readonly string[]): Story {
  const [queue] = EVENTS as [string];
  const story = oldStream().connect(1, OTHER);
  for (const n of [1, 2, 3]) {
    story
      .pub(1, OLD + n, EVENTS)
      .dlv(1, queue, OLD + n)
      .settle(1, queue, 'ack');
  }
  story.conf(1, 3, true).barrier(1, queue, 1);
  for (const [i, member] of [STREAM, OTHER].entries()) {
    story.read(1, OLD + i, OLD + i + 1, member).settle(1, member, 'ack');
    if (covered.includes(member)) story.barrier(1, member, 1);
  }
  return story.connect(2, ...EVENTS);
}
