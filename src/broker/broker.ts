// Owns what all vhosts share: the log, the store's batches, and the order of a turn's work. Never
// touches sockets: the server runs the turn and is told what became durable.

import { memoryBudget } from '../message/budget.ts';
import { MessageLog } from '../message/log.ts';
import type { Store } from '../store/port.ts';
import type { Scratch } from '../store/scratch.ts';
import type { Clock } from '../util/clock.ts';
import { Access } from './access/access.ts';
import { checkLimits, VHOST_LIMITS } from './access/limits.ts';
import { noVhost } from './access/names.ts';
import { checkVhostTraits, type VhostTraits } from './access/vhost-traits.ts';
import { Alarms } from './alarms.ts';
import { Changes } from './changes.ts';
import { Compaction, type CompactionHost } from './compaction.ts';
import type { BrokerListener } from './core/broker-listener.ts';
import { BrokerTime } from './core/broker-time.ts';
import { ChangeLine } from './core/change-line.ts';
import { DirtyQueues } from './core/dirty-queues.ts';
import { QueueIds } from './core/queue-ids.ts';
import type { RecordHolder } from './core/record-holder.ts';
import { Slices } from './core/slices.ts';
import { TouchedQueues } from './core/touched-queues.ts';
import { VhostDeletions } from './core/vhost-deletions.ts';
import { Deadlines } from './deadlines.ts';
import { DefinitionRows } from './definition-rows.ts';
import type { FirstStart } from './first-start.ts';
import { GlobalParameters } from './policy/parameters.ts';
import { PolicyRows } from './policy/policy-rows.ts';
import { Floods, NO_FLOODS } from './queue/floods.ts';
import type { HostedQueue, QueueHost } from './queue/ports.ts';
import { QueueRows } from './queue/queue-rows.ts';
import { type Sweep, Sweeps } from './queue/sweeps.ts';
import { CalledLines } from './queue/waiting-line.ts';
import { recoverBroker } from './recovery/recover-broker.ts';
import { recoverVhost } from './recovery/recover-vhost.ts';
import { RefusedLetters } from './republish/refused-letters.ts';
import { SetAsideDefinitions } from './set-aside/set-aside-definitions.ts';
import { SetAsideMessages } from './set-aside/set-aside-messages.ts';
import { BrokerCounts, type SealedBatch } from './stats/counts.ts';
import { Rates } from './stats/rates.ts';
import { Vhost } from './vhost.ts';

/** A batch that nobody waits for is sealed once it holds this many bytes of messages. */
const GATHERED_BYTES_MAX = 4 * 1024 * 1024;

/** What a message takes in a queue's page on disk, and the page where it is not full. */
const ENTRY_BYTES = 16;
const PAGE_ROW_BYTES = 4096;

/** The heart: vhosts over a log and a store. Synchronous, without timers or I/O of its own. */
export class Broker implements QueueHost, CompactionHost {
  readonly store: Store;
  readonly log: MessageLog;
  readonly clock: Clock;
  readonly vhosts = new Map<string, Vhost>();
  readonly vhostDeletions: VhostDeletions;
  readonly access: Access;
  readonly definitionRows: DefinitionRows;
  readonly queueRows: QueueRows;
  readonly sweeps: Sweeps;
  readonly policyRows: PolicyRows;
  readonly globalParameters: GlobalParameters;
  readonly alarms = new Alarms();
  readonly floods: Floods;
  readonly lines: CalledLines;
  readonly compaction: Compaction;
  readonly changes = new Changes();
  readonly counts = new BrokerCounts();
  readonly rates = new Rates();
  readonly line = new ChangeLine();
  readonly queueIds = new QueueIds();
  readonly setAside: SetAsideMessages;
  readonly setAsideRows: SetAsideDefinitions;
  readonly time: BrokerTime;
  /** The broker's time as the turn began, ms: when its messages arrived. */
  nowMs: number;
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
  /** Whether somebody waits for the batch being gathered, and whether for more than confirms. */
  private batchAwaited = false;
  private batchPressing = false;
  private readonly listener: BrokerListener;
  private readonly touched: TouchedQueues;
  private readonly dirty: DirtyQueues;
  readonly slices: Slices;
  readonly refusedLetters: RefusedLetters;
  /** What `sealedBytes` was after each batch that is under way. */
  private readonly sealedUpTo: SealedBatch[] = [];
  private readonly deadlines = new Deadlines<HostedQueue>();

