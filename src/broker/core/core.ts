// Owns the data plane: the log, the store's batches, and what one turn does for all queues. Never knows vhosts,
// users or names, and never touches sockets: the server runs the turn and is told what became durable.

import { memoryBudget } from '../../message/log/budget.ts';
import { MessageLog } from '../../message/log/log.ts';
import type { Store } from '../../store/port.ts';
import type { Scratch } from '../../store/scratch.ts';
import { TABLE_DELAYS, TABLE_KEYS } from '../../store/tables.ts';
import type { Clock } from '../../util/clock.ts';
import { NO_GROUP } from '../../util/system/main-group.ts';
import { NODE_NAME } from '../../util/system/node-name.ts';
import { DelayRows } from '../queue/delay/delay-rows.ts';
import { KeyRows } from '../queue/duplicates/key-rows.ts';
import { FlowQuotas, NO_QUOTAS } from '../queue/flow-quota.ts';
import type { RecordHolder } from '../queue/messages/messages-host.ts';
import { QueueRows } from '../queue/messages/queue-rows.ts';
import { type Sweep, Sweeps } from '../queue/messages/sweeps.ts';
import type { Dirty, HostedQueue, QueueHost, Watched } from '../queue/ports.ts';
import { StreamRows } from '../queue/stream/entries/stream-rows.ts';
import { HotIds } from '../queue/stream/publishers/hot-ids.ts';
import type { QueueTypeName } from '../queue/types/registry.ts';
import { CalledLines } from '../queue/waiting-line.ts';
import { SetAsideDefinitions } from '../set-aside/set-aside-definitions.ts';
import { SetAsideMessages } from '../set-aside/set-aside-messages.ts';
import { BrokerCounts, type SealedBatch } from '../stats/counts.ts';
import { BrokerTime } from '../turn/broker-time.ts';
import { ChangeLine } from '../turn/change-line.ts';
import { Deadlines } from '../turn/deadlines.ts';
import { Slices } from '../turn/slices.ts';
import { Compaction, type CompactionHost } from './compaction.ts';
import { DirtyQueues } from './dirty-queues.ts';
import { DurableWaits } from './durable-waits.ts';
import type { HeldQueues } from './held-queues.ts';
import { OverflowDeadLetters } from './overflow-dead-letters.ts';
import { QueueIds } from './queue-ids.ts';
import { TouchedQueues } from './touched-queues.ts';

/** A batch that nothing waits for is sealed once it holds this many bytes of messages. */
const GATHERED_BYTES_MAX = 4 * 1024 * 1024;

/** What a message takes in a queue's page on disk, and the page where it is not full. */
const ENTRY_BYTES = 16;
const PAGE_ROW_BYTES = 4096;

/** What the server is told by the data plane. */
export interface CoreListener {
  /** Something was asked for that the end of this turn has to do. */
  turnWanted(): void;
  /** All batches up to `batch` are durable. */
  durable(batch: number): void;
}

/** How a data plane is set up. */
export interface CoreOptions {
  readonly flowSettings?: ConstructorParameters<typeof FlowQuotas>[0];
  /**
   * Bounds what is in memory of stored messages, and of transient ones, in bytes, where that is less than
   * message/log/budget.ts says.
   */
  readonly memoryBytesMax?: number;
  /** Where transient messages go beyond that; null: they stay. */
  readonly scratch?: Scratch | null;
  /** How the node is called, as peers are told. */
  readonly nodeName?: string;
  /** What the cluster is called unless a user says otherwise; null: as the node. */
  readonly clusterName?: string | null;
  /** Which group of vhosts of its cluster this is; left out: it is in none. */
  readonly group?: string;
  /** The type of queues whose declarations and whose vhost name none; null: they say none either. */
  readonly defaultQueueType?: QueueTypeName | null;
  /** The time that the queues of this store lived by on another machine, now, ms; null: the time of day counts. */
  readonly timeMs?: number | null;
}

