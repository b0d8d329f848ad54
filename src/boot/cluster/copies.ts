// Owns when a node makes snapshots, which peers it fetches one from, and when the leader trims the log behind them. Never makes
// or sends one itself: cluster/snapshots/ and cluster/peers/ do.

import { join } from 'node:path';
import type { Logger } from 'pino';
import type { NodeAddress } from '../../cluster/node-row.ts';
import { Outage } from '../../cluster/outage.ts';
import { PeerClient } from '../../cluster/peers/peer-client.ts';
import type { SeenNode } from '../../cluster/presence.ts';
import { putSnapshot } from '../../cluster/snapshots/put-snapshot.ts';
import { SnapshotKeeper } from '../../cluster/snapshots/snapshot-keeper.ts';
import { isTrimDue, trimPoint } from '../../cluster/snapshots/trim.ts';
import type { Timing } from '../../cluster/timing.ts';
import { StoreError, TooNewError } from '../../store/errors.ts';
import { openDataFolder } from '../../store/folder.ts';
import { isNew } from '../../store/format.ts';
import { openLmdbStore } from '../../store/lmdb/open.ts';
import { placeOfCopy } from '../../store/lmdb/place-of-copy.ts';
import {
  type LogClient,
  type LogState,
  UnansweredError,
} from '../../store/replicated/log-client.ts';
import { checkCopy } from './check-copy.ts';

/** How often it looks whether a snapshot or a trim is due, ms. */
const LOOK_MS = 3000;
/** So much is kept beyond what is needed: a node that was away for moments finds it. */
const MARGIN_RECORDS = 1000;
/** No more of what the log may take. */
const MARGIN_PART = 8;
/** The log is full at this part of what it may take: a snapshot is due, and any trim is worth it. */
const FULL_PART = 2;

/** How long a node that needs a snapshot looks for one, and how often: as often as nodes tell of themselves, ms. */
const PATIENCE_MS = 120_000;
const AGAIN_MS = 2000;

/** What the copies of a node hang upon. */
export interface CopiesAround {
  readonly dataDir: string;
  readonly node: string;
  readonly snapshotBytes: number;
  readonly client: LogClient;
  readonly timing: Timing;
  readonly logger: Logger;
  /** What peers know one another by. */
  readonly key: Buffer;
  nodes(): readonly SeenNode[];
}

/** What can be copied now: the tables of this node in the role it plays. */
export interface CopySource {
  readonly leads: boolean;
  /** Copies the tables, with the row of their place, into an empty folder. */
  copyTo(folder: string): Promise<void>;
}

/** The snapshots of a node of one log. */
export class Copies {
  readonly keeper: SnapshotKeeper;
  private readonly around: CopiesAround;
  private readonly logId: string;
  private source: CopySource | null = null;
  private readonly stops: (() => void)[];
  private trimmed = 0;
  private readonly snapshotOutage: Outage;
  private readonly trimOutage: Outage;
  /** When one could not be made, it is not tried again before this, ms of the monotonic clock. */
  private notBeforeMs = 0;

  constructor(around: CopiesAround, logId: string) {
    this.around = around;
    this.logId = logId;
    const { dataDir, timing, logger } = around;
    const means = {
      copyTo: (folder: string) => this.copyTo(folder),
      placeOf: placeOfCopy,
      check: (folder: string) => checkCopy(folder),
    };
    const outage = (begins: string, over: string): Outage =>
      new Outage({ begins, over }, logger, timing.clock);
    this.snapshotOutage = outage('a snapshot could not be made', '');
    this.trimOutage = outage('the log could not be trimmed', 'the log can be trimmed again');
    const path = join(dataDir, 'snapshots');
    this.keeper = new SnapshotKeeper(path, logId, means, timing.clock, logger);
    // A snapshot takes its time, and the log may be full meanwhile: neither waits for the other.
    this.stops = [
      timing.every(LOOK_MS, () => this.lookForSnapshot()),
      timing.every(LOOK_MS, () => this.lookForTrim()),
    ];
  }

