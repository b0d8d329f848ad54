// Owns what a queue with groups keeps of its messages beside their lanes: to which group each belongs, and which goes out
// next. Never takes a message out of its lane by itself: queue-messages.ts does.

import { randomBytes } from 'node:crypto';
import type { MessageLog } from '../../../message/log/log.ts';
import type { ExactText } from '../../../util/bytes.ts';
import type { Slices, Steps } from '../../turn/slices.ts';
import { type Lane, seqInQueue } from '../messages/lane.ts';
import { PAGE_ENTRIES } from '../messages/pages/page.ts';
import { GroupKeys, NO_GROUP } from './group-key.ts';
import { Groups } from './groups.ts';

/** The messages of one queue, by groups. */
export class GroupedMessages {
  readonly groups = new Groups(1, randomBytes(4).readUInt32BE());
  private readonly keys: GroupKeys;
  private readonly slices: Slices;
  private readonly owner: { wake(): void };

  /** `header` names the header by whose value messages belong together. */
  constructor(
    log: MessageLog,
    header: ExactText,
    { slices }: { readonly slices: Slices },
    owner: { wake(): void },
  ) {
    this.keys = new GroupKeys(log, header);
    this.slices = slices;
    this.owner = owner;
  }

  /** From now on so many of a group may be unacked at a time. */
  setBound(bound: number): void {
    if (this.groups.setBound(bound)) this.renewAll();
  }

  /** No message of the queue waits any more to be tried again. */
  noneWaits(): void {
    this.groups.noneWaits();
    this.renewAll();
  }

  private renewAll(): void {
    this.slices.begin(this.renewing(), () => this.owner.wake());
  }

  /** Renews all groups, after something changed for all of them. */
  *renewing(): Steps {
    while (this.groups.renewSome()) {
      this.owner.wake();
      yield;
    }
  }

  /** A message was put at the tail of a lane; `returned`: it came back, and has waited. */
  added(lane: Lane, inner: number, position: number, returned: boolean): void {
    const key = this.keys.of(position);
    const page = lane.entries.pageOf(inner);
    page.groups ??= new Float64Array(PAGE_ENTRIES);
    page.groups[inner - page.number * PAGE_ENTRIES] = key;
    const seq = seqInQueue(lane, inner);
    if (!returned) return this.groups.add(key, seq);
    this.groups.put(key, seq);
    this.groups.waited(key);
  }

  /** Recovery found a message: first those of lanes that go ahead. */
  found(lane: Lane, inner: number, key: number): void {
    this.groups.add(key, seqInQueue(lane, inner));
  }

  /** A message that is unacked ends. */
  ends(lane: Lane, inner: number): void {
    this.groups.ended(keyAt(lane, inner));
  }

  /** A message that was unacked is ready again. */
  requeued(lane: Lane, inner: number): void {
    const key = keyAt(lane, inner);
    this.groups.put(key, seqInQueue(lane, inner));
    this.groups.ended(key);
  }

  /** A ready message is taken out without being delivered; `unacked`: it counts as that until it ends. */
  removed(lane: Lane, inner: number, unacked: boolean): void {
    this.groups.remove(keyAt(lane, inner), seqInQueue(lane, inner), unacked);
  }

  /** A message that is unacked is going to wait until it is tried again: its group waits for it. */
  waits(lane: Lane, inner: number): void {
    this.groups.waits(keyAt(lane, inner));
  }

  /** Recovery found the message at a position, which waits. */
  foundWaiting(position: number): void {
    this.groups.waits(this.keys.peek(position));
  }

  /** Recovery is over. */
  recovered(): void {
    this.keys.donePeeking();
  }

  /** A message that waited to be tried again is dropped. */
  gaveUp(position: number): void {
    this.groups.waited(this.keys.of(position));
  }
}

/** The key of the group of a message that is there. */
function keyAt(lane: Lane, inner: number): number {
  const page = lane.entries.pageOf(inner);
  return page.groups?.[inner - page.number * PAGE_ENTRIES] ?? NO_GROUP;
}