/** Queues over a log and a store. Synchronous, without timers or I/O of its own. */
export class BrokerCore implements QueueHost, CompactionHost {
  readonly store: Store;
  readonly log: MessageLog;
  readonly clock: Clock;
  /** How the node is called, as peers are told. */
  readonly nodeName: string;
  /** What the cluster is called unless a user says otherwise. */
  readonly clusterName: string;
  /** Which group of vhosts of its cluster this is, see NO_GROUP. */
  readonly group: string;
  /** The type of queues whose declarations and whose vhost name none; null: they say none either. */
  readonly defaultQueueType: QueueTypeName | null;
  readonly time: BrokerTime;
  readonly queueRows: QueueRows;
  readonly delayRows: DelayRows;
  readonly keyRows: KeyRows;
  readonly streamRows: StreamRows;
  readonly hotIds = new HotIds();
  readonly sweeps: Sweeps;
  readonly flowQuotas: FlowQuotas;
  readonly lines: CalledLines;
  readonly compaction: Compaction;
  readonly counts = new BrokerCounts();
  readonly line = new ChangeLine();
  readonly queueIds = new QueueIds();
  readonly slices: Slices;
  readonly overflowDeadLetters: OverflowDeadLetters;
  readonly setAside: SetAsideMessages;
  readonly setAsideRows: SetAsideDefinitions;
  /** The broker's time as the turn began, ms: when its messages arrived. */
  nowMs: number;
  askedDelayMs = 0;
  stopping = false;
  /** Where queues are held that are read back now; null: none is, or what it does harms no other. */
  held: HeldQueues | null = null;
  /** The last batch known to be durable. */
  durableBatch = 0;
  /** Bytes of contents that are being received, or wait for a commit, and lie in no log yet. */
  receivingBytes = 0;
  /** Bytes handed to the store so far, and those of them known to be durable. */
  sealedBytes = 0;
  durableBytes = 0;
  /** The batch that holds the newest change of a durable definition. */
  definitionsBatch = 0;
  /** Stored messages pushed since the last seal, and those of them not settled yet. */
  unsealedPushed = 0;
  unsealedLive = 0;
  /** All queues there are, those included whose vhost goes; set by the control plane. */
  queues: () => RecordHolder[] = () => [];
  /** Whether any act waits for the batch being gathered, and whether for more than confirms. */
  private batchAwaited = false;
  private batchPressing = false;
  private readonly listener: CoreListener;
  private readonly touched: TouchedQueues;
  private readonly dirty: DirtyQueues;
  /** What `sealedBytes` was after each batch that is under way. */
  private readonly sealedUpTo: SealedBatch[] = [];
  private readonly deadlines = new Deadlines<Watched>();
  private readonly waits = new DurableWaits();

  constructor(
    store: Store,
    clock: Clock,
    listener: CoreListener,
    {
      flowSettings = NO_QUOTAS,
      memoryBytesMax = Infinity,
      scratch = null,
      nodeName = NODE_NAME,
      clusterName = null,
      group = NO_GROUP,
      defaultQueueType = null,
      timeMs = null,
    }: CoreOptions = {},
  ) {
    this.store = store;
    this.clock = clock;
    this.nodeName = nodeName;
    this.clusterName = clusterName ?? nodeName;
    this.group = group;
    this.defaultQueueType = defaultQueueType;
    this.listener = listener;
    this.time = new BrokerTime(clock, store, timeMs);
    this.nowMs = this.time.now();
    this.flowQuotas = new FlowQuotas(flowSettings);
    this.lines = new CalledLines(this, listener);
    this.dirty = new DirtyQueues(clock);
    const awaited = (): boolean => this.batchAwaited;
    this.slices = new Slices(clock, () => listener.turnWanted(), awaited);
    const { stored, transient } = memoryBudget(memoryBytesMax);
    this.log = new MessageLog(store, stored, transient, scratch);
    this.overflowDeadLetters = new OverflowDeadLetters(this.log, this.slices, clock);
    this.touched = new TouchedQueues(this.flowQuotas, this.lines, clock, this.overflowDeadLetters);
    this.setAsideRows = new SetAsideDefinitions(store);
    this.queueRows = new QueueRows(store, this.setAsideRows);
    this.delayRows = new DelayRows(store);
    this.delayRows.damaged = (key, error) => this.setAsideRows.add(TABLE_DELAYS, key, error);
    this.keyRows = new KeyRows(store);
    this.keyRows.damaged = (key, error) => this.setAsideRows.add(TABLE_KEYS, key, error);
    this.streamRows = new StreamRows(store, this.setAsideRows);
    this.sweeps = new Sweeps(store, this.queueRows);
    this.compaction = new Compaction(this);
    this.setAside = new SetAsideMessages(this);
    store.onDurable((batch) => this.batchDurable(batch));
    store.onReadable((batch) => this.log.unpinUpTo(batch));
  }

