// Owns bringing the replicated log into the tables of a node that does not lead. Never appends to the log.

import { Batch } from '../batch.ts';
import { StoreError, TooNewError } from '../errors.ts';
import { putFormat } from '../format.ts';
import { readChanges } from '../log/changes.ts';
import type { Store } from '../port.ts';
import { Chain, type Place, type Step } from './chain.ts';
import type { LogEntry, LogReader } from './log-client.ts';
import { type LogPlace, putPlace } from './place.ts';
import { DOWN, LEAD, type Lead, readLead } from './record.ts';

/** What is on its way into the tables, bytes: no more is read until there is less. */
const UNDER_WAY_BYTES_MAX = 32 * 2 ** 20;
/** Records that hold no batch are noted in the tables so many at a time: a start reads them again. */
const UNNOTED_MAX = 256;

/** What a follower tells of itself. */
export interface FollowerEvents {
  /** It can go on no longer: the log or the tables are not what they should be, or are too new. */
  failed(error: Error): void;
  /** The log begins behind what it has: it needs a copy of another node's tables. */
  behind(first: number): void;
}

/** Applies what counts in the log to tables that nothing else writes. */
export class Follower implements LogReader {
  private readonly tables: Store;
  private readonly logId: string;
  private readonly format: number;
  private readonly events: FollowerEvents;
  private readonly chain: Chain;
  /** The last place that no batch is cut by, and the one that the tables were told. */
  private whole: Place;
  private noted: Place;
  /** What each sealed batch of the tables brings them to. */
  private readonly underWay: { batch: number; place: Place; bytes: number }[] = [];
  private underWayBytes = 0;
  private durable: Place;
  private waiting: (() => void)[] = [];
  private failed = false;
  /** The tables have gathered the format of an epoch, and no place with it: those of a format alone would be of no log. */
  private hasBegun = false;
  /** What opened the current epoch; null: it was opened before the tables' place, or none was. */
  lead: Lead | null = null;
  /** Whether the leader of the current epoch has said that it leads no longer. */
  isDown = false;

  /** `place`: what the tables say. `format`: the newest one that this Leveret reads. `chain`: for tests. */
  constructor(
    tables: Store,
    place: LogPlace,
    format: number,
    events: FollowerEvents,
    chain: Chain = new Chain(place),
  ) {
    this.tables = tables;
    this.logId = place.logId;
    this.format = format;
    this.events = events;
    this.chain = chain;
    const at = chain.place;
    this.whole = at;
    this.noted = at;
    this.durable = at;
    tables.onDurable((batch) => this.onDurable(batch));
    tables.onFailure((error) => this.fail(error));
  }

  /** What it has read, all of which is in the tables or on its way there. */
  get place(): Place {
    return this.chain.place;
  }

  /** What the tables have, durably. */
  get applied(): Place {
    return this.durable;
  }

  /** The record up to which the tables have all changes, durably: some behind `applied` may have none. */
  get reached(): number {
    return this.underWayBytes === 0 ? this.whole.seq : this.durable.seq;
  }

  get ignored(): number {
    return this.chain.ignored;
  }

  /** Whether a batch was begun in the log and not ended: its leader may be gone, and it counts nowhere then. */
  get isOpen(): boolean {
    return this.chain.isOpen;
  }

  behind(first: number): void {
    this.events.behind(first);
  }

  async entries(entries: readonly LogEntry[]): Promise<void> {
    let bytes = 0;
    for (const entry of entries) {
      if (this.failed) return;
      bytes += this.read(entry, bytes);
    }
    if (this.failed) return;
    const unnoted = this.whole.seq - this.noted.seq;
    if (bytes > 0 || unnoted > UNNOTED_MAX) this.note(bytes);
    while (this.underWayBytes > UNDER_WAY_BYTES_MAX && !this.failed) await this.change();
  }

