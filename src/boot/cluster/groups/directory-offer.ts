// Owns telling other groups the directory of the group main, once it is durable. Never changes it.

import { directoryOf } from '../../../broker/directory/directory.ts';
import {
  type DirectoryVersion,
  readVersionOf,
  standing,
} from '../../../broker/directory/version.ts';
import { UnansweredError } from '../../../store/replicated/log-client.ts';
import { jsonText } from '../../../util/json/json-writer.ts';
import type { GroupAround } from './group-around.ts';

/** A group that has the newest is answered after so long, ms, unless something changes before. */
const HOLD_MS = 10_000;
/** How often it is looked for a change meanwhile, ms. */
const LOOK_MS = 100;
/** However often something changes, the whole is written this often at most, ms: it may be long. */
const EACH_MS = 500;

/** The directory as it was told last. */
interface Told {
  readonly version: DirectoryVersion;
  readonly text: string;
  readonly atMs: number;
}

/** What a leader of the group main tells. */
export class DirectoryOffer {
  private readonly around: GroupAround;
  private told: Told | null = null;

  constructor(around: GroupAround) {
    this.around = around;
  }

  /**
   * The directory as JSON, once it is another one than the asking group has, and durable; null: it is the same still. Rejects
   * where this node may lead no longer.
   */
  async answer(given: URLSearchParams): Promise<string | null> {
    const { around } = this;
    const has = readVersionOf({
      log: given.get('log'),
      epoch: Number(given.get('epoch')),
      count: Number(given.get('count')),
    });
    const isNews = (version: DirectoryVersion): boolean => standing(version, has) !== 'same';
    for (let ms = 0; ms < HOLD_MS; ms += LOOK_MS) {
      const told = isNews(this.version) ? this.current() : null;
      if (told !== null && isNews(told.version)) {
        await around.durable();
        if (!around.sure) throw new UnansweredError('another node may lead the group main');
        return told.text;
      }
      await around.timing.pause(LOOK_MS);
    }
    return null;
  }

  private get version(): DirectoryVersion {
    const { broker, logId, epoch } = this.around;
    return { log: logId, epoch, count: broker.changes.told };
  }

  /** What was written last, or what is there now where that was a while ago. */
  private current(): Told {
    const { broker, timing } = this.around;
    const nowMs = timing.clock.monotonicMs();
    if (this.told === null || nowMs - this.told.atMs >= EACH_MS) {
      const { version } = this;
      const text = jsonText({ version, directory: directoryOf(broker) });
      this.told = { version, text, atMs: nowMs };
    }
    return this.told;
  }
}
