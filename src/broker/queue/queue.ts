// Owns one queue: its consumers, its rules, and what is ready or unacked. Never parses a message, and
// writes to the store only when a batch is sealed. The order of messages is that of its lanes.

import type { FieldTable } from '../../amqp/field-table.ts';
import type { MessageLog } from '../../message/log/log.ts';
import { arrivedMsAt } from '../../message/read-message.ts';
import type { Visitable } from '../../util/visit-mark.ts';
import { MessageCounts } from '../stats/counts.ts';
import type { Consumer, ConsumerSource } from './consumer.ts';
import { ConsumerSet } from './consumer-set.ts';
import type { EndingQueue } from './death-line.ts';
import { DELIVERIES_PER_TURN, Endings } from './endings.ts';
import type { FlowQuota } from './flow-quota.ts';
import { QueueLatency } from './latency.ts';
import { PUSH_EXPIRES } from './messages/host.ts';
import type { PositionVisitor, TakenEntry } from './messages/queue-entries.ts';
import { type MessagesOwner, QueueMessages } from './messages/queue-messages.ts';
import type { QueueRows } from './messages/queue-rows.ts';
import type { RecordHolder } from './messages/record-holder.ts';
import type { QueueHome, QueueHost, QueueTraits } from './ports.ts';
import { QueueDeadline } from './queue-deadline.ts';
import { isOver, type PolicyDefinition, type QueueRules, rulesOf } from './rules.ts';

