// Owns one queue: its consumers, its rules, and what is ready or unacked. Never parses a message, and
// writes to the store only when a batch is sealed. The order of messages is that of its lanes.

import type { FieldTable } from '../../amqp/field-table.ts';
import type { MessageLog } from '../../message/log/log.ts';
import { arrivedMsAt } from '../../message/read-message.ts';
import { MessageCounts, QueueDeaths } from '../stats/counts.ts';
import type { Activity } from '../stats/history/busiest.ts';
import type { Steps } from '../turn/slices.ts';
import type { Consumer } from './consumer.ts';
import { ConsumerSet } from './consumer-set.ts';
import { type DelayingQueue, QueueDelays } from './delay/queue-delays.ts';
import { type DeliveringQueue, deliverRound } from './delivery-round.ts';
import { duplicatesBy, type QueueDuplicates } from './duplicates/queue-duplicates.ts';
import { DELIVERIES_PER_TURN, Endings } from './endings/endings.ts';
import { QueueDeadline } from './endings/queue-deadline.ts';
import type { FlowQuota } from './flow-quota.ts';
import { getMessage } from './get-message.ts';
import { QueueLatency } from './latency.ts';
import { DROPPED, lookedPush, REFUSED, TAKEN } from './looked-push.ts';
import type { MessagesOwner, RecordHolder } from './messages/messages-host.ts';
import type { PositionVisitor } from './messages/pages/lane-pages.ts';
import type { TakenEntry } from './messages/queue-entries.ts';
import { QueueMessages } from './messages/queue-messages.ts';
import type { QueueRows } from './messages/queue-rows.ts';
import { Pace } from './pace/pace.ts';
import type { MessageSink, QueueDeclaration, QueueHome, QueueHost } from './ports.ts';
import { PUSH_UNUSUAL } from './push-flags.ts';
import {
  isBounded,
  isTimed,
  looksAtPushes,
  type PolicyDefinition,
  type QueueRules,
  rulesOf,
} from './rules.ts';
import type { QueueType } from './types/queue-type.ts';
import { queueTypeOf } from './types/registry.ts';