  /** Keeps the ids of rows that no queue is known to have from being given out. */
  reserveStrayQueueIds(): void {
    this.queueIds.reserve(this.queueRows.highestId(this.queueIds.last));
    this.queueIds.reserve(this.delayRows.highestId(this.queueIds.last));
    this.queueIds.reserve(this.keyRows.highestId(this.queueIds.last));
    this.queueIds.reserve(this.streamRows.highestId(this.queueIds.last));
  }

  touch(queue: HostedQueue): void {
    if (this.held !== null) return this.held.touch(queue);
    this.touched.add(queue);
    this.listener.turnWanted();
  }

  listDirty(dirty: Dirty): void {
    this.dirty.add(dirty);
    this.listener.turnWanted();
  }

  sweep(sweep: Sweep): void {
    this.sweeps.add(sweep);
    if (this.sweeps.any) this.awaitBatch();
  }

  watch(who: Watched, dueMs: number): void {
    if (this.held !== null) return this.held.watch(who);
    who.watchedMs = dueMs;
    this.deadlines.add(dueMs, who);
    this.listener.turnWanted();
  }

  /** When `tick` has to be called next, by `time`; Infinity: not at all. */
  get nextDeadlineMs(): number {
    return this.deadlines.nextMs;
  }

  /** The same, were one of those that wait not there: one that always waits for another time never ends. */
  nextDeadlineMsWithout(who: Watched): number {
    return this.deadlines.nextMsWithout(who);
  }

  /** Lets expire what is due by now: messages at the end of the turn, unused queues at once. Schedules tick. */
  tick(): void {
    this.nowMs = this.time.now();
    for (;;) {
      const who = this.deadlines.take(this.nowMs);
      if (who === undefined) return;
      // What was asked for later was never asked for; the queue does so again.
      who.watchedMs = Infinity;
      if (!who.deleted) who.deadlinePassed();
    }
  }

  /** Notes that the batch being gathered changes a durable definition. */
  definitionChanged(): void {
    this.definitionsBatch = this.store.batch;
    this.listener.turnWanted();
  }

  /**
   * Goes on with long acts, and delivers from the queues that were touched. Returns whether there is more
   * to do as soon as others have had their turn.
   */
  deliver(): boolean {
    this.overflowDeadLetters.renew();
    const acting = this.slices.run();
    return this.touched.deliver() || acting;
  }

  get delivering(): boolean {
    return this.touched.delivering;
  }

  set delivering(delivering: boolean) {
    this.touched.delivering = delivering;
  }

  /** Does some of the work that nothing waits for, at the end of a turn; returns whether more is left. */
  maintain(): boolean {
    // The store may be closed before the last turn ends.
    if (this.stopping) return false;
    this.log.maintain();
    return this.compaction.run();
  }

  get sweeping(): boolean {
    return this.sweeps.any;
  }

  recordHolders(): RecordHolder[] {
    return [this.setAside, this.overflowDeadLetters, ...this.queues()];
  }

  recordsMoved(): void {
    this.compaction.abandon();
  }

  recordMoved(position: number): void {
    this.compaction.leaveOut(position);
  }