  /** Resolves once all that was read is in the tables, durably, or something has failed, which `events` have been told. */
  async settled(): Promise<void> {
    if (this.noted.seq !== this.whole.seq || this.hasBegun) this.note(0);
    while (this.underWay.length > 0 && !this.failed) await this.change();
  }

  /** Reads one record; returns how many bytes it brings into the tables. `gathered`: those that were read before it. */
  private read({ seq, bytes }: LogEntry, gathered: number): number {
    const { chain } = this;
    const step = chain.read(seq, bytes);
    let length = 0;
    let fault: StoreError | null = null;
    if (step.is === 'damaged') {
      fault = unreadable(step);
    } else if (step.is === 'counts') {
      const { kind, body } = step.record;
      if (kind === LEAD) fault = this.led(readLead(body));
      if (kind === DOWN) this.isDown = true;
      if (step.batch !== null) {
        const batch = changesOf(step.batch);
        for (const part of step.batch) length += part.length;
        if (batch === null) fault = unknownChanges(seq);
        else batch.putInto(this.tables);
      }
    }
    if (fault !== null) {
      // The tables have gathered what comes before it: they keep that with the place that belongs to it.
      if (gathered > 0) this.note(gathered);
      this.fail(fault);
    } else if (!chain.isOpen) {
      this.whole = chain.place;
    }
    return length;
  }

  /** This node has begun an epoch, or another one has: what comes into the tables from now on is in the leader's format. */
  begun({ format, version }: Pick<Lead, 'format' | 'version'>): void {
    putFormat(this.tables, format, version);
    this.hasBegun = true;
  }

  /** Another node begins an epoch. Why this Leveret cannot read what it writes, or null. */
  private led(lead: Lead | null): StoreError | null {
    this.lead = lead;
    this.isDown = false;
    if (lead === null) return null;
    const { node, version, format } = lead;
    if (format <= this.format) {
      this.begun(lead);
      return null;
    }
    return new TooNewError(
      `${node} leads with Leveret ${version}, which writes format ${format}; this one reads up to ${this.format}`,
      `start Leveret ${version} or later here`,
    );
  }

  /** Hands over what was gathered, with the place that it brings the tables to. */
  private note(bytes: number): void {
    if (this.failed) return;
    const { tables, whole, logId } = this;
    putPlace(tables, { ...whole, logId });
    this.noted = whole;
    this.hasBegun = false;
    this.underWay.push({ batch: tables.seal(), place: whole, bytes });
    this.underWayBytes += bytes;
  }

  private onDurable(batch: number): void {
    const { underWay } = this;
    while (underWay.length > 0 && (underWay[0]?.batch as number) <= batch) {
      const { place, bytes } = underWay.shift() as { place: Place; bytes: number };
      this.underWayBytes -= bytes;
      this.durable = place;
    }
    this.goOn();
  }

  private fail(error: Error): void {
    if (this.failed) return;
    this.failed = true;
    this.events.failed(error);
    this.goOn();
  }

  /** Resolves when something is in the tables, or has failed. */
  private change(): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
    });
  }

  private goOn(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const resume of waiting) resume();
  }
}

/** The changes of a batch in pieces; null: they are none that this Leveret knows. */
function changesOf(parts: readonly Buffer[]): Batch | null {
  const body = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  const batch = new Batch();
  return readChanges(body, batch) ? batch : null;
}

function unreadable({ why, isLater }: Extract<Step, { is: 'damaged' }>): StoreError {
  if (isLater)
    return new TooNewError(why, 'start the newest version that runs in the cluster here');
  return new StoreError(why, OTHER_COPY, { damaged: true });
}

function unknownChanges(seq: number): StoreError {
  const what = `record ${seq} of the log holds no changes that this Leveret knows`;
  return new StoreError(what, OTHER_COPY, { damaged: true });
}

const OTHER_COPY =
  'see docs/cluster.md, "A damaged log": the nodes that are whole can begin another one';