  /**
   * `memoryBytesMax` bounds what is in memory of stored messages, and of transient ones, where that is
   * less than message/budget.ts says; transient ones go to `scratch` beyond it, or stay where there is none.
   */
  constructor(
    store: Store,
    clock: Clock,
    listener: BrokerListener,
    floods = NO_FLOODS,
    memoryBytesMax = Infinity,
    scratch: Scratch | null = null,
  ) {
    this.store = store;
    this.clock = clock;
    this.listener = listener;
    this.time = new BrokerTime(clock, store);
    this.nowMs = this.time.now();
    this.floods = new Floods(floods);
    this.lines = new CalledLines(this, listener);
    this.dirty = new DirtyQueues(clock);
    const awaited = (): boolean => this.batchAwaited;
    this.slices = new Slices(clock, () => listener.turnWanted(), awaited);
    const { stored, transient } = memoryBudget(memoryBytesMax);
    this.log = new MessageLog(store, stored, transient, scratch);
    this.refusedLetters = new RefusedLetters(this.log, this.slices, clock);
    this.touched = new TouchedQueues(this.floods, this.lines, clock, this.refusedLetters);
    this.setAsideRows = new SetAsideDefinitions(store);
    this.definitionRows = new DefinitionRows(store, this.setAsideRows, this.line);
    this.queueRows = new QueueRows(store, this.setAsideRows);
    this.sweeps = new Sweeps(store, this.queueRows);
    this.policyRows = new PolicyRows(store, this.changes, this.setAsideRows, this.line);
    this.globalParameters = new GlobalParameters(this.policyRows, () => this.definitionChanged());
    this.access = new Access(store, this.changes, this.setAsideRows, clock, this.line, {
      definitionChanged: () => this.definitionChanged(),
      hasVhost: (name) => this.vhosts.has(name),
      permissionsChanged: (name) => this.vhosts.get(name)?.router.topologyChanged(),
      userDeleted: (user) => listener.connectionsForced(user, `user '${user.name}' is deleted`),
    });
    this.vhostDeletions = new VhostDeletions(this, (vhost) =>
      listener.connectionsForced(vhost, `vhost '${vhost.name}' is deleted`),
    );
    this.compaction = new Compaction(this);
    this.setAside = new SetAsideMessages(this);
    store.onDurable((batch) => this.batchDurable(batch));
  }

  /**
   * Reads back all that the store holds. A store without any vhost or user is a new one, and gets
   * what a broker has at its first start; later starts find that, or what has become of it.
   */
  recover(first: FirstStart): void {
    this.time.recover();
    this.nowMs = this.time.now();
    recoverBroker(this, first);
  }

  /** The vhost of that name; throws a Refusal when there is none. */
  vhost(name: string): Vhost {
    const vhost = this.vhosts.get(name);
    if (vhost === undefined) throw this.setAsideRows.vhostError(name) ?? noVhost(name);
    return vhost;
  }

  /** Makes a vhost, or changes what is given of one that is there. Throws a Refusal. */
  putVhost(name: string, traits: Partial<VhostTraits> = {}): Vhost {
    checkVhostTraits(name, traits);
    this.vhostDeletions.finish(name);
    const known = this.vhosts.get(name);
    const vhost = known ?? new Vhost(name, this);
    const wasAside = known === undefined && this.setAsideRows.vhostError(name) !== null;
    this.storeVhost(vhost, traits, () => {
      this.vhosts.set(name, vhost);
      if (wasAside) recoverVhost(this, vhost);
    });
    return vhost;
  }