/** One queue. */
export class Queue
  implements
    QueueDeclaration,
    MessagesOwner,
    RecordHolder,
    MessageSink,
    DeliveringQueue,
    DelayingQueue
{
  /** Tells it from the other class of queues: streams. */
  readonly isStream = false as const;
  readonly id: number;
  readonly name: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly owner: object | null;
  readonly arguments: FieldTable;
  readonly type: QueueType;
  visitMark = 0;
  readonly keepsAll = false;
  /** Why its rows cannot be read, so that it only stands for them; null: it is a real queue. */
  unreadable: string | null = null;
  deleted = false;
  /** Whether an operator holds it: messages come in, and none goes to a consumer or a `basic.get`. */
  paused = false;
  /** Whether the host has it on its list of queues to deliver from. */
  touched = false;
  /** Whether the host has it on its list of queues with something to seal. */
  dirty = false;
  /** The earliest time at which the host will call `deadlinePassed`; Infinity: none. */
  watchedMs = Infinity;
  /** The rules that hold now. */
  rules: QueueRules;
  private bounded = false;
  /** Whether a push is looked at first: the queue may refuse it or have it wait, or has a quota. */
  guarded = false;
  flowQuota: FlowQuota | null = null;
  /** Whether messages may wait or expire here, or the queue itself; or go out at a pace, which is null where they do not. */
  timed = false;
  pace: Pace | null = null;
  private readonly host: QueueHost;
  private readonly log: MessageLog;
  readonly endings: Endings;
  readonly deadline: QueueDeadline;
  readonly messages: QueueMessages;
  readonly delays: QueueDelays;
  readonly subscribed: ConsumerSet;
  /** Null: it does not look for duplicates. */
  duplicates: QueueDuplicates | null = null;
  /** All but `published`, which `messages` knows: see tallyOf in view/rows.ts. */
  readonly counts = new MessageCounts();
  readonly deaths: QueueDeaths;
  activity: Activity | null = null;
  /** Made by the first delivery. */
  latency: QueueLatency | null = null;

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
    this.durable = declaration.durable;
    this.autoDelete = declaration.autoDelete;
    this.owner = declaration.owner;
    this.arguments = declaration.arguments;
    this.type = queueTypeOf(declaration.arguments);
    this.deaths = new QueueDeaths(host.counts.deaths.ofType(this.type.name));
    this.host = host;
    this.log = log;
    this.endings = new Endings(this, host, home);
    this.delays = new QueueDelays(this, host, log);
    this.deadline = new QueueDeadline(this, host, home);
    this.rules = rulesOf(declaration.arguments, null, null);
    this.subscribed = new ConsumerSet(this.rules.singleActiveConsumer ? this : null);
    this.messages = new QueueMessages(this, this.rules, log, host, rows);
    this.applyRules();
  }

  /** Goes by other policies from now on, also for what is in the queue already. */
  applyPolicy(policy: PolicyDefinition | null, operator: PolicyDefinition | null): void {
    if (this.unreadable !== null) return;
    const before = this.rules;
    this.rules = rulesOf(this.arguments, policy, operator);
    this.applyRules();
    if (this.rules.consumerTimeoutMs !== before.consumerTimeoutMs) this.subscribed.timeoutChanged();
    if (!this.touched) this.host.touch(this);
  }

  /** Makes the fields that the hot paths look at follow from the rules, and from `flowQuota`. */
  applyRules(): void {
    const { rules } = this;
    this.duplicates = duplicatesBy(rules.duplicates, this.duplicates, this, this.host, this.log);
    this.bounded = isBounded(rules);
    const looked = this.unreadable !== null || this.duplicates !== null || looksAtPushes(rules);
    this.guarded = this.flowQuota !== null || looked;
    this.pace = Pace.of(this.pace, this, this.host);
    if (isTimed(rules)) this.timed = true;
    this.messages.setBounds(rules.groupUnackedMax, rules.unackedMax);
    this.deadline.refresh();
  }

  /** From now on it takes no message: it stands for a queue that cannot be read. */
  refuseAll(error: string): void {
    this.unreadable = error;
    this.applyRules();
  }

  /** See MessageSink. */
  push(position: number, bodyBytes: number, flags: number): boolean {
    if (this.guarded || (flags & PUSH_UNUSUAL) !== 0) {
      const done = lookedPush(this, this.log, position, bodyBytes, flags);
      if (done === DROPPED || done === REFUSED) return done === DROPPED;
      if (done === TAKEN) return this.pushed();
    }
    this.messages.push(position, bodyBytes, flags);
    return this.pushed();
  }

  private pushed(): true {
    if (!this.touched) this.host.touch(this);
    if (this.bounded && this.delays.isOver(0, 0)) this.atOnce(true);
    return true;
  }

  /** Something waits: it counts against the limits, and has to be made ready in time. */
  waitsNow(): void {
    this.timed = true;
    if (this.delays.nextDueMs < this.watchedMs) this.deadline.refresh();
    if (this.bounded && !this.touched) this.host.touch(this);
  }

  /**
   * Gives ready messages to consumers that can take them, in turns and at most so many, and drops what has
   * expired or is too much. Returns whether it stopped only to let other queues have their turn.
   */
  deliver(most = DELIVERIES_PER_TURN): boolean {
    const due = this.timed && this.delays.promote(most);
    let more = this.paused ? false : deliverRound(this, this.host, most);
    if (this.bounded && !more) more = this.endings.dropExcess();
    if (this.timed) {
      if (!more) more = !this.endings.dropExpired(this.host.nowMs) && this.readyCount > 0;
      this.deadline.refresh();
    }
    return more || due;
  }

  /** Takes the next message out for a client that asks for one: see getMessage. */
  get(noAck = false, look = (_entry: TakenEntry): void => {}, paused = false): TakenEntry | null {
    return getMessage(this, noAck, look, paused);
  }

  get overdue(): boolean {
    return this.endings.overdue;
  }

  droppingExpired(): Steps {
    return this.endings.droppingExpired();
  }

  /** As QueueMessages.take. */
  take(): TakenEntry | null {
    return this.messages.take();
  }

  timeDelivery({ seq, position }: TakenEntry, noAck: boolean): void {
    this.latency ??= new QueueLatency();
    this.latency.delivered(seq, arrivedMsAt(this.log, position), this.host.nowMs, noAck);
  }

  get readyCount(): number {
    return this.messages.readyCount;
  }

  /** Messages that wait for their time. */
  get delayedCount(): number {
    return this.delays.count;
  }

  get unackedCount(): number {
    return this.messages.unackedCount;
  }

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

  /**
   * Puts an unacked message back to its place, now or when it is to be tried again; one that came back too often is
   * dead-lettered. `failed`: its consumer rejected it, or is gone.
   */
  requeue(seq: number, failed = false): void {
    this.latency?.forget(seq);
    if (this.endings.endLost(seq) || this.delays.returned(seq, failed)) return;
    this.host.line.begin();
    this.messages.requeue(seq);
    if (!this.touched) this.host.touch(this);
    this.host.line.end();
    if (this.bounded && this.delays.isOver(0, 0)) this.atOnce(false);
  }

  /** Removes all ready messages, in steps for one batch; `told` is at once how many. */
  *purging(told: (count: number) => void): Steps {
    if (this.deleted) return;
    this.catchUp();
    yield* this.messages.purging(told);
  }

  /** Lets go of every message and row, as part of deleting the queue. */
  discard(): void {
    this.deleted = true;
    this.counts.published = this.messages.pushedCount + this.delays.neverReady;
    this.host.counts.queueGone(this.type.name, this.counts);
    this.messages.discard();
    this.delays.discard();
    this.duplicates?.clear();
  }

  /**
   * Does at once what would wait for the end of the turn, so that a client finds the queue as if each message had gone
   * to a consumer as it came. One round has to do: behind a longer backlog the next may go to a `basic.get`.
   */
  catchUp(): void {
    if (this.touched && (this.consumers.length > 0 || this.bounded)) this.atOnce(true);
  }

  /** A client declares the queue again or gets from it: that renews `x-expires`, and what has expired must not be counted. */
  use(): void {
    this.catchUp();
    if (!this.timed) return;
    this.delays.promote(DELIVERIES_PER_TURN);
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

  removeConsumers(leaving: readonly Consumer[]): boolean {
    this.subscribed.remove(leaving);
    this.wake();
    const last = this.consumers.length === 0;
    if (last && this.timed) this.deadline.used();
    return last;
  }

  get exclusiveConsumer(): Consumer | null {
    return this.subscribed.exclusive;
  }

  endConsumers(most = this.consumers.length): void {
    for (const consumer of this.subscribed.clear(most)) consumer.channel.consumerGone(consumer);
  }

  /** Holds back all deliveries from now on, or gives them out again. */
  setPaused(paused: boolean): void {
    this.paused = paused;
    this.wake();
  }

  /** Asks for a delivery round, if there is anything to give out. */
  wake(): void {
    if (this.readyCount > 0 && !this.touched) this.host.touch(this);
  }

  /** Told that all batches up to `batch` are durable. */
  durableUpTo(batch: number): void {
    if (this.messages.durableUpTo(batch)) this.wake();
    this.delays.durableUpTo(batch);
  }

  /** Reads the queue's messages and marks back from the store. */
  recover(): void {
    this.messages.recover();
    this.delays.recover();
    this.endings.setLostAside();
    this.pace?.restarted();
    this.duplicates?.recover();
    if (this.messages.lanes.some((lane) => lane.entries.expiring > 0)) this.timed = true;
    this.wake();
  }

  sealInto(batch: number): void {
    this.messages.sealInto(batch);
    this.delays.sealInto(batch);
    this.duplicates?.keys.sealInto();
  }

  /** At a clean stop: notes just which messages have been delivered, no more. */
  sealExactMarks(stops = true): void {
    this.messages.sealExactMarks(stops);
  }

  visitPage(cursor: number, visit: PositionVisitor): number {
    return this.delays.visitPage(cursor, visit);
  }

  entriesDirty(): void {
    if (!this.dirty) this.host.listDirty(this);
  }

  /**
   * Delivers and drops what is too much, or only drops, before the turn ends: a full queue is never fuller than it may
   * be. While some queue is at it, this one waits, so that dead letters never pile up on the stack.
   */
  atOnce(deliver: boolean): void {
    const { host } = this;
    if (host.delivering) return;
    host.delivering = true;
    if (deliver) this.deliver();
    else this.endings.dropExcess();
    host.delivering = false;
  }
}
