// Owns looking into the log and the queues for what no caller may see: references, pages, content.
// Never changes anything, but that a page looked at is in memory afterwards.

import type { Broker } from '../../src/broker/broker.ts';
import { emptyEntry } from '../../src/broker/queue/delay/delay-entry.ts';
import { entriesOf as delayEntriesIn, readEntry } from '../../src/broker/queue/delay/delay-page.ts';
import { DelaySweep } from '../../src/broker/queue/delay/delay-sweep.ts';
import { AwayPage } from '../../src/broker/queue/messages/pages/away-page.ts';
import { isSettled, PAGE_ENTRIES, Page } from '../../src/broker/queue/messages/pages/page.ts';
import type { QueueEntries } from '../../src/broker/queue/messages/queue-entries.ts';
import { PageSweep } from '../../src/broker/queue/messages/sweeps.ts';
import type { Queue } from '../../src/broker/queue/queue.ts';
import { StreamSweep } from '../../src/broker/queue/stream/entries/stream-sweep.ts';
import type { Stream } from '../../src/broker/queue/stream/stream.ts';
import type { AnyQueue } from '../../src/broker/queue/types/create-queue.ts';
import type { MessageLog } from '../../src/message/log/log.ts';
import { SEGMENT_SPAN, type Segment, weightOf } from '../../src/message/log/segment.ts';
import {
  bodyBytesAt,
  headerFrameStart,
  recordExchange,
  recordRoutingKey,
} from '../../src/message/record.ts';
import type { Clock } from '../../src/util/clock.ts';
import { plainQueues, streamsAmong } from './plain-queue.ts';

/** A record read back from the log. */
export interface ReadRecord {
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
}

/** Reads the record at a position, as a channel does that delivers it. */
export function readRecord(log: MessageLog, position: number): ReadRecord {
  const { bytes, view, offset } = log.read(position);
  const headerFrame = headerFrameStart(bytes, offset);
  const bodyFrame = headerFrame + 8 + view.getUint32(headerFrame + 3);
  const bodyBytes = bodyBytesAt(view, headerFrame);
  return {
    exchange: recordExchange(bytes, offset),
    routingKey: recordRoutingKey(bytes, offset),
    body: Buffer.from(bytes.subarray(bodyFrame + 7, bodyFrame + 7 + bodyBytes)),
  };
}

/** The entries of each lane of a queue, the highest priority first. */
function entriesOf(queue: Queue): QueueEntries[] {
  return queue.messages.lanes.map((lane) => lane.entries);
}

/** The positions of all messages of a queue, ready or not, lane by lane and in order. */
export function positionsOf(queue: Queue): number[] {
  return entriesIn(queue).map(({ position }) => position);
}

interface Held {
  readonly position: number;
  readonly bodyBytes: number;
}

function entriesIn(queue: Queue): Held[] {
  const found: Held[] = [];
  for (const entries of entriesOf(queue)) {
    const pages = entries['pages'];
    for (let number = pages.first; number < pages.end; number++) {
      const page = pages.loaded(number);
      if (page !== null) found.push(...heldIn(page));
    }
  }
  return found;
}

function heldIn(page: Page): Held[] {
  const found: Held[] = [];
  for (let slot = 0; slot < page.count; slot++) {
    if (isSettled(page, slot)) continue;
    found.push({
      position: page.positions[slot] as number,
      bodyBytes: page.bodyBytes[slot] as number,
    });
  }
  return found;
}

/** The messages that a stream keeps, in order. */
export function keptIn(stream: Stream): Held[] {
  const found: Held[] = [];
  for (let cursor = 0; cursor >= 0; ) {
    cursor = stream.visitPage(
      cursor,
      (position, bodyBytes) => found.push({ position, bodyBytes }),
      () => true,
    );
  }
  return found;
}

/** The messages of a queue that wait for their time. */
function waitingIn(queue: Queue): Held[] {
  const found: Held[] = [];
  const { waiting } = queue.delays;
  for (let cursor = 0; waiting !== null && cursor >= 0; ) {
    cursor = waiting.visitPage(cursor, (position, bodyBytes) =>
      found.push({ position, bodyBytes }),
    );
  }
  return found;
}

/** What a walk over a queue visits: positions with sizes of bodies. */
export function walk(queue: Queue): [position: number, bodyBytes: number][] {
  const visited: [number, number][] = [];
  for (let cursor = 0; cursor >= 0; ) {
    cursor = queue.messages.visitPage(cursor, (...[position, bytes]) =>
      visited.push([position, bytes]),
    );
  }
  return visited;
}

/** For how many pages the lane that has most of them keeps a place. */
export function pagePlaces(queue: Queue): number {
  return Math.max(
    ...entriesOf(queue).map((entries) => entries['pages'].end - entries['pages'].first),
  );
}

