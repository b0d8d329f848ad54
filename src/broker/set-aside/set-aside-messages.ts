// Owns the messages that were set aside: they stay in the log, and in no queue, until an operator tries
// them again or drops them. Never looks into one by itself, and never deletes one that is stored.

import type { MessageLog } from '../../message/log/log.ts';
import type { Store } from '../../store/port.ts';
import type { Clock } from '../../util/clock.ts';
import type { HeldEntry, RecordHolder } from '../queue/messages/messages-host.ts';
import type { PositionVisitor } from '../queue/messages/pages/lane-pages.ts';
import type { DyingQueue, MessageSink } from '../queue/ports.ts';
import { PUSH_CAME_BEFORE, PUSH_STORED, PUSH_STREAM_HEADERS } from '../queue/push-flags.ts';
import type { ChangeLine } from '../turn/change-line.ts';
import { type SetAsideMessage, SetAsideRows } from './set-aside-rows.ts';

/** Transient messages that are kept at a time; the oldest of them go first. */
const TRANSIENT_MAX = 10_000;
/** So much of an error is kept. */
const ERROR_CHARS_MAX = 300;
/** How many are visited at a time. */
const VISITED = 256;

/** What is needed of the broker. */
export interface SetAsideHost {
  readonly log: MessageLog;
  readonly store: Store;
  readonly clock: Clock;
  readonly line: ChangeLine;
  /** A record changes hands: a walk over all that hold records may have missed it. */
  recordsMoved(): void;
  definitionChanged(): void;
}

/** All messages of a broker that are set aside. */
export class SetAsideMessages implements RecordHolder {
  readonly deleted = false;
  /** How many were set aside since the start. */
  total = 0;
  /** Told of each, with what was thrown. */
  listener: ((message: SetAsideMessage, error: unknown) => void) | null = null;
  /** Told of a row that cannot be read. */
  damagedRow: (key: Buffer, error: unknown) => void = () => {};
  private readonly host: SetAsideHost;
  private readonly rows: SetAsideRows;
  private readonly byId = new Map<number, SetAsideMessage>();
  private readonly counts = new Map<number, number>();
  private readonly countsByVhost = new Map<string, number>();
  /** One text for all that failed alike. */
  private readonly errors = new Map<string, string>();
  private transient = 0;
  private nextId = 1;

  constructor(host: SetAsideHost) {
    this.host = host;
    this.rows = new SetAsideRows(host.store);
  }

  /** How many there are. */
  get count(): number {
    return this.byId.size;
  }

  /** How many there are of the queue with that number. */
  countOf(queueId: number): number {
    return this.counts.get(queueId) ?? 0;
  }

  /** How many there are in a vhost. */
  countIn(vhost: string): number {
    return this.countsByVhost.get(vhost) ?? 0;
  }

  /**
   * Takes a message over that is still in its queue, which lets go of it in the same turn: one batch
   * holds both.
   */
  add(vhost: string, queue: DyingQueue, entry: HeldEntry, doing: string, error: unknown): void {
    const { log, clock } = this.host;
    log.retain(entry.position, entry.bodyBytes);
    const message: SetAsideMessage = {
      id: this.nextId++,
      vhost,
      queue: queue.name,
      queueId: queue.id,
      ...entry,
      doing,
      error: this.textOf(error),
      atMs: clock.wallMs(),
    };
    this.keep(message);
    this.total += 1;
    if (isStored(message)) this.rows.put(message);
    else if (this.transient > TRANSIENT_MAX) this.dropOldestTransient();
    this.host.recordsMoved();
    this.listener?.(message, error);
  }

  /** Reads back what is stored, and keeps its places in the log. Before unused segments are let go of. */
  recover(): void {
    const found = this.rows.read((key, error) => {
      if (key.length === 6) this.nextId = Math.max(this.nextId, key.readUIntBE(0, 6) + 1);
      this.damagedRow(key, error);
    });
    for (const message of found) {
      this.nextId = Math.max(this.nextId, message.id + 1);
      this.host.log.recoverHeld(message.position, message.bodyBytes);
      this.keep({ ...message, error: this.textOf(message.error) });
    }
  }

