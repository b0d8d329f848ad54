// Owns what a node that leads does because its cluster has groups of vhosts: it offers the directory or follows it, and moves
// vhosts. Never leads.

import type { Call } from '../../../cluster/peers/paths.ts';
import { StoreError } from '../../../store/errors.ts';
import { UnansweredError } from '../../../store/replicated/log-client.ts';
import { jsonText } from '../../../util/json/json-writer.ts';
import { MAIN_GROUP } from '../../../util/system/main-group.ts';
import { DirectoryFollower } from './directory-follower.ts';
import { DirectoryOffer } from './directory-offer.ts';
import type { GroupAround } from './group-around.ts';
import { Moves } from './moves.ts';
import { arrived, place } from './places.ts';

/** The part that groups play in one term of leading. */
export class GroupTerm {
  private readonly around: GroupAround;
  private readonly moves: Moves;
  private readonly offer: DirectoryOffer;
  private readonly follower: DirectoryFollower | null;
  /** End the calls of other groups that have no answer yet. */
  private readonly unanswered = new Set<() => void>();
  private stopped = false;

  /** `failed` takes what ends the broker. */
  constructor(around: GroupAround, failed: (error: unknown) => void) {
    this.around = around;
    this.moves = new Moves(around);
    this.offer = new DirectoryOffer(around);
    this.follower = around.group === MAIN_GROUP ? null : new DirectoryFollower(around);
    this.follower?.run().catch(failed);
  }

  stop(): void {
    this.follower?.stop();
    this.moves.stop();
    this.stopped = true;
    for (const end of this.unanswered) end();
  }

  /** Why the group main cannot be followed; null: it can, or this is that group. */
  get fault(): string | null {
    return this.follower?.fault || null;
  }

  /** Has a vhost move to a group. Throws a Refusal. Resolves once that is durable. */
  async place(vhost: string, group: string): Promise<void> {
    this.around.broker.requireDirectory();
    place(this.around, vhost, group);
    await this.around.durable();
  }

  /** Has this group follow the group main as it is now, though it has another log. Throws a StoreError in the group main. */
  followMain(): void {
    if (this.follower === null) {
      throw new StoreError('this is the group main, which follows no other', 'ask another group');
    }
    this.around.logger.warn('asked to follow the group main whatever log it has');
    this.follower.adopt();
  }

  /**
   * Answers the leader of another group; see PeerHandlers. Rejects as soon as this node leads no longer: what it waits for may
   * never be durable then, and the other group has to ask the next leader.
   */
  call(path: Call, given: URLSearchParams): Promise<string | null> {
    return new Promise((resolve, reject) => {
      const end = (): void => reject(new UnansweredError('this node leads no longer'));
      if (this.stopped) return end();
      this.unanswered.add(end);
      const over = (): unknown => this.unanswered.delete(end);
      this.answer(path, given).finally(over).then(resolve, reject);
    });
  }

  private async answer(path: Call, given: URLSearchParams): Promise<string | null> {
    const { around } = this;
    const vhost = given.get('vhost') ?? '';
    const move = given.get('move') ?? '';
    if (path === '/departure') return this.moves.depart(vhost, move);
    if (around.group !== MAIN_GROUP) throw new UnansweredError(`this is the group ${around.group}`);
    if (path === '/directory') return this.offer.answer(given);
    const done = arrived(around.broker, vhost, move, given.get('fault') ?? '');
    await around.durable();
    return jsonText({ done });
  }
}
