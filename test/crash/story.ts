// Owns histories made by hand, for the tests of the judge. Never judges by itself.

import type { Entry, History } from './check.mjs';
import { check } from './check.mjs';

export const FAN = ['crash.fan.1', 'crash.fan.2'];
const SECOND_SPAWN = 10_000;
/** Queues that deliver after the commit. */
export const SURE = ['crash.sure.1', 'crash.sure.2'];
export const STREAM = 'crash.stream';
/** A queue and the stream. */
export const EVENTS = ['crash.fan.2', STREAM];
export const KEPT = 1_024;
export const LEASE_US = 1_000_000;

/** Writes a history line by line; time goes on by one with each. */
export class Story {
  t = 0;
  readonly publisher: Entry[] = [];
  readonly consumer: Entry[] = [];
  readonly reader: Entry[] = [];
  readonly history: History = {
    spawns: [0, SECOND_SPAWN],
    drainedSpawn: 1,
    queues: {
      'crash.fan.1': { ordered: true, deadLetterTo: null },
      'crash.fan.2': { ordered: false, deadLetterTo: null },
      'crash.work': { ordered: true, deadLetterTo: 'crash.dead' },
      'crash.dead': { ordered: false, deadLetterTo: null },
      'crash.transient': { ordered: true, deadLetterTo: null },
      'crash.ttl': { ordered: false, deadLetterTo: 'crash.ttl.dead', diesOf: 'expired' },
      'crash.ttl.dead': { ordered: false, deadLetterTo: null },
      'crash.limit': {
        ordered: false,
        deadLetterTo: 'crash.limit.dead',
        diesOf: 'delivery_limit',
        deliveryLimit: 2,
      },
      'crash.limit.dead': { ordered: false, deadLetterTo: null },
      'crash.step': {
        ordered: false,
        deadLetterTo: 'crash.step.done',
        diesOf: 'expired',
        held: true,
      },
      'crash.step.done': { ordered: false, deadLetterTo: null },
      'crash.priority': { ordered: true, deadLetterTo: null, priorityMax: 4 },
      'crash.later': { ordered: false, deadLetterTo: null, delayMax: 400 },
      'crash.retry': {
        ordered: false,
        deadLetterTo: 'crash.retry.dead',
        diesOf: 'delivery_limit',
        deliveryLimit: 2,
        retryMin: 60,
      },
      'crash.retry.dead': { ordered: false, deadLetterTo: null },
      'crash.sure.1': { ordered: true, deadLetterTo: null, sure: true },
      'crash.sure.2': { ordered: true, deadLetterTo: null, sure: true },
      'crash.once': { ordered: false, deadLetterTo: null, once: true },
      'crash.job': { ordered: false, deadLetterTo: null, once: 'ack' },
      'crash.first.1': { ordered: false, deadLetterTo: null, once: true },
      'crash.first.2': { ordered: false, deadLetterTo: null, once: true },
      'crash.grouped': { ordered: true, deadLetterTo: null, groups: 50 },
      [STREAM]: { ordered: false, deadLetterTo: null, keeps: KEPT, group: 'g' },
      'crash.lease': { ordered: false, deadLetterTo: null, leaseMs: LEASE_US / 1_000 },
    },
    seqBase: {},
    journals: { publisher: this.publisher, consumer: this.consumer, reader: this.reader },
    lookups: [],
    ticks: [],
    incidents: [],
  };
  private readonly tags = new Map<string, number>();

  /** Both processes connect; `attempt` 2 is after the kill. */
  connect(attempt: 1 | 2, ...queues: string[]): this {
    if (attempt === 2) this.t = SECOND_SPAWN;
    this.publisher.push({ e: 'open', conn: `p#${attempt}`, t: ++this.t });
    for (const queue of queues) {
      this.consumer.push({ e: 'open', conn: `${queue}#${attempt}`, t: ++this.t });
    }
    return this;
  }

  private nextTag(conn: string): number {
    const tag = (this.tags.get(conn) ?? 0) + 1;
    this.tags.set(conn, tag);
    return tag;
  }

  pub(attempt: 1 | 2, seq: number, to: string[], more: Partial<Entry & { e: 'pub' }> = {}): this {
    const conn = `p#${attempt}`;
    const tag = this.nextTag(conn);
    const entry = {
      e: 'pub',
      conn,
      tag,
      pub: 'p',
      seq,
      to,
      persistent: true,
      priority: 0,
      group: null,
    } as const;
    this.publisher.push({ ...entry, ...more });
    return this;
  }

  conf(attempt: 1 | 2, tag: number, multiple = false): this {
    this.publisher.push({ e: 'conf', conn: `p#${attempt}`, tag, multiple });
    return this;
  }

  dlv(
    attempt: 1 | 2,
    queue: string,
    seq: number,
    redelivered = false,
    more: Partial<Entry & { e: 'dlv' }> = {},
  ): this {
    const conn = `${queue}#${attempt}`;
    const tag = this.nextTag(conn);
    const fault = null;
    const t = ++this.t;
    const common = { conn, t, tag, queue, pub: 'p', seq, redelivered, fault };
    this.consumer.push({ e: 'dlv', ...common, priority: 0, count: 0, ...more });
    return this;
  }

  /** The group is given what is at an offset: this member of it, which connects, settles and has barriers by that name. */
  read(attempt: 1 | 2, offset: number, seq: number, member = STREAM): this {
    const conn = `${member}#${attempt}`;
    const found = { conn, tag: this.nextTag(conn), queue: STREAM, pub: 'p', seq, fault: null };
    this.consumer.push({ e: 'read', t: ++this.t, ...found, offset });
    return this;
  }

  /** The stream is read as a whole: these messages, at the offsets from `first` on. */
  reading(first: number, seqs: number[], more: { readonly before?: true } = {}): this {
    const messages = seqs.map((seq, i): [number, string] => [first + i, `p/${seq}`]);
    const common = { t: ++this.t, queue: STREAM, messages, faults: [] };
    this.reader.push({ e: 'reading', ...common, ...more });
    return this;
  }

  /** Settles the newest delivery of this queue. */
  settle(
    attempt: 1 | 2,
    queue: string,
    how: 'ack' | 'requeue' | 'reject',
    multiple = false,
    more: { readonly t?: number } = {},
  ): this {
    const conn = `${queue}#${attempt}`;
    const tag = this.tags.get(conn) ?? 0;
    this.consumer.push({ e: 'settle', conn, tag, multiple, how, ...more });
    return this;
  }

  barrier(attempt: 1 | 2, queue: string, n: number): this {
    const conn = `${queue}#${attempt}`;
    this.consumer.push({ e: 'barrier', conn, n });
    this.consumer.push({ e: 'passed', conn, n, t: ++this.t });
    return this;
  }

  rules(): string[] {
    return check(this.history).violations.map(({ rule }) => rule);
  }
}
