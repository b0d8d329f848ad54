// Owns putting a message once more into queues, under another address or with other headers: dead
// letters and what is moved. Never decides that, nor where it goes.

import { Chunk } from '../../message/chunk.ts';
import type { ReadMessage } from '../../message/read-message.ts';
import { buildRecord, FLAG_PERSISTENT, NO_EXPIRY, writeRecordHead } from '../../message/record.ts';
import type { ExactText } from '../../util/bytes.ts';
import type { BrokerCore } from '../core/core.ts';
import { enqueue, enqueueWide, keepOf, refusalsIn } from '../core/enqueue.ts';
import type { MessageSink } from '../queue/ports.ts';
import {
  PUSH_CAME_BEFORE,
  PUSH_EXPIRES,
  PUSH_PRIORITY,
  PUSH_PRIORITY_SHIFT,
  PUSH_STEP,
  PUSH_STREAM_HEADERS,
} from '../queue/push-flags.ts';
import type { Steps } from '../turn/slices.ts';

/** What differs from the message that is copied. */
export interface Copy {
  readonly exchange: ExactText;
  readonly routingKey: ExactText;
  readonly headerPayload: Buffer;
  /** Its time to live from now on, ms, or NO_EXPIRY. */
  readonly expiryMs: number;
  /** Whether it is moved, and so no duplicate of itself where it comes to. */
  readonly moved?: boolean;
  /** Whether what is copied waits for the disk: the copy must not be seen before it, either. */
  readonly held?: boolean;
}

/** A copy that is whole, and in no queue yet. */
export interface PreparedCopy {
  /** Its record, and nothing else. */
  readonly chunk: Chunk;
  readonly bodyBytes: number;
  /** As for `enqueue`. */
  readonly flags: number;
}

/** Makes a copy of a message. All that can fail fails here, while nothing has changed. */
export function prepareCopy(core: BrokerCore, message: ReadMessage, copy: Copy): PreparedCopy {
  const chunk = new Chunk();
  const record = buildRecord(copy.exchange, copy.routingKey, copy.headerPayload, message.body);
  chunk.loadRecord(record, null);
  const kept = message.persistent ? FLAG_PERSISTENT : 0;
  const { priority } = message;
  writeRecordHead(chunk.view, 0, kept, priority ?? 0, core.time.now(), copy.expiryMs);
  // Few are made: a stream looks what headers there are.
  let flags = PUSH_STREAM_HEADERS;
  if (priority !== null) flags |= PUSH_PRIORITY | (priority << PUSH_PRIORITY_SHIFT);
  if (copy.expiryMs !== NO_EXPIRY) flags |= PUSH_EXPIRES;
  if (copy.moved === true) flags |= PUSH_CAME_BEFORE;
  if (copy.held === true) flags |= PUSH_STEP;
  return { chunk, bodyBytes: message.body.length, flags };
}

/** Puts a copy into queues, of which there is one at least and not very many; returns how many refused it. */
export function placeCopy(
  core: BrokerCore,
  { chunk, bodyBytes, flags }: PreparedCopy,
  targets: readonly MessageSink[],
): number {
  const keep = keepOf(targets);
  core.line.begin();
  const outcome = enqueue(core, chunk, 0, chunk.bytes.length, bodyBytes, targets, keep, flags);
  core.line.end();
  return refusalsIn(outcome);
}

/** The same for very many queues, step by step: one batch must have all of it. */
export function* placingCopy(
  core: BrokerCore,
  { chunk, bodyBytes, flags }: PreparedCopy,
  targets: readonly MessageSink[],
): Steps {
  const keep = keepOf(targets);
  const outcome = { stored: false, refused: false };
  const end = chunk.bytes.length;
  core.line.begin();
  const steps = enqueueWide(core, chunk, 0, end, bodyBytes, targets, keep, flags, outcome);
  core.line.end();
  yield* steps;
}
