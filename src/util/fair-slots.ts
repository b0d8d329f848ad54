// Owns which of many peers may do something costly at a time: so many have a slot, the others wait, and the
// address with fewest slots is next. Never knows what it is.

import type { Clock } from './clock.ts';
import { placeOf } from './system/address.ts';

/** So many peers have a slot at a time. */
export const SLOTS_MAX = 64;
/** So many begin in one turn. */
const BEGUN_AT_ONCE = 16;
/** After so long a slot may be taken from an address that has more of them than those that wait. */
export const PATIENCE_MS = 1000;
/** How often to look, while peers wait. */
const LOOK_MS = 250;

/** What the slots are made with. */
export interface SlotsHost {
  readonly clock: Clock;
  /** Calls `FairSlots.look` once, that many milliseconds from now. */
  wake(delayMs: number): void;
  /** Calls `FairSlots.pump` once, in the next turn. */
  soon(): void;
}

/** One peer. */
interface Entry {
  readonly peer: object;
  readonly place: string;
  readonly begin: () => void;
  readonly cut: () => void;
  /** Since when it waits, or has a slot. */
  sinceMs: number;
  begun: boolean;
}

/** The slots, and those that wait for one. */
export class FairSlots {
  private readonly host: SlotsHost;
  private readonly timeoutMs: number;
  private readonly max: number;
  private readonly entries = new Map<object, Entry>();
  /** By address, those that have a slot, the oldest first. */
  private readonly busy = new Map<string, Set<Entry>>();
  /** By address, those that wait, the oldest first; the address whose turn it is comes first. */
  private readonly lines = new Map<string, Set<Entry>>();
  private taken = 0;
  private looking = false;
  private pumping = false;

  /** A peer that waits longer than `timeoutMs` is cut. */
  constructor(host: SlotsHost, timeoutMs: number, max: number = SLOTS_MAX) {
    this.host = host;
    this.timeoutMs = timeoutMs;
    this.max = max;
  }

  /** How many peers have a slot or wait for one: for tests. */
  get size(): number {
    return this.entries.size;
  }

  /** A peer of an address has come. `begin` is called once it has a slot, `cut` if it is not to have it any more. */
  came(peer: object, address: string, begin: () => void, cut: () => void): void {
    const place = placeOf(address);
    const sinceMs = this.host.clock.monotonicMs();
    const entry: Entry = { peer, place, begin, cut, sinceMs, begun: false };
    this.entries.set(peer, entry);
    join(this.lines, entry);
    if (this.taken < this.max) this.pumpLater();
    else this.lookLater();
  }

  /** It is done, or gone: its slot is another's. */
  left(peer: object): void {
    const entry = this.entries.get(peer);
    if (entry === undefined) return;
    this.entries.delete(peer);
    leave(entry.begun ? this.busy : this.lines, entry);
    if (!entry.begun) return;
    this.taken -= 1;
    if (this.lines.size > 0) this.pumpLater();
  }

  /** Gives some of those that wait their slots. */
  pump(): void {
    this.pumping = false;
    for (let n = 0; n < BEGUN_AT_ONCE && this.taken < this.max && this.lines.size > 0; n++) {
      this.startNext();
    }
    if (this.lines.size === 0) return;
    if (this.taken < this.max) this.pumpLater();
    else this.lookLater();
  }

  /** Cuts those that wait for too long, and those whose address has more than its share for long. */
  look(): void {
    this.looking = false;
    const nowMs = this.host.clock.monotonicMs();
    for (const line of [...this.lines.values()]) {
      for (const entry of line) {
        if (nowMs - entry.sinceMs < this.timeoutMs) break;
        this.end(entry);
      }
    }
    for (let n = 0; n < BEGUN_AT_ONCE && this.taken >= this.max && this.lines.size > 0; n++) {
      const hog = this.hog(nowMs);
      if (hog === null) break;
      // Its slot is for the address that waits and has fewest.
      this.end(hog);
      this.startNext();
    }
    if (this.lines.size > 0) this.lookLater();
  }

  /** Of the address with most slots the oldest, if that is old and an address with fewer waits. */
  private hog(nowMs: number): Entry | null {
    let most = new Set<Entry>();
    for (const those of this.busy.values()) if (those.size > most.size) most = those;
    const [oldest] = most;
    if (oldest === undefined || nowMs - oldest.sinceMs < PATIENCE_MS) return null;
    for (const place of this.lines.keys()) {
      if ((this.busy.get(place)?.size ?? 0) + 1 < most.size) return oldest;
    }
    return null;
  }

  private end(entry: Entry): void {
    this.left(entry.peer);
    entry.cut();
  }

  private start(entry: Entry): void {
    entry.begun = true;
    entry.sinceMs = this.host.clock.monotonicMs();
    this.taken += 1;
    join(this.busy, entry);
    entry.begin();
  }

  /** Gives a slot to the first of the address that has fewest slots of those that wait. */
  private startNext(): void {
    let fewest = Number.POSITIVE_INFINITY;
    let chosen: Set<Entry> | null = null;
    for (const [place, line] of this.lines) {
      const slots = this.busy.get(place)?.size ?? 0;
      if (slots >= fewest) continue;
      fewest = slots;
      chosen = line;
    }
    const [entry] = chosen ?? [];
    if (entry === undefined) return;
    leave(this.lines, entry);
    // Of addresses with as many slots, the one whose last turn is longest ago comes first.
    const rest = this.lines.get(entry.place);
    if (rest !== undefined) {
      this.lines.delete(entry.place);
      this.lines.set(entry.place, rest);
    }
    this.start(entry);
  }

  private lookLater(): void {
    if (this.looking) return;
    this.looking = true;
    this.host.wake(LOOK_MS);
  }

  private pumpLater(): void {
    if (this.pumping) return;
    this.pumping = true;
    this.host.soon();
  }
}

function join(places: Map<string, Set<Entry>>, entry: Entry): void {
  const those = places.get(entry.place) ?? new Set();
  places.set(entry.place, those.add(entry));
}

function leave(places: Map<string, Set<Entry>>, entry: Entry): void {
  const those = places.get(entry.place);
  those?.delete(entry);
  if (those?.size === 0) places.delete(entry.place);
}
