// Owns what this node knows of the others: the last row that each has told of itself. Never decides anything by it that a
// batch's safety rests on.

import type { Presence as Channel } from '../store/replicated/log-client.ts';
import { LeadersTime } from './leaders-time.ts';
import { type NodeRow, nodeRowBytes, readNodeRow } from './node-row.ts';
import type { Timing } from './timing.ts';

/** How often a node tells its row, ms. */
const TELL_MS = 2000;
/** A node that was silent for so long does not run, ms. */
const SILENT_MS = 10_000;
/** A node that was silent for so long is forgotten, and the log need not keep anything for it. */
const FORGET_MS = 10 * 60_000;
/** No cluster has more nodes. */
const NODES_MAX = 64;
/** Which of the things a node tells this is. */
const PART = 'node';

/** A node as it is seen from here. */
export interface SeenNode extends NodeRow {
  /** Milliseconds since it told this. */
  readonly silentMs: number;
  readonly running: boolean;
}

/** The rows of all nodes of a cluster, this one's too. */
export class Presence {
  /** The time of the leader's broker. */
  readonly time: LeadersTime;
  private readonly channel: Channel;
  private readonly timing: Timing;
  private readonly own: () => NodeRow;
  private readonly rows = new Map<string, { row: NodeRow; atMs: number }>();
  private readonly stopTelling: () => void;
  private readonly stopListening: () => void;

  /** `own` is asked each time that this node tells its row. */
  constructor(channel: Channel, timing: Timing, own: () => NodeRow) {
    this.channel = channel;
    this.timing = timing;
    this.own = own;
    this.time = new LeadersTime(timing.clock);
    this.stopListening = channel.onTold((part, bytes) => {
      if (part === PART) this.told(readNodeRow(bytes));
    });
    this.stopTelling = timing.every(TELL_MS, async () => this.tell());
    this.tell();
  }

  /** Tells the row now, as after a change of roles. */
  tell(): void {
    this.channel.tell(PART, nodeRowBytes(this.own()));
  }

  stop(): void {
    this.stopTelling();
    this.stopListening();
  }

  /** All nodes that are not forgotten, by name; this one as it is now. */
  get nodes(): readonly SeenNode[] {
    const nowMs = this.timing.clock.monotonicMs();
    this.forget(nowMs);
    const own = this.own();
    const seen: SeenNode[] = [{ ...own, silentMs: 0, running: true }];
    for (const { row, atMs } of this.rows.values()) {
      if (row.node === own.node) continue;
      const silentMs = nowMs - atMs;
      seen.push({ ...row, silentMs, running: silentMs < SILENT_MS });
    }
    return seen.sort((a, b) => (a.node < b.node ? -1 : 1));
  }

  private told(row: NodeRow | null): void {
    if (row === null) return;
    const nowMs = this.timing.clock.monotonicMs();
    if (!this.rows.has(row.node)) this.forget(nowMs);
    if (this.rows.size >= NODES_MAX && !this.rows.has(row.node)) return;
    this.rows.set(row.node, { row, atMs: nowMs });
    this.time.told(row);
  }

  private forget(nowMs: number): void {
    for (const [node, { atMs }] of this.rows) if (nowMs - atMs > FORGET_MS) this.rows.delete(node);
  }
}