  /** Sets all limits of a vhost: those not given are taken away. */
  setVhostLimits(name: string, limits: Readonly<Record<string, unknown>>): void {
    this.storeVhost(this.vhost(name), { limits: checkLimits(VHOST_LIMITS, limits) });
  }

  /** Changes what is given of a vhost, on disk and in memory; `also` belongs to that change. */
  private storeVhost(vhost: Vhost, traits: Partial<VhostTraits>, also = (): void => {}): void {
    this.access.rows.putVhost({ ...vhost.snapshot(), ...traits });
    this.line.change(() => {
      also();
      vhost.setTraits(traits);
      this.definitionChanged();
    });
  }

  /** Deletes a vhost with all that is in it and all permissions in it, and ends its connections. */
  deleteVhost(name: string): void {
    this.vhostDeletions.atOnce(name);
  }

  /** Makes a vhost that is not stored yet, or was read from the store. */
  addVhost(name: string, traits: Partial<VhostTraits>): Vhost {
    const vhost = new Vhost(name, this);
    vhost.setTraits(traits);
    this.vhosts.set(name, vhost);
    return vhost;
  }

  /** Keeps the ids of rows that no queue is known to have from being given out. */
  reserveStrayQueueIds(): void {
    this.queueIds.reserve(this.queueRows.highestId(this.queueIds.last));
  }

  touch(queue: HostedQueue): void {
    this.touched.add(queue);
    this.listener.turnWanted();
  }

  listDirty(queue: HostedQueue): void {
    this.dirty.add(queue);
    this.listener.turnWanted();
  }

  sweep(sweep: Sweep): void {
    this.sweeps.add(sweep);
    if (this.sweeps.any) this.awaitBatch();
  }

  watch(queue: HostedQueue, dueMs: number): void {
    queue.watchedMs = dueMs;
    this.deadlines.add(dueMs, queue);
    this.listener.turnWanted();
  }

  /** When `tick` has to be called next, by `time`; Infinity: not at all. */
  get nextDeadlineMs(): number {
    return this.deadlines.nextMs;
  }

  /** Lets expire what is due by now: messages at the end of the turn, unused queues at once. */
  tick(): void {
    this.nowMs = this.time.now();
    for (;;) {
      const queue = this.deadlines.take(this.nowMs);
      if (queue === undefined) return;
      // What was asked for later was never asked for; the queue does so again.
      queue.watchedMs = Infinity;
      if (!queue.deleted) queue.deadlinePassed();
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
    this.refusedLetters.renew();
    const acting = this.slices.run();
    return this.touched.deliver() || acting;
  }

  get delivering(): boolean {
    return this.touched.delivering;
  }

  set delivering(delivering: boolean) {
    this.touched.delivering = delivering;
  }

  /** Does some of the work that nobody waits for, at the end of a turn; returns whether more is left. */
  tend(): boolean {
    this.log.tend();
    return this.compaction.run();
  }

  get sweeping(): boolean {
    return this.sweeps.any;
  }

  recordHolders(): RecordHolder[] {
    const vhosts = [...this.vhosts.values(), ...this.vhostDeletions.vhosts];
    const queues = vhosts.flatMap((vhost) => vhost.everyQueue());
    return [this.setAside, this.refusedLetters, ...queues];
  }

  recordsMoved(): void {
    this.compaction.abandon();
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
    return this.store.reusableBytes + this.log.reusableScratchBytes;
  }

  get spillingBytes(): number {
    return this.log.spillingBytes;
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

  /** Whether nobody but publishers that want confirms waits for the batch. */
  get sealDeferrable(): boolean {
    return !this.batchPressing && this.log.unsealedBytes <= GATHERED_BYTES_MAX;
  }

  /** At a clean stop, when all consumers are gone: which messages were delivered, exactly. */
  sealExactMarks(): void {
    this.refusedLetters.stop();
    this.slices.finish();
    this.sweeps.stop();
    for (const vhost of this.vhosts.values()) {
      for (const queue of vhost.queues.values()) queue.messages.sealExactMarks();
    }
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
    this.listener.durable(batch);
  }
}