  /** A number for one that comes from another store; `arrived` follows once its row is durable. */
  takeId(): number {
    return this.nextId++;
  }

  /** Takes one in that came from another store, with its row. */
  arrived(message: SetAsideMessage): void {
    this.host.log.recoverHeld(message.position, message.bodyBytes);
    this.keep({ ...message, error: this.textOf(message.error) });
  }

  /** Visits where they lie in the log, from a cursor on; returns where to go on, or -1. */
  visitPage(cursor: number, visit: PositionVisitor): number {
    let visited = 0;
    for (const { id, position, bodyBytes } of this.byId.values()) {
      if (id < cursor) continue;
      if (visited === VISITED) return id;
      visit(position, bodyBytes, 0);
      visited += 1;
    }
    return -1;
  }

  /** Those of all vhosts, of one, or of one queue; the oldest first. */
  *list(vhost?: string, queue?: string): Iterable<SetAsideMessage> {
    for (const message of this.byId.values()) {
      if (vhost !== undefined && message.vhost !== vhost) continue;
      if (queue === undefined || message.queue === queue) yield message;
    }
  }

  find(id: number): SetAsideMessage | null {
    return this.byId.get(id) ?? null;
  }

  /** Puts a message back into a queue, at its tail; false: the queue is full and refuses it. */
  retry(message: SetAsideMessage, queue: MessageSink): boolean {
    const { line, log } = this.host;
    const { position, bodyBytes, flags } = message;
    line.begin();
    log.retain(position, bodyBytes);
    const told = flags | PUSH_CAME_BEFORE | PUSH_STREAM_HEADERS;
    const taken = queue.push(position, bodyBytes, told);
    if (taken) this.drop(message);
    line.end();
    return taken;
  }

  /** Lets go of a message for good. */
  drop(message: SetAsideMessage): void {
    const { line, log } = this.host;
    line.begin();
    this.byId.delete(message.id);
    this.countOne(message, -1);
    if (isStored(message)) this.rows.remove(message.id);
    else this.transient -= 1;
    log.unref(log.segmentOf(message.position), message.bodyBytes);
    this.host.recordsMoved();
    this.host.definitionChanged();
    line.end();
  }

  /** Lets go of all that are of a queue which was deleted on purpose; returns how many. */
  dropOf(queueId: number): number {
    if (this.countOf(queueId) === 0) return 0;
    const gone = [...this.byId.values()].filter((message) => message.queueId === queueId);
    for (const message of gone) this.drop(message);
    return gone.length;
  }

  private keep(message: SetAsideMessage): void {
    this.byId.set(message.id, message);
    this.countOne(message, 1);
    if (!isStored(message)) this.transient += 1;
  }

  private countOne({ queueId, vhost }: SetAsideMessage, one: number): void {
    addTo(this.counts, queueId, one);
    addTo(this.countsByVhost, vhost, one);
  }

  private dropOldestTransient(): void {
    for (const message of this.byId.values()) {
      if (isStored(message)) continue;
      this.drop(message);
      return;
    }
  }

  private textOf(error: unknown): string {
    const text = textOfError(error);
    const known = this.errors.get(text);
    if (known !== undefined) return known;
    if (this.errors.size >= 1000) this.errors.clear();
    this.errors.set(text, text);
    return text;
  }
}

function addTo<K>(counts: Map<K, number>, key: K, one: number): void {
  const count = (counts.get(key) ?? 0) + one;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}

function isStored({ flags }: SetAsideMessage): boolean {
  return (flags & PUSH_STORED) !== 0;
}

/** What was thrown, as a short text; it may be anything. */
export function textOfError(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.slice(0, ERROR_CHARS_MAX);
}
