// Owns following the directory of the group main from another group, for the time of one lead. Never decides what is in it.

import { readDirectory } from '../../../broker/directory/directory.ts';
import { followDirectory } from '../../../broker/directory/follow.ts';
import {
  type DirectoryVersion,
  readVersionOf,
  standing,
  storedVersion,
} from '../../../broker/directory/version.ts';
import { causeText } from '../../../store/errors.ts';
import { isObject } from '../../../util/json/json.ts';
import { parseAnswer } from '../../../util/json/json-input.ts';
import { MAIN_GROUP } from '../../../util/system/main-group.ts';
import type { GroupAround } from './group-around.ts';

/** How long it waits before it asks again where it had no answer that it can use, ms. */
const AGAIN_MS = 500;
/** The same fault is said this often at most, ms. */
const SAY_MS = 60_000;

const FOREIGN =
  'the group main has another log than the one whose users and vhosts this group follows: it keeps what it has. ' +
  'give the group main its data back, or have this group follow it (leveret cluster follow-main, docs/groups.md)';

/** A group that follows the directory. */
export class DirectoryFollower {
  private readonly around: GroupAround;
  private readonly ended = new AbortController();
  private has: DirectoryVersion | null;
  /** Why it could not be followed last; '': it could. */
  fault = '';
  private saidMs = 0;

  constructor(around: GroupAround) {
    this.around = around;
    this.has = storedVersion(around.broker.core.store);
  }

  /** Follows until it is stopped. Never rejects but for a broker that is broken. */
  async run(): Promise<void> {
    const { signal } = this.ended;
    while (!signal.aborted) {
      const text = await this.ask();
      if (signal.aborted) return;
      const isNew = text !== null && this.take(text);
      // An answer to say that there is nothing new has taken its time.
      if (!isNew) await this.around.timing.pause(AGAIN_MS);
    }
  }

  /** Takes the next directory that it is told, also of another log of the group main. */
  adopt(): void {
    this.has = null;
  }

  stop(): void {
    this.ended.abort();
  }

  private async ask(): Promise<string | null> {
    const peer = this.around.leaderOf(MAIN_GROUP);
    if (peer === null) return null;
    const { has } = this;
    const given =
      has === null ? {} : { log: has.log, epoch: String(has.epoch), count: String(has.count) };
    try {
      return await peer.call('/directory', given, this.ended.signal);
    } catch (error) {
      if (!this.ended.signal.aborted) this.say(causeText(error));
      return null;
    }
  }

  /** Takes an answer; returns whether it was of use. */
  private take(text: string): boolean {
    const { around } = this;
    let given: { version: DirectoryVersion; directory: ReturnType<typeof readDirectory> };
    try {
      given = readAnswer(text);
    } catch (error) {
      this.say(`its answer cannot be read: ${causeText(error)}`);
      return false;
    }
    const { version, directory } = given;
    const how = standing(version, this.has);
    // An older one is of a node that leads no longer, and does not know it yet.
    if (how === 'foreign') this.say(FOREIGN);
    if (how === 'same') this.fault = '';
    if (how !== 'newer') return false;
    const failed = (error: unknown): void => this.say(causeText(error));
    followDirectory(around.broker, directory, version, () => around.durable(), failed);
    this.has = version;
    this.fault = '';
    return true;
  }

  private say(why: string): void {
    const nowMs = this.around.timing.clock.monotonicMs();
    if (why === this.fault && nowMs - this.saidMs < SAY_MS) return;
    this.fault = why;
    this.saidMs = nowMs;
    this.around.logger.warn({ why }, 'the users and vhosts of the group main were not taken over');
  }
}

function readAnswer(text: string) {
  const answer = parseAnswer(text);
  if (!isObject(answer)) throw new TypeError('it is no object');
  const version = readVersionOf(answer['version']);
  if (version === null) throw new TypeError('its version is none');
  return { version, directory: readDirectory(answer['directory']) };
}
