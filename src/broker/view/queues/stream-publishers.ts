// Owns what tools see of those that publish to a stream under a name: the last id of each. Never changes one.

import { Refusal } from '../../errors.ts';
import type { Stream } from '../../queue/stream/stream.ts';

/** A publisher, and the id of the last message that is stored under its name. */
export interface PublisherView {
  readonly publisher: string;
  readonly last_id: number;
}

/** Some publishers of a stream, in order of the bytes of their names. */
export interface PublisherPage {
  readonly publishers: readonly PublisherView[];
  /** Behind which name the next ones are; null: these were the last. */
  readonly next: string | null;
}

/** The last id of a publisher. Refuses where nothing is stored under that name. */
export function publisherOf(stream: Stream, publisher: string): PublisherView {
  const last = stream.publishers.lastId(publisher);
  if (last !== null) return { publisher, last_id: last };
  const text = `no publisher '${publisher}' has an id in stream '${stream.name}'`;
  throw new Refusal('not-found', text);
}

/** Publishers behind a name, '' for the first ones, so many at most; of those that are on the disk. */
export function publishersOf(stream: Stream, after: string, count: number): PublisherPage {
  const publishers: PublisherView[] = [];
  for (const { publisher, id } of stream.publishers.after(after)) {
    if (publishers.length === count)
      return { publishers, next: publishers.at(-1)?.publisher ?? null };
    publishers.push({ publisher, last_id: id });
  }
  return { publishers, next: null };
}
