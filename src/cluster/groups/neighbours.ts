// Owns which node leads each group of a cluster, as far as it is heard here. Never decides anything that a batch's safety rests
// on.

import type { Presence as Channel } from '../../store/replicated/log-client.ts';
import { type NodeRow, nodeRowBytes, readNodeRow } from '../node-row.ts';
import type { Timing } from '../timing.ts';

/** How often a node that leads tells so to all groups, ms. */
const TELL_MS = 2000;
/** A leader that was silent for so long leads no longer, ms. */
const SILENT_MS = 10_000;
/** No cluster has more groups. */
const GROUPS_MAX = 1024;
const PART = 'leader';

/** The leaders of all groups of a cluster. */
export class Neighbours {
  private readonly channel: Channel;
  private readonly timing: Timing;
  private readonly own: () => NodeRow;
  private readonly leaders = new Map<string, { row: NodeRow; atMs: number }>();
  private readonly stops: (() => void)[];

  /** `own`: the row of this node, which is told while it leads. */
  constructor(channel: Channel, timing: Timing, own: () => NodeRow) {
    this.channel = channel;
    this.timing = timing;
    this.own = own;
    this.stops = [
      channel.onTold((part, bytes) => {
        if (part === PART) this.told(readNodeRow(bytes));
      }),
      timing.every(TELL_MS, async () => this.tell()),
    ];
  }

  /** Tells the row now, if this node leads. */
  tell(): void {
    const row = this.own();
    if (row.role === 'leader') this.channel.tell(PART, nodeRowBytes(row));
  }

  stop(): void {
    for (const stop of this.stops) stop();
  }

  /** The node that leads a group; null: none is known to. */
  leaderOf(group: string): NodeRow | null {
    const found = this.leaders.get(group);
    if (found === undefined) return null;
    return this.timing.clock.monotonicMs() - found.atMs < SILENT_MS ? found.row : null;
  }

  /** The time that the queues of a group live by, now, ms; null: it is not known. */
  timeOf(group: string): number | null {
    const found = this.leaders.get(group);
    const timeMs = found?.row.timeMs ?? null;
    if (found === undefined || timeMs === null) return null;
    return timeMs + this.timing.clock.monotonicMs() - found.atMs;
  }

  /** The leaders of all groups that are known to have one, by the names of the groups. */
  get all(): readonly NodeRow[] {
    return [...this.leaders.keys()].sort().flatMap((group) => this.leaderOf(group) ?? []);
  }

  private told(row: NodeRow | null): void {
    if (row === null || row.role !== 'leader') return;
    const { group } = row;
    const known = this.leaders.get(group);
    if (known === undefined && this.leaders.size >= GROUPS_MAX) return;
    // One that was deposed and does not know it yet tells an older epoch.
    if (known !== undefined && known.row.epoch > row.epoch && this.leaderOf(group) !== null) return;
    this.leaders.set(group, { row, atMs: this.timing.clock.monotonicMs() });
  }
}
