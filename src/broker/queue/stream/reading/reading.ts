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

/** What a reading belongs to. */
export interface ReadingOwner {
  /** A reading has no consumer any more. */
  readingOver(reading: StreamReading): void;
}

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
  readonly cursors: Cursor[];
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
  unackedCount = 0;
  private readonly host: QueueHost;
  private readonly owner: ReadingOwner;
  /** Which partition has its turn. */
  private turn = 0;
  /** How far it may look for what its filter lets through; null: it has none. */
  private readonly budget: WalkBudget | null;

  constructor(
    name: string,
    group: string | null,
    cursors: Cursor[],
    host: QueueHost,
    owner: ReadingOwner,
  ) {
    this.name = name;
    this.group = group;
    this.cursors = cursors;
    this.host = host;
    this.owner = owner;
    this.budget = cursors[0]?.walk?.budget ?? null;
    for (const { stream, walk } of cursors) {
      stream.readings.add(this);
      if (walk !== null && this.budget !== null) walk.budget = this.budget;
    }
  }

  private get stream(): ReadStream {
    return (this.cursors[0] as Cursor).stream;
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

  // --- delivering ---

  /** See HostedQueue. */
  deliver(most = DELIVERIES_PER_TURN): boolean {
    const { cursors, budget } = this;
    budget?.renew();
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
    if (budget === null) return left === 0;
    for (const { walk } of cursors) walk?.rest();
    return left === 0 || budget.spent;
  }

  /** Delivers up to so many of one partition; returns how many. */
  private deliverFrom(cursor: Cursor, most: number): number {
    const { stream, index } = cursor;
    if (!cursor.serves) return 0;
    const owner = cursor.owner as Consumer;
    const { line } = this.host;
    const { depth } = line;
    const tracked = this.group !== null;
    const base = index * PARTITION_SEQS;
    const partition = this.cursors.length === 1 ? -1 : index;
    let given = 0;
    while (given < most && owner.asks()) {
      const offset = cursor.find();
      if (offset < 0) break;
      try {
        owner.channel.deliverEntry(owner, this, base + offset, cursor.position, offset, partition);
      } catch (error) {
        if (line.depth !== depth) throw error;
        stream.unreadableEntry(offset, cursor.position, cursor.bodyBytes, error);
        cursor.next = offset + 1;
        continue;
      }
      cursor.next = offset + 1;
      owner.unacked += 1;
      given += 1;
      if (tracked) cursor.inFlight.add(offset);
    }
    this.unackedCount += given;
    stream.counts.delivered += given;
    return given;
  }

  /** All has been delivered that its consumers asked for. */
  private end(): void {
    for (const consumer of this.consumers.splice(0)) consumer.channel.consumerGone(consumer);
    this.over();
  }

  wake(): void {
    if (this.touched || this.consumers.length === 0) return;
    for (const cursor of this.cursors) {
      if (cursor.behind || cursor.ended) {
        this.host.touch(this);
        return;
      }
    }
  }

  // --- settling ---

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
    this.unackedCount -= 1;
    cursor.giveBack(seq % PARTITION_SEQS);
    this.handOver(cursor);
  }

  private settled(cursor: Cursor, offset: number): void {
    this.unackedCount -= 1;
    if (this.group === null || !cursor.inFlight.settle(offset)) return;
    cursor.stream.movePlace(this.group, cursor.place);
    if (cursor.gone || cursor.heir !== null) this.handOver(cursor);
  }

  private handOver(cursor: Cursor): void {
    if (!cursor.handOver()) return;
    if (this.consumers.length > 0) this.wake();
    else this.overIfSettled();
  }

  private cursorOf(seq: number): Cursor {
    return this.cursors[Math.floor(seq / PARTITION_SEQS)] as Cursor;
  }

  // --- consumers ---

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
    for (const consumer of leaving) {
      const at = consumers.indexOf(consumer);
      if (at >= 0) consumers.splice(at, 1);
    }
    for (const cursor of this.cursors) {
      if (cursor.heir !== null && leaving.includes(cursor.heir)) cursor.heir = null;
      if (cursor.owner !== null && leaving.includes(cursor.owner)) cursor.gone = true;
    }
    this.share();
    this.overIfSettled();
    return consumers.length === 0;
  }

  endConsumers(most = this.consumers.length): void {
    for (const consumer of this.consumers.splice(0, most)) consumer.channel.consumerGone(consumer);
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
    if (this.group === null || this.cursors.every(({ inFlight }) => inFlight.length === 0))
      this.over();
  }

  private over(): void {
    if (this.deleted) return;
    this.deleted = true;
    for (const { stream } of this.cursors) stream.readings.delete(this);
    this.owner.readingOver(this);
  }

  // --- what a queue does, and a stream does not ---

  catchUp(): void {}

  applyRules(): void {}

  deadlinePassed(): void {}

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
