// Owns putting a message once more into queues, under another address or with other headers: dead
// letters and what is moved. Never decides that, nor where it goes.

import type { ReadMessage } from '../../message/read-message.ts';
import { buildRecord, FLAG_PERSISTENT, NO_EXPIRY, writeRecordHead } from '../../message/record.ts';
import { type ExactText, viewOf } from '../../util/bytes.ts';
import type { BrokerCore } from '../core/core.ts';
import {
  PUSH_EXPIRES,
  PUSH_PRIORITY,
  PUSH_PRIORITY_SHIFT,
  PUSH_STORED,
} from '../queue/messages/host.ts';
import type { Queue } from '../queue/queue.ts';
import type { Steps } from '../turn/slices.ts';
import { pushingAll } from './pushing.ts';

/** What differs from the message that is copied. */
export interface Copy {
  readonly exchange: ExactText;
  readonly routingKey: ExactText;
  readonly headerPayload: Buffer;
  /** Its time to live from now on, ms, or NO_EXPIRY. */
  readonly expiryMs: number;
}

/** A copy that is whole, and in no queue yet. */
export interface PreparedCopy {
  readonly record: Buffer;
  readonly view: DataView;
  readonly bodyBytes: number;
  readonly persistent: boolean;
  /** What a push is told of it, but for PUSH_STORED. */
  readonly traits: number;
}

/** Makes a copy of a message. All that can fail fails here, while nothing has changed. */
export function prepareCopy(core: BrokerCore, message: ReadMessage, copy: Copy): PreparedCopy {
  const record = buildRecord(copy.exchange, copy.routingKey, copy.headerPayload, message.body);
  const view = viewOf(record);
  const flags = message.persistent ? FLAG_PERSISTENT : 0;
  const { priority } = message;
  writeRecordHead(view, 0, flags, priority ?? 0, core.time.now(), copy.expiryMs);
  let traits = 0;
  if (priority !== null) traits |= PUSH_PRIORITY | (priority << PUSH_PRIORITY_SHIFT);
  if (copy.expiryMs !== NO_EXPIRY) traits |= PUSH_EXPIRES;
  const { persistent } = message;
  return { record, view, bodyBytes: message.body.length, persistent, traits };
}

/** Puts a copy into queues, of which there is one at least; false: one refused it. */
export function placeCopy(
  core: BrokerCore,
  prepared: PreparedCopy,
  targets: readonly Queue[],
): boolean {
  core.line.begin();
  const { position, traits } = store(core, prepared, targets);
  let taken = true;
  for (const target of targets) {
    if (!target.push(position, prepared.bodyBytes, traits)) taken = false;
  }
  core.line.end();
  return taken;
}

/** The same for very many queues, step by step: one batch must have all of it. */
export function* placingCopy(
  core: BrokerCore,
  prepared: PreparedCopy,
  targets: readonly Queue[],
): Steps {
  core.line.begin();
  const { position, traits } = store(core, prepared, targets);
  core.line.end();
  const outcome = { refused: false };
  yield* pushingAll(core, targets, position, prepared.bodyBytes, traits, outcome);
}

/** Has the log take a copy and hold it for so many queues. */
function store(
  { log }: BrokerCore,
  { record, view, bodyBytes, persistent, traits }: PreparedCopy,
  targets: readonly Queue[],
): { readonly position: number; readonly traits: number } {
  const stored = persistent && targets.some((target) => target.durable);
  const position = log.append(record, view, 0, record.length, stored);
  log.placed.hold(targets.length, bodyBytes);
  return { position, traits: stored ? traits | PUSH_STORED : traits };
}
