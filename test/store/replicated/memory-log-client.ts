// Owns a replicated log in memory, with a client for each node, whose calls go the way that a test says. Never opens a socket.

import {
  type Following,
  type LeaseCell,
  type LogClient,
  type LogEntry,
  LogFullError,
  type LogReader,
  type LogState,
  RefusedError,
  UnansweredError,
} from '../../../src/store/replicated/log-client.ts';

export const LOG_ID = '0123456789abcdef0123456789abcdef';

/** What all nodes see: the records in one order, and the cell of the lease. */
export class SharedLog {
  readonly id: string;
  readonly records: (Buffer | null)[] = [];
  readonly followings = new Set<MemoryFollowing>();
  lease: { readonly revision: number; readonly value: Buffer } | null = null;
  first = 1;
  bytes = 0;
  bytesMax = 2 ** 40;
  /** Whether it refuses a record whose place is not the one that its writer expects. */
  obeys = true;

  constructor(id = LOG_ID) {
    this.id = id;
  }

  get last(): number {
    return this.records.length;
  }

  append(bytes: Buffer, previous: number): number {
    if (this.obeys && previous !== this.last) throw new RefusedError(`the last is ${this.last}`);
    if (this.bytes + bytes.length > this.bytesMax) throw new LogFullError(this.bytesMax);
    this.bytes += bytes.length;
    const seq = this.records.push(bytes);
    for (const following of this.followings) following.wake();
    return seq;
  }

  read(seq: number): Buffer | null {
    return this.records[seq - 1] ?? null;
  }

  purge(below: number): void {
    for (; this.first < below; this.first += 1) {
      this.bytes -= this.read(this.first)?.length ?? 0;
      this.records[this.first - 1] = null;
    }
  }

  set(value: Buffer, revision: number): number {
    const now = this.lease?.revision ?? 0;
    if (revision !== now) throw new RefusedError(`the lease is at ${now}`);
    this.lease = { revision: now + 1, value };
    return now + 1;
  }
}

export type CallKind = 'append' | 'state' | 'read' | 'purge' | 'look' | 'set' | 'pause';

/** A call of a node, until it has had its answer. */
export class Call<T = unknown> {
  readonly kind: CallKind;
  readonly promise: Promise<T>;
  arrived = false;
  settled = false;
  private readonly act: () => T;
  private resolve!: (value: never) => void;
  private reject!: (error: unknown) => void;
  private result: T | null = null;
  private error: unknown = null;

  constructor(kind: CallKind, act: () => T) {
    this.kind = kind;
    this.act = act;
    this.promise = new Promise<T>((resolve, reject) => {
      this.resolve = resolve as (value: never) => void;
      this.reject = reject;
    });
  }

  /** It comes to the log. Once more: a late copy does, whose answer is lost. */
  arrive(): void {
    const isCopy = this.arrived;
    this.arrived = true;
    try {
      const result = this.act();
      if (!isCopy) this.result = result;
    } catch (error) {
      if (!isCopy) this.error = error;
    }
  }

  /** The caller gets the answer, for which the call has to have arrived, unless it waits no longer. */
  answer(): void {
    if (!this.arrived) throw new Error('it has not arrived');
    this.settled = true;
    if (this.error === null) this.resolve(this.result as never);
    else this.reject(this.error);
  }

  /** The caller waits no longer. The call may arrive all the same, now or later. */
  lose(): void {
    this.settled = true;
    this.reject(new UnansweredError('no answer'));
  }

  /** Goes all the way. */
  pass(): void {
    this.arrive();
    this.answer();
  }
}

/** What takes calls to the log: at once, unless a test has its own. */
export type Courier = (call: Call) => void;

export const atOnce: Courier = (call) => call.pass();

/** A way on which calls wait for the test. */
export class HeldCalls {
  readonly calls: Call[] = [];
  readonly courier: Courier = (call) => {
    this.calls.push(call);
  };

  /** Takes out the oldest call, which has to be of this kind. */
  next(kind: CallKind): Call {
    const call = this.calls.shift();
    if (call?.kind !== kind) throw new Error(`there is ${call?.kind ?? 'no call'}, not ${kind}`);
    return call;
  }
}

/** One node's side of the log. */
export class MemoryLogClient implements LogClient {
  readonly recordBytesMax: number;
  readonly lease: LeaseCell;
  readonly log: SharedLog;
  courier: Courier;
  /** How many of the last records the machine that answers has not got yet. */
  lag: () => number = () => 0;
  /** Whether records go to a reader by themselves. */
  flows = true;

  constructor(log: SharedLog, courier: Courier = atOnce, recordBytesMax = 2 ** 20) {
    this.log = log;
    this.courier = courier;
    this.recordBytesMax = recordBytesMax;
    this.lease = {
      look: () => this.call('look', () => log.lease),
      set: (value, revision) => this.call('set', () => log.set(value, revision)),
    };
  }

  append(parts: readonly Buffer[], previous: number): Promise<number> {
    const bytes = Buffer.concat(parts);
    return this.call('append', () => this.log.append(bytes, previous));
  }

  state(): Promise<LogState> {
    return this.call('state', () => {
      const { id, first, bytes, bytesMax } = this.log;
      return { id, first, last: this.seen(), bytes, bytesMax };
    });
  }

  read(seq: number): Promise<Buffer | null> {
    return this.call('read', () => (seq > this.seen() ? null : this.log.read(seq)));
  }

  follow(from: number, reader: LogReader): MemoryFollowing {
    return new MemoryFollowing(this.log, from, reader, this.flows);
  }

  purge(below: number): Promise<void> {
    return this.call('purge', () => this.log.purge(below));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  call<T>(kind: CallKind, act: () => T): Promise<T> {
    const call = new Call(kind, act);
    this.courier(call as Call);
    return call.promise;
  }

  private seen(): number {
    return Math.max(0, this.log.last - this.lag());
  }
}

/** Reading that goes on. */
export class MemoryFollowing implements Following {
  private readonly log: SharedLog;
  private readonly reader: LogReader;
  private readonly flows: boolean;
  private next: number;
  private handing: Promise<void> | null = null;
  private stopped = false;

  constructor(log: SharedLog, from: number, reader: LogReader, flows: boolean) {
    this.log = log;
    this.next = from;
    this.reader = reader;
    this.flows = flows;
    log.followings.add(this);
    this.wake();
  }

  /** Whether the reader has not taken yet what it was handed. */
  get busy(): boolean {
    return this.handing !== null;
  }

  wake(): void {
    if (this.flows) queueMicrotask(() => this.deliver());
  }

  /** Hands over the next records, unless the reader has not taken the last ones yet. Returns how many. */
  deliver(max = 16): number {
    if (this.stopped || this.handing !== null) return 0;
    if (this.next < this.log.first) {
      this.end();
      this.reader.behind(this.log.first);
      return 0;
    }
    const entries: LogEntry[] = [];
    for (; entries.length < max && this.next <= this.log.last; this.next += 1) {
      entries.push({ seq: this.next, bytes: this.log.read(this.next) as Buffer });
    }
    if (entries.length === 0) return 0;
    this.handing = this.reader.entries(entries).then(() => {
      this.handing = null;
      this.wake();
    });
    return entries.length;
  }

  /** Has nothing come any more, as where the process of the reader has ended. */
  end(): void {
    this.stopped = true;
    this.log.followings.delete(this);
  }

  async stop(): Promise<void> {
    this.end();
    await this.handing;
  }
}