  /** Whether the batch being gathered should be sealed without waiting for more to gather. */
  get sealUrgent(): boolean {
    return this.batchAwaited || this.log.unsealedBytes > GATHERED_BYTES_MAX;
  }

  /** What a batch sealed now would hold, about: records, and rows of those queues that changed. */
  get unsealedBytes(): number {
    return (
      this.log.unsealedBytes + this.unsealedPushed * ENTRY_BYTES + this.dirty.count * PAGE_ROW_BYTES
    );
  }

  get reusableBytes(): number {
    return this.store.reusableBytes + (this.log.spill?.reusableBytes ?? 0);
  }

  /** What the log before the store's tables has, and these have no room for yet. */
  get unappliedBytes(): number {
    return this.store.logCounts?.unappliedBytes ?? 0;
  }

  get spillingBytes(): number {
    return this.log.spill?.bytesUnderWay ?? 0;
  }

  /** Whether anything would go into a batch sealed now. */
  get sealable(): boolean {
    if (!this.slices.sealable) return false;
    if (this.batchAwaited || this.dirty.any) return true;
    return this.log.unsealedBytes > 0 || this.store.dirty;
  }

  /** Puts some changes ahead of `seal`, when they are many; returns whether it may follow. */
  prepareSeal(): boolean {
    return this.dirty.putSome(this.store.batch);
  }

  /**
   * Puts every change since the last batch into the store's batch and seals it. Must not be called
   * between two steps of one operation, since a batch is what is atomic on disk.
   */
  seal(): void {
    const { batch } = this.store;
    this.sweeps.run();
    this.dirty.putAll(batch);
    this.log.sealInto();
    const { gatheredBytes: size } = this.store;
    this.sealedBytes += size;
    this.sealedUpTo.push({ batch, bytes: this.sealedBytes, size, ms: this.clock.monotonicMs() });
    this.batchAwaited = false;
    this.batchPressing = false;
    this.unsealedPushed = 0;
    this.unsealedLive = 0;
    // What a batch would have held may be gone again: consumed and acked. Then nothing needs to be
    // written, and once all before it is durable, so is this batch.
    const nothingToWrite = !this.store.dirty && !this.store.busy;
    this.store.seal();
    this.slices.sealed();
    if (nothingToWrite) this.batchDurable(batch);
    if (this.sweeps.any) this.awaitBatch();
  }

  /** Resolves once all that was changed so far is durable, for which the batch is sealed without delay; or the broker stops. */
  untilDurable(): Promise<void> {
    return this.waits.until(this.awaitBatch());
  }

  /** Makes the batch being gathered one that is sealed without delay; returns its number. */
  awaitBatch(): number {
    this.batchPressing = true;
    return this.awaitConfirm();
  }

  /**
   * The same for a publisher confirm, which consumers may make needless by acking all that the
   * batch holds: it may be sealed a moment later.
   */
  awaitConfirm(): number {
    if (!this.batchAwaited) {
      this.batchAwaited = true;
      this.listener.turnWanted();
    }
    return this.store.batch;
  }

  /** Whether nothing waits for the batch, except publishers that want confirms. */
  get sealDeferrable(): boolean {
    return !this.batchPressing && this.log.unsealedBytes <= GATHERED_BYTES_MAX;
  }

  /** The broker stops: what goes on in slices comes to its end, and what is swept waits for the next start. */
  stop(): void {
    this.stopping = true;
    this.overflowDeadLetters.stop();
    this.slices.finish();
    this.sweeps.stop();
    this.waits.resolve(Infinity);
  }

  private batchDurable(batch: number): void {
    if (batch <= this.durableBatch) return;
    this.durableBatch = batch;
    this.log.durable(batch);
    this.queueRows.loaded.durable(batch);
    while (this.sealedUpTo.length > 0 && this.sealedUpTo[0]!.batch <= batch) {
      this.durableBytes = this.counts.committed(this.sealedUpTo.shift()!, this.clock);
    }
    this.dirty.durable(batch);
    this.waits.resolve(batch);
    this.listener.durable(batch);
  }
}
