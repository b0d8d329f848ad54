// Owns what a group does about vhosts that come and go: it fetches the contents of those that come, tells the group main, and
// drops those of vhosts that are elsewhere. Never decides where a vhost is to be.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Refusal } from '../../../broker/errors.ts';
import { dropContents } from '../../../broker/moving/drop-contents.ts';
import { hasContents, takeVhost } from '../../../broker/moving/take-vhost.ts';
import type { Vhost } from '../../../broker/vhost/vhost.ts';
import { AT_MAIN, contentsIn, type PlannedMove } from '../../../broker/vhost-place.ts';
import { causeText, StoreError } from '../../../store/errors.ts';
import { openLmdbStore } from '../../../store/lmdb/open.ts';
import { isObject } from '../../../util/json/json.ts';
import { parseAnswer } from '../../../util/json/json-input.ts';
import { jsonText } from '../../../util/json/json-writer.ts';
import { MAIN_GROUP } from '../../../util/system/main-group.ts';
import { checkCopy } from '../check-copy.ts';
import type { GroupAround } from './group-around.ts';
import { arrived, faultText } from './places.ts';

/** How often it looks, ms. */
const LOOK_MS = 500;
/** After a move could not go on it is tried again after so long, ms. */
const AGAIN_MS = 2000;

/** The vhosts that come to a group and leave it, for the time of one lead. */
export class Moves {
  private readonly around: GroupAround;
  private readonly ended = new AbortController();
  private readonly stopLooking: () => void;
  private notBeforeMs = 0;

  constructor(around: GroupAround) {
    this.around = around;
    this.stopLooking = around.timing.every(LOOK_MS, () => this.look());
  }

  stop(): void {
    this.ended.abort();
    this.stopLooking();
  }

  /**
   * Makes a snapshot for a group that takes a vhost over: all of it is in there, and nothing changes of it any more but by
   * itself. Resolves with JSON: `record`, up to which the snapshot is, or `later`, where this group does not know of the move
   * yet, or clients have not left it.
   */
  async depart(name: string, move: string): Promise<string> {
    const { around } = this;
    const { broker } = around;
    const vhost = broker.vhosts.get(name);
    const place = vhost?.metadata.place ?? AT_MAIN;
    const leaves = place.moving?.id === move && place.group === around.group;
    if (vhost === undefined || !leaves || vhost.connections > 0) return jsonText({ later: true });
    // Once this record is durable, no node leads this group that lets clients in, or has let them in and confirms.
    broker.placeVhost(name, {});
    broker.sealExactMarksOf(vhost);
    await around.durable();
    const record = await around.snapshot();
    around.logger.info({ vhost: name, to: place.moving?.to, record }, 'a vhost leaves');
    return jsonText({ record });
  }

  private async look(): Promise<void> {
    const { around } = this;
    const { clock } = around.timing;
    if (clock.monotonicMs() < this.notBeforeMs) return;
    for (const vhost of [...around.broker.vhosts.values()]) {
      const { place } = vhost.metadata;
      if (place === undefined || this.ended.signal.aborted) continue;
      try {
        await this.settle(vhost);
      } catch (error) {
        if (this.ended.signal.aborted) return;
        this.notBeforeMs = clock.monotonicMs() + AGAIN_MS;
        const why = causeText(error);
        around.logger.warn(
          { vhost: vhost.name, why },
          'a vhost could not be moved; it tries again',
        );
      }
    }
  }

  /** Has the contents of a vhost be here that are to be here, and no others. */
  private async settle(vhost: Vhost): Promise<void> {
    const { around } = this;
    const { place = AT_MAIN, arrived: has = '' } = vhost.metadata;
    const wanted = contentsIn(around.group, place);
    if (wanted === null) {
      if (hasContents(around.broker, vhost)) await this.drop(vhost);
      if (has !== '') around.broker.placeVhost(vhost.name, { arrived: undefined });
      return;
    }
    const { moving } = place;
    if (moving?.to !== around.group) {
      if (has === wanted) return;
      // A vhost of this name was deleted and made anew: what is here is of the first one.
      if (hasContents(around.broker, vhost)) await this.drop(vhost);
      around.broker.placeVhost(vhost.name, { arrived: wanted });
      return;
    }
    if (has !== wanted && !(await this.bring(vhost, place.group, moving))) return;
    await this.tell(vhost.name, moving, '');
  }

  private async drop(vhost: Vhost): Promise<void> {
    const { around } = this;
    await dropContents(around.broker, vhost);
    await around.durable();
    around.logger.info({ vhost: vhost.name }, 'what was in a vhost that is elsewhere is dropped');
  }

  /** Brings the contents of a vhost here; false: they cannot be had yet. */
  private async bring(vhost: Vhost, from: string, move: PlannedMove): Promise<boolean> {
    const { around } = this;
    const { broker } = around;
    const peer = around.leaderOf(from);
    if (peer === null) throw new StoreError(`no node leads the group ${from}`, 'it tries again');
    const record = recordIn(
      await peer.call('/departure', { vhost: vhost.name, move: move.id }, this.ended.signal),
    );
    if (record === null) return false;
    const folder = join(around.dataDir, 'snapshots', 'moving');
    try {
      const facts = await peer.fetchSnapshot(folder);
      if (facts.place.seq < record) return false;
      await checkCopy(folder);
      // What came of an earlier try, of this move or of another one.
      if (hasContents(around.broker, vhost)) await this.drop(vhost);
      const store = await openLmdbStore(folder, { reserveBytes: 0 });
      try {
        await takeVhost(broker, vhost, store, { timeThereMs: around.timeOf(from) });
      } finally {
        await store.close();
      }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      around.logger.warn({ vhost: vhost.name, why: error.message }, 'a vhost cannot be moved');
      await this.tell(vhost.name, move, faultText(error.message));
      return false;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    broker.placeVhost(vhost.name, { arrived: move.id });
    await around.durable();
    around.logger.info({ vhost: vhost.name, from }, 'a vhost has arrived');
    return true;
  }

  /** Tells the group main how a move went; it says again where the vhost is then. */
  private async tell(vhost: string, { id: move }: PlannedMove, fault: string): Promise<void> {
    const { around } = this;
    if (around.group === MAIN_GROUP) {
      arrived(around.broker, vhost, move, fault);
      await around.durable();
      return;
    }
    const peer = around.leaderOf(MAIN_GROUP);
    if (peer === null) throw new StoreError('no node leads the group main', 'it tries again');
    await peer.call('/arrived', { vhost, move, fault }, this.ended.signal);
  }
}

/** The record up to which the snapshot is; null: there is none yet. Throws a TypeError for another answer. */
function recordIn(text: string | null): number | null {
  const answer = text === null ? null : parseAnswer(text);
  if (!isObject(answer)) throw new TypeError('the answer is no object');
  const { record, later } = answer;
  if (later === true) return null;
  if (typeof record !== 'number') throw new TypeError('the answer names no record');
  return record;
}
