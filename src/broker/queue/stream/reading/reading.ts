// Owns one subscription to a stream, or to the partitions of a super stream, of one consumer or of a group: where each
// partition is read, and by which consumer. Never writes to a socket: the channel of a consumer does.

import { AmqpError } from '../../../../amqp/errors.ts';
import type { FieldTable } from '../../../../amqp/field-table.ts';
import type { Steps } from '../../../turn/slices.ts';
import type { Consumer, ConsumerSource } from '../../consumer.ts';
import { DELIVERIES_PER_TURN } from '../../endings/endings.ts';
import type { FlowQuota } from '../../flow-quota.ts';
import type { QueueHost } from '../../ports.ts';
import type { WalkBudget } from '../filter/filter-walk.ts';
import { isSameFilter } from '../filter/value-filter.ts';
import { shareOut } from './assignment.ts';
import type { Cursor } from './cursor.ts';
import type { ReadStream } from './read-stream.ts';
import type { ReadingSpec } from './reading-spec.ts';

/** Seqs of deliveries are `partition x PARTITION_SEQS + offset`. */
const PARTITION_SEQS = 2 ** 44;

/** So many messages of one partition go out before the others have their turn. */
const ROUND = 256;

/** So many messages that cannot be read are passed by before the others have their turn: each was looked for on the disk. */
const FAILED_MAX = 64;

/** So many partitions one reading reads at most: seqs have no room for more. */
export const PARTITIONS_READ_MAX = 512;

/**
 * A subscription as the channels of its consumers see it. Each consumer that is in no group has one of its own. A group
 * has one for all its consumers, and its places outlive it.
 *
 * A partition is read by one consumer. When consumers come or go, those that stay keep what they have as far as their share
 * allows; what moves is given to the next one once all is settled that the last one has of it, so that order holds.
 */
export class StreamReading implements ConsumerSource {
  /** The name of the stream, or of the super stream. */
  readonly name: string;
  readonly durable = true;
  /** The group; null: it is one consumer. */
  readonly group: string | null;
  /** Whether it reads the partitions of a super stream. */
  readonly partitioned: boolean;
  /** Where it reads, a cursor for each partition. */
  readonly cursors: Cursor[] = [];
  readonly subscribed = { fellBehind: (): void => {}, caughtUp: (): void => {} };
  readonly consumers: Consumer[] = [];
  deleted = false;
  touched = false;
  dirty = false;
  watchedMs = Infinity;
  flowQuota: FlowQuota | null = null;
  // What a queue may have, and a stream has not.
  readonly waitsForMark = false;
  readonly overdue = false;
  readonly exclusiveConsumer = null;
  readonly delayedCount = 0;
  /** Streams are no backlog: publishers do not wait for those that read. */
  readonly readyCount = 0;
  readonly readyBytes = 0;
  /** Told once that it has no consumer any more, and that all is settled that a group had. */
  private readonly onOver: (() => void) | null;
  private readonly host: QueueHost;
  /** A stream that it reads, or has read last. */
  private stream: ReadStream;
  /** All cursors by their index, those that were dropped until all is settled that is out. */
  private readonly slots: (Cursor | null)[] = [];
  /** Which partition has its turn. */
  private turn = 0;
  /** Whether it came by much that cannot be delivered, and goes on once others have had their turn. */
  private passing = false;
  /** How far it may look for what its filter lets through; null: it has none. */
  private readonly budget: WalkBudget | null;

  constructor(
    name: string,
    group: string | null,
    cursors: readonly [Cursor, ...Cursor[]],
    host: QueueHost,
    onOver: (() => void) | null = null,
  ) {
    this.name = name;
    this.group = group;
    this.host = host;
    this.onOver = onOver;
    this.stream = cursors[0].stream;
    this.partitioned = cursors[0].partition >= 0;
    this.budget = cursors[0].walk?.budget ?? null;
    for (const cursor of cursors) this.join(cursor);
  }

  get type(): ConsumerSource['type'] {
    return this.stream.type;
  }

  get arguments(): FieldTable {
    return this.stream.arguments;
  }

  get rules(): ConsumerSource['rules'] {
    return this.stream.rules;
  }

  get counts(): ConsumerSource['counts'] {
    return this.stream.counts;
  }

  get paused(): boolean {
    return this.cursors.every(({ stream }) => stream.paused);
  }

  get unackedCount(): number {
    let count = 0;
    for (const cursor of this.slots) if (cursor !== null) count += cursor.unacked;
    return count;
  }

  // --- delivering ---