  /** The places of those that were checked, the oldest first. */
  get places(): number[] {
    return this.keeper.list.map(({ place }) => place.seq).reverse();
  }

  /** How old the newest is, ms; null: there is none. */
  get ageMs(): number | null {
    const { newest } = this.keeper;
    return newest === null ? null : this.around.timing.clock.wallMs() - newest.madeAtMs;
  }

  /** From now on this is copied; null: nothing is. */
  copies(source: CopySource | null): void {
    this.source = source;
    // What kept a node from making one may have been the end of its lead.
    this.notBeforeMs = 0;
  }

  stop(): void {
    for (const stop of this.stops) stop();
    this.source = null;
  }

  /** Makes a snapshot now. Rejects with a StoreError. */
  async make(): Promise<number> {
    return (await this.keeper.make()).place.seq;
  }

  /**
   * Fetches the newest snapshot that a peer has and this node needs, since the log begins at `first`, and puts it in the place
   * of the tables, which are closed. Where no peer has one it tries again for a while: they may be starting as well, or have
   * not been heard of yet, and one whose newest snapshot turns out damaged makes another. Rejects with a StoreError then, and at once with a
   * TooNewError: the log is in a form by now that this Leveret does not know.
   * Resolves without one once `stopping` says so.
   */
  async fetch(first: number, stopping: () => boolean): Promise<void> {
    const { timing, logger } = this.around;
    const untilMs = timing.clock.monotonicMs() + PATIENCE_MS;
    const begins = 'no snapshot was put in place; it tries again';
    const outage = new Outage({ begins, over: '' }, logger, timing.clock);
    while (!stopping()) {
      try {
        await this.fetchOnce(first);
        return;
      } catch (error) {
        if (!(error instanceof StoreError) || error instanceof TooNewError) throw error;
        if (timing.clock.monotonicMs() >= untilMs) throw error;
        outage.failed(error);
      }
      await timing.pause(AGAIN_MS);
    }
  }

  private async fetchOnce(first: number): Promise<void> {
    const { dataDir, logger, node, key } = this.around;
    const folder = await openDataFolder(dataDir);
    try {
      const reasons: string[] = [];
      for (const peer of this.sources(first)) {
        try {
          const { host, port } = peer.peers as NodeAddress;
          const fetched = join(folder.path, 'snapshots', 'fetched');
          await new PeerClient({ name: peer.node, host, port, key, node }).fetchSnapshot(fetched);
          const place = await putSnapshot(fetched, { dataDir: folder.path, ...this.means() });
          logger.info({ from: peer.node, record: place.seq }, 'a snapshot was put in place');
          return;
        } catch (error) {
          if (!(error instanceof StoreError) || error instanceof TooNewError) throw error;
          reasons.push(error.message);
        }
      }
      const why = reasons.length === 0 ? 'no node that runs has one' : reasons.join('; ');
      throw new StoreError(
        `the log begins at record ${first}, this node is not that far, and no snapshot can be had: ${why}`,
        'start a node that has a snapshot, or put a copy of its data folder here',
      );
    } finally {
      await folder.release();
    }
  }

  private means() {
    return {
      logId: this.logId,
      placeOf: placeOfCopy,
      check: (copy: string) => checkCopy(copy),
      isEmpty: isEmptyCopy,
    };
  }

  /** The nodes that have a snapshot which the log goes on from, those with the newest first. */
  private sources(first: number): SeenNode[] {
    const newest = ({ snapshots }: SeenNode): number => snapshots.at(-1) ?? 0;
    return this.around
      .nodes()
      .filter((each) => each.node !== this.around.node && each.running && each.peers !== null)
      .filter((each) => newest(each) + 1 >= first)
      .sort((a, b) => newest(b) - newest(a));
  }

