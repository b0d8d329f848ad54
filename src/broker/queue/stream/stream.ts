// Owns one stream: what comes in, what its readers are told of, and what it lets go of. Never parses a message, and never
// delivers: reading.ts does.

import { AmqpError } from '../../../amqp/errors.ts';
import type { FieldTable } from '../../../amqp/field-table.ts';
import type { MessageLog } from '../../../message/log/log.ts';
import { MessageCounts, QueueDeaths } from '../../stats/counts.ts';
import type { Activity } from '../../stats/history/busiest.ts';
import type { Consumer } from '../consumer.ts';
import type { RecordHolder } from '../messages/messages-host.ts';
import type { PositionVisitor } from '../messages/pages/lane-pages.ts';
import type { QueueRows } from '../messages/queue-rows.ts';
import type {
  Dirty,
  DyingQueue,
  MessageSink,
  QueueDeclaration,
  QueueHome,
  QueueHost,
  Watched,
} from '../ports.ts';
import { PUSH_STORED, PUSH_STREAM_HEADERS } from '../push-flags.ts';
import { type PolicyDefinition, type QueueRules, rulesOf } from '../rules.ts';
import type { QueueType } from '../types/queue-type.ts';
import { queueTypeOf } from '../types/registry.ts';
import { offsetAt } from './entries/offset-at.ts';
import { dropSome, nextDropMs } from './entries/retention.ts';
import { StreamEntries } from './entries/stream-entries.ts';
import { LANE } from './entries/stream-pages.ts';
import { StreamSweep } from './entries/stream-sweep.ts';
import { FilterWalk, WalkBudget } from './filter/filter-walk.ts';
import { fingerprintAt, NO_VALUE } from './filter/fingerprint.ts';
import { ValueFilter } from './filter/value-filter.ts';
import { CLAIM_DUPLICATE, CLAIM_GOOD, PublisherIds } from './publishers/publisher-ids.ts';
import { Cursor } from './reading/cursor.ts';
import { endMs, endOffset, startOffset } from './reading/offsets.ts';
import { GROUPS_MAX, Places } from './reading/places.ts';
import { StreamReading } from './reading/reading.ts';
import type { ReadingSpec, StreamFilter, StreamStart } from './reading/reading-spec.ts';
import { type StreamRules, streamRulesOf } from './stream-rules.ts';