  /** See HostedQueue. */
  deliver(most = DELIVERIES_PER_TURN): boolean {
    const { cursors, budget } = this;
    if (this.watchedMs <= this.host.nowMs) this.timePassed();
    budget?.renew();
    this.passing = false;
    const count = cursors.length;
    let left = most;
    for (let idle = 0; idle < count && left > 0; ) {
      const cursor = cursors[this.turn] as Cursor;
      const given = this.deliverFrom(cursor, count === 1 ? left : Math.min(left, ROUND));
      left -= given;
      idle = given === 0 ? idle + 1 : 0;
      if (count > 1) this.turn = (this.turn + 1) % count;
      else break;
    }
    if (cursors.every(({ ended }) => ended)) this.end();
    if (budget === null) return left === 0 || this.passing;
    for (const { walk } of cursors) walk?.rest();
    return left === 0 || budget.spent || this.passing;
  }

  /** Delivers up to so many of one partition; returns how many. */
  private deliverFrom(cursor: Cursor, most: number): number {
    const { stream, index, partition } = cursor;
    cursor.passing = false;
    if (!cursor.serves) return 0;
    const owner = cursor.owner as Consumer;
    const { line } = this.host;
    const { depth } = line;
    const tracked = this.group !== null;
    const base = index * PARTITION_SEQS;
    let given = 0;
    let failed = 0;
    while (given < most && failed < FAILED_MAX && owner.asks()) {
      const offset = cursor.find();
      if (offset < 0) break;
      try {
        owner.channel.deliverEntry(owner, this, base + offset, cursor.position, offset, partition);
      } catch (error) {
        if (line.depth !== depth) throw error;
        stream.unreadableEntry(offset, cursor.position, cursor.bodyBytes, error);
        cursor.next = offset + 1;
        failed += 1;
        continue;
      }
      cursor.next = offset + 1;
      owner.unacked += 1;
      given += 1;
      if (tracked) cursor.inFlight.add(offset);
    }
    if (cursor.passing || failed === FAILED_MAX) this.passing = true;
    cursor.unacked += given;
    stream.counts.delivered += given;
    return given;
  }

  /**
   * All has been delivered that its consumers asked for. Of a group those stay that have nothing out, until all is
   * settled: what others give back is theirs.
   */
  private end(): void {
    const waits = this.cursors.some(({ inFlight }) => inFlight.length > 0);
    const hasSome = (consumer: Consumer): boolean =>
      this.cursors.some(({ owner, inFlight }) => owner === consumer && inFlight.length > 0);
    const ending = this.consumers.filter((consumer) => !waits || hasSome(consumer));
    if (ending.length === 0) return;
    this.removeConsumers(ending);
    for (const consumer of ending) consumer.channel.consumerGone(consumer);
  }

  wake(): void {
    if (this.touched || this.consumers.length === 0) return;
    for (const cursor of this.cursors) {
      if (cursor.behind || cursor.ended) return this.host.touch(this);
    }
  }

  settle(seq: number): void {
    const cursor = this.cursorOf(seq);
    cursor.stream.counts.acked += 1;
    this.settled(cursor, seq % PARTITION_SEQS);
  }

  /** A stream keeps what a consumer does not want: it counts as read. */
  reject(seq: number): void {
    this.settled(this.cursorOf(seq), seq % PARTITION_SEQS);
  }

  /** So does what it gives back, unless it has left: then the next one gets it. */
  requeue(seq: number): void {
    const cursor = this.cursorOf(seq);
    if (!cursor.gone) return this.settled(cursor, seq % PARTITION_SEQS);
    cursor.unacked -= 1;
    cursor.giveBack(seq % PARTITION_SEQS);
    this.handOver(cursor);
  }

  private settled(cursor: Cursor, offset: number): void {
    cursor.unacked -= 1;
    const { group } = this;
    if (group === null || !cursor.inFlight.settle(offset)) return;
    if (!cursor.stream.deleted) cursor.stream.movePlace(group, cursor.place);
    if (cursor.gone || cursor.heir !== null || cursor.dropped) this.handOver(cursor);
  }

  private handOver(cursor: Cursor): void {
    if (!cursor.handOver()) return;
    if (cursor.dropped) this.forget(cursor);
    if (this.consumers.length > 0) this.wake();
    else this.overIfSettled();
  }

  private cursorOf(seq: number): Cursor {
    return this.slots[Math.floor(seq / PARTITION_SEQS)] as Cursor;
  }

  /** Throws PRECONDITION_FAILED for a consumer that joins a group and asks for other messages than the group reads. */
  checkJoining({ filter }: ReadingSpec): void {
    if (isSameFilter(this.cursors[0]?.walk?.filter.asked ?? null, filter)) return;
    const text = `the consumers of group '${this.group ?? ''}' of '${this.name}' have another filter`;
    throw new AmqpError('PRECONDITION_FAILED', text);
  }

  addConsumer(consumer: Consumer): void {
    this.consumers.push(consumer);
    this.share();
  }