  private copyTo(folder: string): Promise<void> {
    const { source } = this;
    if (source !== null) return source.copyTo(folder);
    return Promise.reject(new StoreError('this node has no tables open', 'try again'));
  }

  private async lookForSnapshot(): Promise<void> {
    const { source } = this;
    const { client, timing } = this.around;
    if (source === null || timing.clock.monotonicMs() < this.notBeforeMs) return;
    try {
      if (!this.makesOwn(source) || !this.isDue(await client.state())) return;
      await this.keeper.make();
      this.snapshotOutage.worked();
    } catch (error) {
      // That the log does not answer is said by the node, once for all that needs it.
      if (error instanceof UnansweredError) return;
      // Where it plays another part by now, that is no reason to wait.
      if (source === this.source) this.notBeforeMs = timing.clock.monotonicMs() + RETRY_MS;
      this.snapshotOutage.failed(error);
    }
  }

  private async lookForTrim(): Promise<void> {
    if (this.source?.leads !== true) return;
    try {
      await this.trim(await this.around.client.state());
      this.trimOutage.worked();
    } catch (error) {
      if (!(error instanceof UnansweredError)) this.trimOutage.failed(error);
    }
  }

  /** A leader has clients to serve: it makes snapshots only where there are no two others that do. */
  private makesOwn({ leads }: CopySource): boolean {
    if (!leads) return true;
    const others = this.around.nodes().filter((each) => each.running && each.role === 'follower');
    return others.length < 2;
  }

  private isDue(state: LogState): boolean {
    const { snapshotBytes, timing } = this.around;
    const { newest } = this.keeper;
    // The log does not begin with the first record: what joins needs a snapshot.
    if (newest === null && state.first > 1) return true;
    const behind = bytesBehind(state, newest?.place.seq ?? 0);
    if (state.bytes >= state.bytesMax / FULL_PART && behind >= state.bytesMax / (2 * FULL_PART)) {
      return true;
    }
    const sinceMs = newest === null ? 0 : timing.clock.wallMs() - newest.madeAtMs;
    return SnapshotKeeper.isDue(behind, sinceMs, snapshotBytes);
  }

  private async trim(state: LogState): Promise<void> {
    const { client, logger, timing } = this.around;
    const nodes = this.around.nodes();
    const nowMs = timing.clock.wallMs();
    const point = trimPoint({
      followers: nodes.map(({ node, applied, silentMs }) => ({
        node,
        appliedSeq: applied,
        seenMs: nowMs - silentMs,
      })),
      snapshots: nodes.map(({ node, snapshots }) => ({ node, seqs: snapshots })),
      nowMs,
      lastTrimmed: Math.max(this.trimmed, state.first),
      margin: marginOf(state),
    });
    if (point === null || point > state.last) return;
    const bytes = state.bytes - bytesBehind(state, point - 1);
    if (!isTrimDue(bytes) && state.bytes < state.bytesMax / FULL_PART) return;
    await client.purge(point);
    this.trimmed = point;
    logger.info({ below: point, bytes }, 'the log was trimmed');
  }
}

/** After a snapshot could not be made, it is tried again after so long, ms. */
const RETRY_MS = 60_000;

/** About how many bytes the log has behind a record: all are taken for equally long. */
function bytesBehind({ first, last, bytes }: LogState, seq: number): number {
  const records = last - first + 1;
  if (records <= 0) return 0;
  return Math.round((bytes * Math.min(records, Math.max(0, last - seq))) / records);
}

/** How many records are kept beyond what is needed. */
function marginOf({ first, last, bytes, bytesMax }: LogState): number {
  const each = bytes / Math.max(1, last - first + 1);
  return Math.min(MARGIN_RECORDS, Math.floor(bytesMax / MARGIN_PART / Math.max(1, each)));
}

async function isEmptyCopy(folder: string): Promise<boolean> {
  const copy = await openLmdbStore(folder, { reserveBytes: 0 });
  try {
    return isNew(copy);
  } finally {
    await copy.close();
  }
}