/** One queue. */
export class Queue
  implements QueueTraits, MessagesOwner, RecordHolder, Visitable, ConsumerSource, EndingQueue
{
  readonly id: number;
  readonly name: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly owner: object | null;
  readonly arguments: FieldTable;
  visitMark = 0;
  /** Why its rows cannot be read, so that it only stands for them; null: it is a real queue. */
  unreadable: string | null = null;
  deleted = false;
  /** Whether the host has it on its list of queues to deliver from. */
  touched = false;
  /** Whether the host has it on its list of queues with something to seal. */
  dirty = false;
  /** The earliest time at which the host will call `deadlinePassed`; Infinity: none. */
  watchedMs = Infinity;
  /** The rules that hold now. */
  rules: QueueRules;
  /** Whether deliveries carry `x-delivery-count`. */
  countsReturns = false;
  private bounded = false;
  /** Whether a push is looked at first: the queue may refuse it, or is flooded. */
  private guarded = false;
  flood: FlowQuota | null = null;
  /** Whether messages may expire here, or the queue itself. */
  private timed = false;
  private readonly host: QueueHost;
  private readonly log: MessageLog;
  readonly endings: Endings;
  private readonly deadline: QueueDeadline;
  readonly messages: QueueMessages;
  readonly subscribed: ConsumerSet;
  /** All but `published`, which `messages` knows: see tallyOf in view/statistics.ts. */
  readonly counts = new MessageCounts();
  /** Made by the first delivery. */
  latency: QueueLatency | null = null;

  constructor(
    id: number,
    traits: QueueTraits,
    log: MessageLog,
    host: QueueHost,
    home: QueueHome,
    rows: QueueRows,
  ) {
    this.id = id;
    this.name = traits.name;
    this.durable = traits.durable;
    this.autoDelete = traits.autoDelete;
    this.owner = traits.owner;
    this.arguments = traits.arguments;
    this.host = host;
    this.log = log;
    this.endings = new Endings(this, host, home);
    this.deadline = new QueueDeadline(this, host, home);
    this.rules = rulesOf(traits.arguments, null, null);
    const { priorityMax, priorityDefault, singleActiveConsumer } = this.rules;
    this.subscribed = new ConsumerSet(singleActiveConsumer);
    this.messages = new QueueMessages(this, priorityMax, priorityDefault, log, host, rows);
    this.applyRules();
  }

  /** Goes by other policies from now on, also for what is in the queue already. */
  applyPolicy(policy: PolicyDefinition | null, operator: PolicyDefinition | null): void {
    if (this.unreadable !== null) return;
    const before = this.rules;
    this.rules = rulesOf(this.arguments, policy, operator);
    this.applyRules();
    if (this.rules.consumerTimeoutMs !== before.consumerTimeoutMs) {
      for (const consumer of this.consumers) consumer.channel.timeoutChanged(consumer);
    }
    if (!this.touched) this.host.touch(this);
  }

  /** Makes the fields that the hot paths look at follow from the rules, and from `flood`. */
  applyRules(): void {
    const { rules } = this;
    this.countsReturns = rules.countsReturns;
    this.bounded = rules.lengthMax !== Infinity || rules.lengthBytesMax !== Infinity;
    this.guarded = this.flood !== null || (this.bounded && rules.overflow !== 'drop-head');
    if (this.unreadable !== null) this.guarded = true;
    if (rules.messageTtlMs !== Infinity || rules.expiresMs !== Infinity) this.timed = true;
    this.deadline.refresh();
  }

  /** From now on it takes no message: it stands for a queue that cannot be read. */
  refuseAll(error: string): void {
    this.unreadable = error;
    this.applyRules();
  }

  /**
   * Adds a message at its place; `traits` is made of the PUSH_ bits and a priority. The caller has
   * added the reference to its segment. False when the queue is full and refuses the message: the
   * reference is taken off again.
   */
  push(position: number, bodyBytes: number, traits: number): boolean {
    if (this.guarded && this.refuses(position, bodyBytes, traits)) {
      this.log.unref(this.log.segmentOf(position), bodyBytes);
      return false;
    }
    this.messages.push(position, bodyBytes, traits);
    if ((traits & PUSH_EXPIRES) !== 0) this.timed = true;
    if (!this.touched) this.host.touch(this);
    if (this.bounded && isOver(this.rules, this.messages, 0, 0)) this.atOnce(true);
    return true;
  }

  /**
   * Gives ready messages to consumers that can take them, in turns and at most so many, and drops what has
   * expired or is too much. Returns whether it stopped only to let other queues have their turn.
   */
  deliver(most = DELIVERIES_PER_TURN): boolean {
    const { messages, subscribed, counts } = this;
    const { line } = this.host;
    const { depth } = line;
    let more = false;
    let noAcks = 0;
    let n = 0;
    // The message that is being looked at, for `consumer`; -1: none.
    let looked = -1;
    let consumer: Consumer | null = null;
    for (let again = true; again; ) {
      again = false;
      try {
        for (; ; n++) {
          if (messages.readyCount === 0) break;
          if (n === most) {
            more = true;
            break;
          }
          consumer = subscribed.pick();
          if (consumer === null) {
            more = subscribed.paused;
            break;
          }
          if (this.timed && !this.endings.dropExpired(this.host.nowMs - 1)) {
            more = messages.readyCount > 0;
            break;
          }
          const entry = messages.take();
          if (entry === null) break;
          const { seq, redelivered } = entry;
          looked = seq;
          if (n === 0) this.timeDelivery(entry, consumer.noAck);
          consumer.channel.deliver(consumer, this, seq, entry.position, redelivered);
          looked = -1;
          if (redelivered) counts.redelivered += 1;
          if (consumer.noAck) {
            messages.end(seq);
            noAcks += 1;
          } else {
            consumer.unacked += 1;
          }
        }
      } catch (error) {
        if (looked < 0 || line.depth !== depth) throw error;
        this.endings.setAside(looked, 'delivery', error);
        looked = -1;
        again = true;
      }
    }
    counts.delivered += n - noAcks;
    counts.deliveredNoAck += noAcks;
    if (this.bounded && !more) more = this.endings.dropExcess();
    if (this.timed) {
      if (!more) more = !this.endings.dropExpired(this.host.nowMs) && this.readyCount > 0;
      this.deadline.refresh();
    }
    return more;
  }

  /**
   * As `take`, for basic.get: what has expired is dropped first; null also where more has than there is time
   * for, see `endings.overdue`. `look` reads what will be sent; what it cannot read is set aside.
   */
  get(noAck = false, look: (entry: TakenEntry) => void = () => {}): TakenEntry | null {
    this.use();
    let entry: TakenEntry | null;
    do entry = this.endings.overdue ? null : this.take();
    while (entry !== null && !this.endings.seen(entry, look));
    if (this.timed) this.deadline.refresh();
    if (entry !== null) {
      this.counts.countGet(entry, noAck);
      this.timeDelivery(entry, noAck);
    } else if (this.readyCount === 0) this.counts.getEmpty += 1;
    return entry;
  }

  /** As QueueMessages.take. */
  take(): TakenEntry | null {
    return this.messages.take();
  }

  private timeDelivery({ seq, position }: TakenEntry, noAck: boolean): void {
    this.latency ??= new QueueLatency();
    this.latency.delivered(seq, arrivedMsAt(this.log, position), this.host.nowMs, noAck);
  }

  get readyCount(): number {
    return this.messages.readyCount;
  }

  get unackedCount(): number {
    return this.messages.unackedCount;
  }

  /** Body bytes of the ready messages. */
  get readyBytes(): number {
    return this.messages.readyBytes;
  }

  /** Whether messages are ready, but the next may go out only once a batch is durable. */
  get waitsForMark(): boolean {
    return this.messages.waitsForMark;
  }

  /** Ends the life of an unacked message in this queue. */
  settle(seq: number): void {
    this.counts.acked += 1;
    if (this.latency !== null) this.latency.acked(seq, this.host.nowMs);
    this.messages.end(seq);
  }

  settleGet(seq: number): void {
    this.messages.end(seq);
  }

  returnsOf(seq: number): number {
    return this.messages.returnsOf(seq);
  }

  /** Ends the life of an unacked message that a consumer rejected: it is dead-lettered. */
  reject(seq: number): void {
    this.latency?.forget(seq);
    this.endings.die(seq, 'rejected');
  }

  /** Puts an unacked message back to its place; one that came back too often is dead-lettered. */
  requeue(seq: number): void {
    this.latency?.forget(seq);
    if (this.countsReturns) {
      const returns = this.messages.countReturn(seq);
      if (returns > this.rules.deliveryLimit) return this.endings.die(seq, 'delivery_limit');
    }
    this.host.line.begin();
    this.messages.requeue(seq);
    if (!this.touched) this.host.touch(this);
    this.host.line.end();
    // As in RabbitMQ, what is too much goes before any consumer is looked for.
    if (this.bounded && isOver(this.rules, this.messages, 0, 0)) this.atOnce(false);
  }

  /** Removes all ready messages; returns how many. */
  purge(): number {
    this.catchUp();
    this.host.line.begin();
    const count = this.messages.purge();
    this.host.line.end();
    return count;
  }

  /** Lets go of every message and row, as part of deleting the queue. */
  discard(): void {
    this.deleted = true;
    this.messages.discard();
  }

  /**
   * Does at once what would wait for the end of the turn: any client that looks at the queue, or takes
   * from it, finds it as if each message had gone to a consumer as it came. One round has to do, so that no
   * look is a long turn: behind a longer backlog the next message may go to a `basic.get`, as in RabbitMQ.
   */
  catchUp(): void {
    if (this.touched && (this.consumers.length > 0 || this.bounded)) this.atOnce(true);
  }

  /**
   * Notes that a client declares the queue again or gets from it: that renews `x-expires`, and what has
   * expired by now, or is a consumer's, must not be counted.
   */
  use(): void {
    this.catchUp();
    if (!this.timed) return;
    this.endings.dropExpired(this.host.nowMs);
    this.deadline.used();
  }

  deadlinePassed(): void {
    this.deadline.passed();
  }

  /** The consumers, the highest priority first and then in order of registration. */
  get consumers(): readonly Consumer[] {
    return this.subscribed.list;
  }

  addConsumer(consumer: Consumer): void {
    this.catchUp();
    this.subscribed.add(consumer);
    this.wake();
  }

  /** Takes consumers off; returns whether none is left. */
  removeConsumers(leaving: readonly Consumer[]): boolean {
    this.subscribed.remove(leaving);
    this.wake();
    const last = this.consumers.length === 0;
    if (last && this.timed) this.deadline.used();
    return last;
  }

  /** Asks for a delivery round, if there is anything to give out. */
  wake(): void {
    if (this.readyCount > 0 && !this.touched) this.host.touch(this);
  }

  /** Told that all batches up to `batch` are durable. */
  durableUpTo(batch: number): void {
    if (this.messages.durableUpTo(batch)) this.wake();
  }

  /** Reads the queue's messages and marks back from the store. */
  recover(): void {
    this.messages.recover();
    this.endings.setLostAside();
    if (this.messages.lanes.some((lane) => lane.entries.expiring > 0)) this.timed = true;
    this.wake();
  }

  sealInto(batch: number): void {
    this.messages.sealInto(batch);
  }

  visitPage(cursor: number, visit: PositionVisitor): number {
    return this.messages.visitPage(cursor, visit);
  }

  entriesDirty(): void {
    if (!this.dirty) this.host.listDirty(this);
  }

  /** Whether there is no place for a message, also after consumers took what they can. */
  private refuses(position: number, bodyBytes: number, traits: number): boolean {
    if (this.unreadable !== null) return true;
    this.flood?.push();
    const { rules, messages } = this;
    if (rules.overflow === 'drop-head' || !isOver(rules, messages, 1, bodyBytes)) return false;
    this.atOnce(true);
    if (!isOver(rules, messages, 1, bodyBytes)) return false;
    if (rules.overflow === 'reject-publish-dlx') this.endings.refuse(position, bodyBytes, traits);
    return true;
  }

  /**
   * Delivers and drops what is too much, or only drops, before the turn ends: a full queue looks as full
   * as it may be at any moment. While some queue is at it already, this one waits for its turn, so that
   * dead letters from queue to queue never pile up on the stack.
   */
  private atOnce(deliver: boolean): void {
    const { host } = this;
    if (host.delivering) return;
    host.delivering = true;
    if (deliver) this.deliver();
    else this.endings.dropExcess();
    host.delivering = false;
  }
}