  removeConsumers(leaving: readonly Consumer[]): boolean {
    const { consumers } = this;
    const gone = new Set(leaving);
    let kept = 0;
    for (const each of consumers) if (!gone.has(each)) consumers[kept++] = each;
    consumers.length = kept;
    for (const cursor of this.slots) {
      if (cursor === null) continue;
      if (cursor.heir !== null && gone.has(cursor.heir)) cursor.heir = null;
      if (cursor.owner !== null && gone.has(cursor.owner)) cursor.gone = true;
    }
    this.share();
    this.overIfSettled();
    return consumers.length === 0;
  }

  endConsumers(most = this.consumers.length): void {
    // Those that stay are given their share: nothing goes to one that has ended.
    const ending = this.consumers.slice(0, most);
    this.removeConsumers(ending);
    for (const consumer of ending) consumer.channel.consumerGone(consumer);
    if (this.consumers.length === 0) this.over();
  }

  /** Gives each consumer its share of the partitions. */
  private share(): void {
    const { cursors } = this;
    const owners = cursors.map(({ owner, heir, gone }) => heir ?? (gone ? null : owner));
    const shares = shareOut(this.consumers, owners);
    for (const [i, cursor] of cursors.entries()) {
      const next = shares[i] ?? null;
      cursor.heir = next === cursor.owner && !cursor.gone ? null : next;
      if (cursor.owner === null || cursor.gone || cursor.heir !== null) cursor.handOver();
    }
    this.wake();
  }

  /** Without consumers it goes; that of a group once all is settled that is out: until then places may move. */
  private overIfSettled(): void {
    if (this.consumers.length > 0) return;
    if (this.slots.every((cursor) => cursor === null || cursor.inFlight.length === 0)) this.over();
  }

  private over(): void {
    if (this.deleted) return;
    this.deleted = true;
    for (const cursor of this.slots) if (cursor !== null) this.forget(cursor);
    this.onOver?.();
  }

  /** How many partitions more it can read. */
  get room(): number {
    return PARTITIONS_READ_MAX - this.slots.filter((cursor) => cursor !== null).length;
  }

  /** The cursor of a stream, also of one that is no partition any more and has deliveries out. */
  cursorIn(stream: object): Cursor | undefined {
    return this.slots.find((cursor) => cursor?.stream === stream) ?? undefined;
  }

  /**
   * Reads these partitions from now on, of which it has the cursors: one that came is shared out, and one that went is
   * read no more. Consumers that may not read one that came are told that they are cancelled, and so are all where there
   * is none any more.
   */
  readPartitions(cursors: readonly Cursor[]): void {
    const came = cursors.filter((cursor) => !this.cursors.includes(cursor));
    const went = this.cursors.filter((cursor) => !cursors.includes(cursor));
    if (came.length + went.length === 0) return;
    for (const cursor of went) this.drop(cursor);
    for (const cursor of came) this.join(cursor);
    const refused = ({ channel }: Consumer): boolean =>
      cursors.length === 0 || came.some(({ stream }) => !channel.grants.reads(stream.name));
    const ending = this.consumers.filter(refused);
    this.removeConsumers(ending);
    for (const consumer of ending) consumer.channel.consumerGone(consumer);
  }

  private join(cursor: Cursor): void {
    const { stream, walk } = cursor;
    const { group, slots } = this;
    if (walk !== null && this.budget !== null) walk.budget = this.budget;
    if (!cursor.dropped) {
      const free = slots.indexOf(null);
      cursor.index = free < 0 ? slots.length : free;
      slots[cursor.index] = cursor;
    }
    cursor.dropped = false;
    this.stream = stream;
    this.cursors.push(cursor);
    this.watch();
    stream.readings.add(this);
    if (group !== null) stream.groups.set(group, this);
  }

  private watch(): void {
    const dueMs = Math.min(...this.cursors.map(({ untilMs }) => untilMs));
    if (dueMs < this.watchedMs) this.host.watch(this, dueMs);
  }

  deadlinePassed(): void {
    this.timePassed();
    if (!this.touched) this.host.touch(this);
  }

  private timePassed(): void {
    const { nowMs } = this.host;
    for (const cursor of this.cursors) cursor.timePassed(nowMs);
    this.watchedMs = Infinity;
    this.watch();
  }

  private drop(cursor: Cursor): void {
    this.cursors.splice(this.cursors.indexOf(cursor), 1);
    this.turn = 0;
    cursor.dropped = true;
    cursor.gone = true;
    cursor.heir = null;
    if (cursor.handOver()) this.forget(cursor);
  }

  /** Nothing of a stream is out, and it is not read any more. */
  private forget({ index, stream }: Cursor): void {
    this.slots[index] = null;
    stream.readings.delete(this);
    if (this.group !== null) stream.groups.delete(this.group);
  }

  // --- what a queue does, and a stream does not ---

  catchUp(): void {}

  applyRules(): void {}

  sealInto(): void {}

  durableUpTo(): void {}

  *droppingExpired(): Steps {}

  get(): null {
    return null;
  }

  returnsOf(): number {
    return 0;
  }

  settleGet(): void {}
}
