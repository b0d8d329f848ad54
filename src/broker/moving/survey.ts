// Owns the look at a vhost in another store before anything of it is copied: what there is of it, and whether all of it can
// be read. Never writes.

import { SEGMENT_SPAN } from '../../message/log/segment.ts';
import type { Store } from '../../store/port.ts';
import type { Steps } from '../turn/slices.ts';
import { ArrivalTimes } from './arrival-times.ts';
import { findOwners, moveDefinitions, moveSetAside } from './move-definitions.ts';
import { hasSegment, missing, moveRows } from './move-rows.ts';
import type { Mover, Owner } from './mover.ts';

/** No message lies at this position or behind it. */
const PLACES_END = 2 ** 52;

/** What a vhost has in a store: its rows go nowhere yet. */
export class Survey implements Mover {
  readonly ms: number;
  readonly segments = 0;
  readonly positions = 0;
  /** What has rows beside its definition, by id. */
  readonly owners = new Map<number, Owner>();
  /** The segments that its messages lie in. */
  readonly needed = new Set<number>();
  /** The first of them, and the number behind the last. */
  firstSegment = Infinity;
  segmentsEnd = 0;
  private readonly from: Store;
  private readonly vhost: string;
  private readonly times: ArrivalTimes;
  private recent = -1;

  constructor(from: Store, vhost: string, ms: number) {
    this.from = from;
    this.vhost = vhost;
    this.ms = ms;
    this.times = new ArrivalTimes(from);
  }

  /** Looks at all rows; throws a CorruptRecordError that names one which cannot be moved. */
  *looking(): Steps {
    const { from, vhost, owners } = this;
    yield* findOwners(from, vhost, owners);
    yield* moveDefinitions(from, vhost, this);
    yield* moveSetAside(from, vhost, this);
    yield* moveRows(from, owners.values(), this);
  }

  uses(position: number, table: number, key: Buffer): void {
    const id = Math.floor(position / SEGMENT_SPAN);
    if (id === this.recent) return;
    if (!Number.isSafeInteger(position) || position < 0 || position >= PLACES_END) {
      throw missing(table, key, position);
    }
    if (!this.needed.has(id)) {
      if (!hasSegment(this.from, id)) throw missing(table, key, position);
      this.needed.add(id);
      this.firstSegment = Math.min(this.firstSegment, id);
      this.segmentsEnd = Math.max(this.segmentsEnd, id + 1);
    }
    this.recent = id;
  }

  idOf(id: number): number {
    return id;
  }

  setAsideId(id: number): number {
    return id;
  }

  has(): boolean {
    return true;
  }

  arrivedMs(position: number): number {
    return this.times.at(position);
  }

  put(): void {}
}