/** One stream. */
export class Stream
  implements QueueDeclaration, MessageSink, DyingQueue, RecordHolder, Dirty, Watched
{
  /** Tells it from the other class of queues. */
  readonly isStream = true as const;
  readonly id: number;
  readonly name: string;
  readonly durable = true;
  readonly autoDelete = false;
  readonly owner = null;
  readonly arguments: FieldTable;
  readonly type: QueueType;
  /** It keeps also what need not survive a restart. */
  readonly keepsAll = true;
  visitMark = 0;
  readonly unreadable = null;
  deleted = false;
  /** Whether an operator holds it: messages come in, and none goes out. */
  paused = false;
  dirty = false;
  watchedMs = Infinity;
  rules: QueueRules;
  /** How long it keeps messages. */
  limits: StreamRules;
  readonly entries: StreamEntries;
  readonly places: Places;
  readonly publishers: PublisherIds;
  /** Those that read it. */
  readonly readings = new Set<StreamReading>();
  readonly counts = new MessageCounts();
  readonly deaths: QueueDeaths;
  activity: Activity | null = null;
  readonly latency = null;
  /** Those of them that are of groups, be it as a partition of a super stream. */
  readonly groups = new Map<string, StreamReading>();
  /** Messages that could not be read, each told once. */
  private told: Set<number> | null = null;
  private readonly host: QueueHost;
  private readonly home: QueueHome;
  readonly log: MessageLog;

  constructor(
    id: number,
    declaration: QueueDeclaration,
    log: MessageLog,
    host: QueueHost,
    home: QueueHome,
    rows: QueueRows,
  ) {
    this.id = id;
    this.name = declaration.name;
    this.arguments = declaration.arguments;
    this.type = queueTypeOf(declaration.arguments);
    this.deaths = new QueueDeaths(host.counts.deaths.ofType(this.type.name));
    this.host = host;
    this.home = home;
    this.log = log;
    this.rules = rulesOf(declaration.arguments, null, null);
    this.limits = streamRulesOf(declaration.arguments, null, null);
    this.entries = new StreamEntries(id, log, rows, host.streamRows);
    this.places = new Places(id, host.streamRows);
    this.publishers = new PublisherIds(id, host.streamRows, host.hotIds);
  }

  /** See MessageSink. It is never full. */
  push(position: number, bodyBytes: number, flags: number): boolean {
    if ((flags & PUSH_STORED) === 0) return this.refuse(position, bodyBytes);
    let fingerprint = NO_VALUE;
    if ((flags & PUSH_STREAM_HEADERS) !== 0) {
      const claim = this.publishers.take(this.log, position);
      if (claim === CLAIM_DUPLICATE) return this.drop(position, bodyBytes);
      if (claim !== CLAIM_GOOD) return this.refuse(position, bodyBytes);
      fingerprint = fingerprintAt(this.log, position);
    }
    this.entries.push(position, bodyBytes, this.host.nowMs, fingerprint);
    this.counts.published += 1;
    this.host.unsealedPushed += 1;
    this.host.unsealedLive += 1;
    if (!this.dirty) this.host.listDirty(this);
    return true;
  }

  /** It is here already: it was published once more. */
  private drop(position: number, bodyBytes: number): true {
    this.log.unref(this.log.segmentOf(position), bodyBytes);
    this.counts.duplicates += 1;
    return true;
  }

  /**
   * What does not follow the message that it is to follow, or cannot be kept: what was set aside may lie in the log of
   * messages that need not last.
   */
  private refuse(position: number, bodyBytes: number): false {
    this.log.unref(this.log.segmentOf(position), bodyBytes);
    this.counts.refused += 1;
    return false;
  }

  /** Goes by other policies from now on, also for what is in the stream already. */
  applyPolicy(policy: PolicyDefinition | null, operator: PolicyDefinition | null): void {
    const { consumerTimeoutMs } = this.rules;
    this.rules = rulesOf(this.arguments, policy, operator);
    this.limits = streamRulesOf(this.arguments, policy, operator);
    if (this.rules.consumerTimeoutMs !== consumerTimeoutMs) {
      for (const consumer of this.consumers) consumer.channel.timeoutChanged(consumer);
    }
    this.changed();
  }

  // --- what queues have as well ---

  get readyCount(): number {
    return this.entries.count;
  }

  get delayedCount(): number {
    return 0;
  }

  get unackedCount(): number {
    let count = 0;
    for (const reading of this.readings) count += reading.cursorIn(this)?.unacked ?? 0;
    return count;
  }

  get consumers(): readonly Consumer[] {
    return [...this.readings].flatMap((reading) => this.consumersOf(reading));
  }

  /** Of a super stream, those that read this partition, or are going to. */
  private consumersOf(reading: StreamReading): readonly Consumer[] {
    if (!reading.partitioned) return reading.consumers;
    const { owner = null, heir = null } = reading.cursorIn(this) ?? {};
    return reading.consumers.filter((consumer) => consumer === owner || consumer === heir);
  }

  /** Whether some reading has deliveries that are not settled, or could have more. */
  get busy(): boolean {
    for (const reading of this.readings) {
      const cursor = reading.cursorIn(this);
      if (cursor === undefined) continue;
      if (cursor.unacked > 0) return true;
      const willing = !this.paused && reading.consumers.some(({ ready }) => ready);
      if (willing && cursor.behind) return true;
    }
    return false;
  }

  catchUp(): void {}

  use(): void {}

  /** Holds back all deliveries from now on, or gives them out again. */
  setPaused(paused: boolean): void {
    this.paused = paused;
    if (!paused) this.wakeReadings();
  }

  /** Ends consumers, so many at most, as it is deleted; they are told. Those of a super stream read on elsewhere. */
  endConsumers(most = Infinity): void {
    let left = most;
    for (const reading of [...this.readings]) {
      if (left <= 0) return;
      const { length } = reading.consumers;
      if (!reading.partitioned) reading.endConsumers(Math.min(left, length));
      else if (this.deleted)
        reading.readPartitions(reading.cursors.filter((at) => at.stream !== this));
      left -= length;
    }
  }

  // --- reading ---

  /**
   * What a consumer subscribes to that asks for this: a reading of its own, or its group's. Throws AmqpErrors for a group
   * that cannot read it, see `admitGroup`, or has another filter.
   */
  reading(spec: ReadingSpec): StreamReading {
    const { group } = spec;
    const known = group === null ? undefined : this.groups.get(group);
    if (known !== undefined && !known.partitioned) {
      known.checkJoining(spec);
      return known;
    }
    if (group !== null) this.admitGroup(group);
    return new StreamReading(this.name, group, [this.cursor(spec)], this.host);
  }

  /**
   * Throws where a group cannot begin to read: RESOURCE_LOCKED if it does so by another name, the super stream's or this
   * stream's; PRECONDITION_FAILED if it is new, and there are too many.
   */
  admitGroup(group: string): void {
    const known = this.groups.get(group);
    if (known !== undefined) throw groupReads(group, this.name, known);
    this.checkGroup(group);
  }

  /**
   * Where a reading stands as it begins: a group that has a place there. `partition`: which one of a super stream it is;
   * -1: it is read by itself. The group was admitted.
   */
  cursor({ group, start, until, filter }: ReadingSpec, partition = -1): Cursor {
    const place = group === null ? undefined : this.places.of(group);
    const next = place?.offset ?? this.startOf(start);
    if (group !== null && place === undefined) this.movePlace(group, next);
    const walk = filter === null ? null : this.walk(filter);
    const cursor = new Cursor(this, partition, next, endOffset(this, this.host, until), walk);
    cursor.untilMs = endMs(this.host, until);
    return cursor;
  }

  offsetAt(ms: number): number {
    return offsetAt(this.entries, this.log, ms);
  }

  /** What finds the messages that a filter lets through. */
  walk(filter: StreamFilter): FilterWalk {
    const { time } = this.host;
    const budget = new WalkBudget(() => time.now());
    return new FilterWalk(new ValueFilter(filter), this.entries, this.log, budget);
  }

  /** All is settled that a group was given below this offset. */
  movePlace(group: string, offset: number): void {
    this.places.set(group, offset, this.host.nowMs);
    this.changed();
  }

  /** Whether a group has consumers now, or has had some whose deliveries are not settled. */
  isRead(group: string): boolean {
    for (const reading of this.readings) if (reading.group === group) return true;
    return false;
  }

  /** Throws PRECONDITION_FAILED where a group can have no place: it is new, and there are too many. */
  checkGroup(group: string): void {
    const { all } = this.places;
    if (!all.has(group) && all.size >= GROUPS_MAX) throw tooManyGroups(this.name);
  }

  /** Forgets a group, which is not read: it begins anew. */
  forgetPlace(group: string): void {
    this.places.remove(group);
    this.changed();
  }

  /** The offset that a start means as things are. */
  startOf(start: StreamStart): number {
    return startOffset(this, this.host, start);
  }

  /** A message cannot be delivered: readers pass it by. It is kept, and listed once for the operator. */
  unreadableEntry(offset: number, position: number, bodyBytes: number, error: unknown): void {
    if (this.told === null) {
      this.told = new Set();
      for (const { queueId, seq } of this.host.setAside.list()) {
        if (queueId === this.id) this.told.add(seq);
      }
    }
    if (this.told.has(offset)) return;
    this.told.add(offset);
    const entry = { seq: offset, position, bodyBytes, flags: PUSH_STORED };
    this.home.setAside(this, entry, 'delivery', error);
  }

  private wakeReadings(): void {
    for (const reading of this.readings) reading.wake();
  }

  // --- batches ---

  private changed(): void {
    if (!this.dirty) this.host.listDirty(this);
  }

  sealInto(batch: number): void {
    const more = dropSome(this.entries, this.limits, this.host.nowMs);
    this.entries.seal(batch);
    this.places.seal();
    this.publishers.seal(batch);
    if (more) this.changed();
    else this.watch();
  }

  durableUpTo(batch: number): void {
    this.publishers.durableUpTo(batch);
    if (this.entries.durableUpTo(batch)) this.wakeReadings();
  }

  /** Asks to be called when the first page is too old. */
  private watch(): void {
    const dueMs = nextDropMs(this.entries, this.limits);
    if (dueMs < this.watchedMs) this.host.watch(this, dueMs);
  }

  deadlinePassed(): void {
    this.changed();
  }

  sealExactMarks(_stops?: boolean): void {}

  /** Reads back from the store what it keeps. */
  recover(): void {
    this.entries.recover();
    this.places.recover();
    this.counts.published = 0;
    this.changed();
  }

  /** Lets go of every message and row, as part of deleting it. */
  discard(): void {
    this.deleted = true;
    this.publishers.discard();
    this.host.counts.queueGone(this.type.name, this.counts);
    this.host.queueRows.removeMark(this.id, LANE);
    this.host.sweep(
      new StreamSweep(this.id, this.entries, this.log, this.host.queueRows, this.host.streamRows),
    );
  }

  visitPage(
    cursor: number,
    visit: PositionVisitor,
    wanted: (segmentId: number) => boolean,
  ): number {
    return this.entries.visitPage(cursor, visit, wanted);
  }
}

function groupReads(
  group: string,
  stream: string,
  { name, partitioned }: StreamReading,
): AmqpError {
  const how = partitioned ? `as a partition of super stream '${name}'` : 'by itself';
  const text = `group '${group}' reads stream '${stream}' ${how} now, and has one place in it`;
  return new AmqpError('RESOURCE_LOCKED', text);
}

function tooManyGroups(stream: string): AmqpError {
  const text = `stream '${stream}' has places of ${GROUPS_MAX} groups: delete some of them first`;
  return new AmqpError('PRECONDITION_FAILED', text);
}