/** How many pages of a queue have every place settled, and so should be gone. */
export function settledPages(queue: Queue): number {
  let settled = 0;
  for (const entries of entriesOf(queue)) {
    const pages = entries['pages'];
    for (let number = pages.first; number < pages.end; number++) {
      const page = pages.at(number);
      if (page instanceof Page && page.settled === PAGE_ENTRIES) settled += 1;
    }
  }
  return settled;
}

/** Every segment the log knows, by id. */
export function segmentsOf(log: MessageLog): ReadonlyMap<number, Segment> {
  return log['segments'];
}

/** The messages that were purged, and that still weigh on the log. */
function swept(broker: Broker): Held[] {
  const found: Held[] = [];
  for (const sweep of broker.core.sweeps['sweeps']) {
    if (sweep instanceof DelaySweep) found.push(...sweptDelays(broker, sweep));
    if (sweep instanceof StreamSweep) found.push(...sweptOfStream(broker, sweep));
    if (!(sweep instanceof PageSweep)) continue;
    const { queueId, lane, from } = sweep['range'];
    for (const [i, place] of sweep['places'].entries()) {
      if (place === undefined) continue;
      const page = place instanceof Page ? place : new Page(from + i);
      if (page !== place) broker.core.queueRows.readPage(queueId, lane, page);
      found.push(...heldIn(page));
    }
  }
  return found;
}

function sweptOfStream(broker: Broker, sweep: StreamSweep): Held[] {
  const { queueId, lane, to } = sweep['range'];
  const found: Held[] = [];
  for (let number = sweep['next']; number < to; number++) {
    const page = sweep['loaded'].get(number) ?? new Page(number);
    if (!sweep['loaded'].has(number)) broker.core.queueRows.readPage(queueId, lane, page);
    found.push(...heldIn(page));
  }
  return found;
}

function sweptDelays(broker: Broker, sweep: DelaySweep): Held[] {
  const found: Held[] = [];
  for (const page of sweep['pages'].slice(sweep['next'])) {
    const { queueId } = sweep['gone'];
    const bytes = page.bytes ?? broker.core.delayRows.readPage(queueId, page.number);
    for (let n = 0; n < delayEntriesIn(bytes); n++) {
      const entry = emptyEntry();
      readEntry(bytes, n, entry);
      const { dueMs, id } = sweep['mark'];
      if (entry.dueMs > dueMs || (entry.dueMs === dueMs && entry.id > id)) found.push(entry);
    }
  }
  return found;
}

/** What is wrong with the weights of segments, or null. */
export function wrongReferences(broker: Broker, queues: Iterable<AnyQueue>): string | null {
  const expected = new Map<number, number>();
  const all = [...queues];
  const held = [
    ...plainQueues(all).flatMap(entriesIn),
    ...plainQueues(all).flatMap(waitingIn),
    ...streamsAmong(all).flatMap(keptIn),
    ...broker.core.setAside.list(),
    ...swept(broker),
  ];
  broker.core.overflowDeadLetters.visitPage(0, (position, bodyBytes) =>
    held.push({ position, bodyBytes }),
  );
  for (const { position, bodyBytes } of held) {
    const id = Math.floor(position / SEGMENT_SPAN);
    expected.set(id, (expected.get(id) ?? 0) + weightOf(bodyBytes));
  }
  for (const segment of segmentsOf(broker.core.log).values()) {
    const wanted = expected.get(segment.id) ?? 0;
    if (segment.liveWeight !== wanted) {
      return `segment ${segment.id} is held with ${segment.liveWeight}, but should be with ${wanted}`;
    }
    if (wanted === 0 && !segment.open) return `segment ${segment.id} is not freed`;
    expected.delete(segment.id);
  }
  return expected.size === 0 ? null : `segment ${[...expected.keys()]} is gone too early`;
}

/** Whether a consumer of a queue could take a message. */
export function hasReadyConsumer(queue: Queue): boolean {
  return queue.consumers.some((consumer) => consumer.ready);
}

/** Makes a broker keep few pages in memory, and let go of few with each batch after a purge. */
export function limitPages(broker: Broker, loadedMax: number, sweptPerBatch: number): void {
  Object.assign(broker.core.queueRows.loaded, { max: loadedMax });
  Object.assign(broker.core.sweeps, { batchPages: sweptPerBatch, firstPages: sweptPerBatch });
}

/** Has long acts, dead letters and deliveries have their shares of a turn by another clock. */
export function paceTurns(broker: Broker, clock: Clock): void {
  const parts = [broker.core.slices, broker.core.overflowDeadLetters, broker.core['touched']];
  for (const part of parts) Object.assign(part, { clock });
}

/** How many pages of a queue are in the store only. */
export function pagesAway(queue: Queue): number {
  let away = 0;
  for (const entries of entriesOf(queue)) {
    const pages = entries['pages'];
    for (let number = pages.first; number < pages.end; number++) {
      if (pages.at(number) instanceof AwayPage) away += 1;
    }
  }
  return away;
}
