// Owns publishes whose route takes long to find: the message waits while that is done in slices. Never finds
// a route.

import { BASIC_PUBLISH } from '../../../amqp/constants.ts';
import { LongRoute } from '../../../broker/routing/router.ts';
import type { Steps } from '../../../broker/turn/slices.ts';
import { Chunk } from '../../../message/chunk.ts';

/** So often bindings may change on the way; then the route is found in one go. */
const WALKS_MAX = 8;

/** Where a record lies, and in it the ends of its frames. */
export type RecordPlace = [
  chunk: Chunk,
  start: number,
  addressEnd: number,
  headerFrame: number,
  end: number,
];

/** What is needed of the publishing side of a channel. */
export interface PatientPublisher {
  readonly routes: { patient: boolean };
  publish(...record: RecordPlace): void;
}

/** What is needed of its channel. */
export interface PatientChannel {
  /** Does a long act in slices, and then `then`; what is published behind it waits. */
  act(steps: Steps, then: () => void, whole: boolean, key: number): void;
}

/**
 * Publishes a record once its long route is found, where `error` says that it is one: nothing has changed then.
 * Throws any other error again. The record lies in a chunk that others go on to use, so it is copied.
 */
export function publishLater(
  publisher: PatientPublisher,
  channel: PatientChannel,
  error: unknown,
  ...[chunk, start, addressEnd, headerFrame, end]: RecordPlace
): void {
  if (!(error instanceof LongRoute)) throw error;
  const copy = new Chunk();
  const { bytes, parts } = chunk;
  copy.loadRecord(Buffer.from(bytes.subarray(start, parts === null ? end : bytes.length)), parts);
  let walks = 0;
  const again = (): void => {
    walks += 1;
    publisher.routes.patient = walks < WALKS_MAX;
    try {
      publisher.publish(copy, 0, addressEnd - start, headerFrame - start, end - start);
    } catch (next) {
      if (!(next instanceof LongRoute)) throw next;
      channel.act(next.steps, again, false, BASIC_PUBLISH);
    } finally {
      publisher.routes.patient = true;
    }
  };
  channel.act(error.steps, again, false, BASIC_PUBLISH);
}
